"""The seeded sampler of the golden model: all draws of a token at once.

xorshift is linear over bits, so the state after i steps is the XOR of what each set bit of the
present state becomes after i steps: one table, no loop. Equal to `ops.draw_noise` (tested).
"""

from __future__ import annotations

import numpy as np

from quant import ops

BITS = np.arange(32)


class NoiseSource:
    """Gumbel noise for `count` logits a token."""

    def __init__(self, gumbel: np.ndarray, count: int) -> None:
        self.gumbel = ops.ints(gumbel)
        self.ahead = np.empty((32, count), np.int64)  # [bit, draw]
        states = np.int64(1) << BITS
        for draw in range(count):
            states = _next_states(states)
            self.ahead[:, draw] = states

    def draw(self, state: int, temperature: int) -> tuple[np.ndarray, int]:
        """Noise int64 [count] and the generator's next state."""
        is_set = (state >> BITS & 1).astype(bool)
        states = np.bitwise_xor.reduce(self.ahead[is_set], axis=0)
        return ops.noise_values(states, self.gumbel, temperature), int(states[-1])


def _next_states(states: np.ndarray) -> np.ndarray:
    """`ops.next_state` of an array."""
    states = states ^ (states << 13 & 0xFFFFFFFF)
    states = states ^ states >> 17
    return states ^ (states << 5 & 0xFFFFFFFF)
