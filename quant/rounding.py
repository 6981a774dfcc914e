"""Weights to integers so that the outputs, not the weights, are off by the least.

Rounding one column leaves an error that the columns still to come can partly undo, as far as their
inputs are correlated: the optimal-brain-surgeon step of GPTQ (Frantar et al., arXiv 2210.17323).
It costs the hardware nothing.
"""

from __future__ import annotations

import numpy as np

from quant import ops
from quant.calibrate import covering_frac

Array = np.ndarray
DAMPING = 0.01  # of the mean input power; keeps unused inputs from taking part
FRAC_CANDIDATES = 2  # no clipping, and clipping at half of the largest weight
FRAC_CANDIDATES_FEW = 4  # of up to 3 bits: at a quarter and an eighth too
BLOCK = 32  # columns whose errors reach the later ones in one product
INPUTS_MAX = 2048  # beyond, plain rounding: the effort grows with the cube


def covering_fracs(weight: Array, bits: int) -> Array:
    """Most fraction bits per row of weight [out, in] with which `bits` signed bits hold it."""
    absmax = np.abs(weight).max(axis=1)
    return np.array([covering_frac(value, bits) for value in absmax])


def nearest(weight: Array, fracs: Array, bits: int) -> Array:
    """Codes float64 [out, in], halves up, saturated."""
    return nearest_codes(weight * 2.0 ** fracs[:, None], bits)


def nearest_codes(places: Array, bits: int) -> Array:
    """The same for weights in units of their codes, in place."""
    top = ops.limit(bits)
    places += 0.5
    np.floor(places, out=places)
    return np.clip(places, -top, top, out=places)


def compensated(weight: Array, fracs: Array, bits: int, gram: Array) -> Array:
    """Codes like `nearest`, each column's error passed on; gram [in, in] = E[x x^T]."""
    if weight.shape[1] > INPUTS_MAX or not gram.any():
        return nearest(weight, fracs, bits)
    order = np.argsort(-np.diag(gram), kind="stable")  # the strongest inputs first
    upper = _inverse_factor(gram[np.ix_(order, order)])
    scale, top = 2.0**fracs, ops.limit(bits)
    rest = (weight * scale[:, None]).T[order]  # [in, out], in units of the codes
    errors = np.empty_like(rest)
    for start in range(0, len(rest), BLOCK):
        end = start + BLOCK
        for i in range(start, min(end, len(rest))):
            codes = np.clip(np.floor(rest[i] + 0.5), -top, top)
            errors[i] = (rest[i] - codes) / upper[i, i]
            rest[i] = codes
            rest[i + 1 : end] -= upper[i, i + 1 : end, None] * errors[i]
        rest[end:] -= upper[start:end, end:].T @ errors[start:end]
    return rest[np.argsort(order)].T


def _inverse_factor(gram: Array) -> Array:
    """Upper U with U^T U = (gram + damping)^-1."""
    damped = gram + DAMPING * np.mean(np.diag(gram)) * np.eye(len(gram))
    return np.linalg.cholesky(np.linalg.inv(damped)).T


def output_error(weight: Array, codes: Array, fracs: Array, gram: Array) -> Array:
    """Mean squared error of each output [out] over the inputs that `gram` stands for."""
    delta = codes * 2.0 ** -fracs[:, None] - weight
    return np.einsum("oi,ij,oj->o", delta, gram, delta, optimize=True)


def candidates(bits: int) -> int:
    """How many scales of a row are tried."""
    return FRAC_CANDIDATES if bits > 3 else FRAC_CANDIDATES_FEW


def choose(
    weight: Array, bits: int, gram: Array, frac_max: int | None = None
) -> tuple[Array, Array]:
    """(codes int8 [out, in], fracs int64 [out]): for each output the scale of least error."""
    least = covering_fracs(weight, bits)
    tried = []
    for extra in range(candidates(bits)):
        fracs = least + extra if frac_max is None else np.minimum(least + extra, frac_max)
        codes = compensated(weight, fracs, bits, gram)
        tried.append((codes, fracs, output_error(weight, codes, fracs, gram)))
    best = np.argmin([error for _, _, error in tried], axis=0)  # [out]
    rows = np.arange(len(weight))
    codes = np.stack([codes for codes, _, _ in tried])[best, rows]
    fracs = np.stack([fracs for _, fracs, _ in tried])[best, rows]
    return codes.astype(np.int8), fracs
