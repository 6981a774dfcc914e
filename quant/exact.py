"""Integer matrix products at the speed of float64 BLAS, exact by a bound that is asserted.

An IEEE double holds every integer up to 2^53. If sum |x| * |w| stays below that, then every product
and every partial sum, in whatever order, blocking or fused operation BLAS chooses, is such an
integer, so nothing is ever rounded. Doubles live inside this module only: integers go in, int64
comes out.
"""

from __future__ import annotations

import numpy as np

from quant.ops import ints

EXACT_MAX = 2**53


def check_bound(bound: int) -> None:
    """Raise OverflowError unless sums up to `bound` are exact in a double."""
    if bound >= EXACT_MAX:
        raise OverflowError(f"sums up to {bound} are not exact in a double")


def _real(x: np.ndarray) -> np.ndarray:
    return ints(x).astype(np.float64)


class ConstantMatrix:
    """Weights [out, in] that multiply inputs of magnitude <= x_max."""

    def __init__(self, weight: np.ndarray, x_max: int) -> None:
        self._weight = _real(weight)
        check_bound(int(np.abs(ints(weight)).sum(axis=1).max()) * x_max)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """x int64 [..., in] -> int64 [..., out], exact."""
        real = x.astype(np.float64)
        if x.ndim == 1:
            return self._weight.dot(real).astype(np.int64)
        rows = real.reshape(-1, x.shape[-1]).dot(self._weight.T)  # one large product
        return rows.astype(np.int64).reshape(*x.shape[:-1], -1)


class Cache:
    """One layer's keys or values [G, context, d_head], written row by row.

    Each of the G heads serves as many heads of x and p, side by side.
    """

    def __init__(self, shape: tuple[int, int, int], x_max: int, own_max: int) -> None:
        check_bound(max(shape) * x_max * own_max)
        self._rows = np.zeros(shape)

    def write(self, position: int, row: np.ndarray) -> None:
        """Put int64 row [G, d_head] at `position`."""
        self._rows[:, position] = row

    def read(self, count: int) -> np.ndarray:
        """The first `count` rows as int64 [G, count, d_head]."""
        return self._rows[:, :count].astype(np.int64)

    def dots(self, x: np.ndarray, count: int) -> np.ndarray:
        """Products of x [n_heads, d_head] with the first rows: int64 [n_heads, count]."""
        real = x.astype(np.float64).reshape(len(self._rows), -1, x.shape[1]).swapaxes(1, 2)
        dots = np.matmul(self._rows[:, :count], real).swapaxes(1, 2)
        return dots.astype(np.int64).reshape(len(x), count)

    def mix(self, p: np.ndarray) -> np.ndarray:
        """Sums of rows weighted by p [n_heads, count]: int64 [n_heads, d_head]."""
        rows = self._rows[:, : p.shape[1]]
        real = p.astype(np.float64).reshape(len(rows), -1, p.shape[1])
        return np.matmul(real, rows).astype(np.int64).reshape(len(p), -1)


def matmul(a: np.ndarray, b: np.ndarray, bound: int) -> np.ndarray:
    """int64 a [..., m, n] @ b [..., n, p] for sums whose magnitude stays <= bound."""
    check_bound(bound)
    return np.matmul(_real(a), _real(b)).astype(np.int64)
