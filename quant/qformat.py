"""Number formats as values: an integer of so many bits, less `zero`, times 2^-frac."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class QFormat:
    """`bits` wide, `frac` of them fraction bits (may be negative or above `bits`).

    Signed formats are symmetric: the most negative code does not exist.
    """

    bits: int
    frac: int
    signed: bool = True
    zero: int = 0  # the code that stands for 0

    @property
    def max_int(self) -> int:
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1

    @property
    def min_int(self) -> int:
        return -self.max_int if self.signed else 0

    @property
    def signed_bits(self) -> int:
        """Bits of a signed number that holds every code."""
        return self.bits + (not self.signed)

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest real value."""
        return (self.min_int - self.zero) * self.step, (self.max_int - self.zero) * self.step

    @property
    def step(self) -> float:
        """The real value of one unit."""
        return 2.0**-self.frac

    def encode(self, real: np.ndarray) -> np.ndarray:
        """Real values to int64 codes: nearest, halves up, saturated. Offline use only."""
        scaled = np.floor(np.asarray(real, np.float64) * 2.0**self.frac + 0.5) + self.zero
        return np.clip(scaled, self.min_int, self.max_int).astype(np.int64)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Integer codes to the real values (float64) they stand for. Offline use only."""
        return (np.asarray(codes).astype(np.float64) - self.zero) * self.step

    def __str__(self) -> str:
        text = f"{'s' if self.signed else 'u'}{self.bits}.{self.frac}"
        return f"{text} (0 is {self.zero})" if self.zero else text
