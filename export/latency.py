"""Cycles between what happens in the machine, each from the header of the module that takes them.

A step is *loaded* in the cycle in which the sequencer takes it from its program ROM, and a wave is
*issued* when it passes the scoreboard, one cycle before the issue register.
"""

from __future__ import annotations

from dataclasses import dataclass

from configs import lanes
from export import spec
from export.geometry import Geometry, width

FIRST_LOAD = 2  # sequencer: start of a token, and its first step
RELOAD = 2  # sequencer: between two loads, the program ROM is read meanwhile
EMBED = 4  # embed: start of a token, and its first tile
SEED_BEFORE = 1  # core: the generator is seeded, and the first token starts
SEED = 16  # noise: draws that are thrown away after a seed
CHOICE = 1  # noise: whose draw is next, with several streams
DRAW = 10  # noise: the first draw begins, and a memory of `vocab` draws is written, less vocab
TAKE = 2  # controller: a prompt token is done, and the next one starts
REQUEST = 3  # controller: before the first token and after the last one
SAMPLED = 1  # controller: a token is sampled, and starts


@dataclass(frozen=True)
class Latency:
    """The latencies that depend on the machine."""

    write: int  # last wave of a tile -> vector_unit writes it
    query: int  # the same, queries: through the rotation
    key: int  # last wave of the last tile -> kv_writer is done with the keys
    value: int
    residual: int  # last wave of a tile -> the scoreboard hears of it
    embed: int  # start of a token -> the scoreboard hears of its first tile
    embed_gap: int  # between two tiles of the embedding
    prob: int  # last wave of a score step -> the scoreboard hears of its first probabilities
    token: int  # last wave of the logits -> the sampled token

    @classmethod
    def of(cls, g: Geometry, activation: str) -> Latency:
        """Those of the machine `g`; the activation decides whether there is a table for it."""
        bump = int(activation != "relu")
        array = g.rows + 7  # issue register, array, accumulator
        write = array + 8 + bump
        tree = (width(g.cols) + 1) // 2  # levels of max_tree and adder_tree
        recip_wait = max(0, spec.softmax_latency(g.cols) - g.dependent_latency)
        return cls(
            write=write,
            query=write + g.rope_latency,
            key=write
            + g.rope_latency
            + lanes.key_writes(g.tiles(g.padded_channels) - 1, g.rows, g.cols),
            value=write + g.rope_latency + 1,
            residual=write + g.norm_wait,
            embed=EMBED + g.norm_wait,
            embed_gap=g.norm_passes,
            prob=write + tree + 4 + recip_wait,
            token=write + 1 + tree + 2,
        )
