"""Widths of many matrices at once: all choices that no other one beats, by dynamic programming.

What a choice costs is the sum of what each matrix costs at its width, so the best choices for some
matrices are the best choices for one less, each with every width of the last.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray
BITS = range(2, 9)  # the widths that a matrix may have


@dataclass(frozen=True)
class Point:
    """One choice: a width for each matrix, bits of all weights, predicted KL in nats."""

    widths: tuple[int, ...]
    bits: int
    kl: float


def front(sizes: list[int], costs: Array, most: int = BITS[-1]) -> list[Point]:
    """Choices of widths up to `most`: more bits and less KL from one to the next.

    sizes: weights of each matrix; costs [matrices, len(BITS)]: KL that a matrix adds at each width.
    """
    bits = np.array([width for width in BITS if width <= most])
    totals, kl = np.zeros(1, np.int64), np.zeros(1)
    picks = []
    for size, cost in zip(sizes, costs[:, : len(bits)], strict=True):
        next_totals = (totals[:, None] + size * bits).ravel()
        next_kl = (kl[:, None] + cost).ravel()
        order = np.lexsort((next_kl, next_totals))
        least = np.minimum.accumulate(next_kl[order])
        chosen = order[np.r_[True, next_kl[order][1:] < least[:-1]]]
        totals, kl = next_totals[chosen], next_kl[chosen]
        picks.append(chosen)
    found = np.empty((len(totals), len(sizes)), np.int64)
    index = np.arange(len(totals))
    for matrix in reversed(range(len(sizes))):
        index, width = np.divmod(picks[matrix][index], len(bits))
        found[:, matrix] = bits[width]
    rows = zip(found.tolist(), totals.tolist(), kl.tolist(), strict=True)
    return [Point(tuple(row), total, cost) for row, total, cost in rows]


def within(points: list[Point], budget: int) -> Point | None:
    """The best choice of at most `budget` bits; None where even the smallest has more."""
    fitting = [point for point in points if point.bits <= budget]
    return fitting[-1] if fitting else None


def thinned(points: list[Point], count: int) -> list[Point]:
    """About `count` of them, evenly spread over the bits, both ends among them."""
    if len(points) <= count:
        return points
    bits = [point.bits for point in points]
    wanted = np.linspace(bits[0], bits[-1], count)
    places = sorted({int(np.abs(np.array(bits) - one).argmin()) for one in wanted})
    return [points[place] for place in places]
