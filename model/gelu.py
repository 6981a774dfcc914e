"""GELU as it is defined (arXiv 1606.08415): x Phi(x), PyTorch's default and nanoGPT's.

GPT-2's form with a tanh is in `layers.py`; the two differ by up to 5e-4. With T = Phi(-|x|), the
part of a normal distribution beyond |x|, x Phi(x) = max(x, 0) - |x| T: nothing cancels.
"""

from __future__ import annotations

import math

import numpy as np

Array = np.ndarray
FAR = 13  # beyond, T is 0 to 1e-37
# T = exp(-x^2/2) OVER(|x|) / UNDER(|x|), constants first: a fit that leaves 3e-10 of |x| T.
OVER = (0.4999999990, 0.3037387307, 0.0892121841, 0.0104754801)
UNDER = (1.0, 1.4053618458, 0.7997433666, 0.2223210119, 0.0263251886)


def gelu_exact_forward(x: Array) -> tuple[Array, tuple]:
    """x Phi(x), elementwise."""
    size = np.abs(x)
    np.minimum(size, FAR, out=size)
    bell = size * size
    bell *= -0.5
    np.exp(bell, out=bell)
    tail = _polynomial(OVER, size)
    tail /= _polynomial(UNDER, size)
    tail *= bell
    y = np.maximum(x, 0)
    y -= np.multiply(size, tail, out=size)
    return y, (x, bell, tail)


def gelu_exact_backward(dy: Array, cache: tuple) -> Array:
    """dx = dy (Phi(x) + x exp(-x^2/2) / sqrt(2 pi))."""
    x, bell, tail = cache
    slope = x * bell
    slope *= 1 / math.sqrt(2 * math.pi)
    below = np.subtract(0.5, tail)  # Phi(x) = 1/2 + sign(x) (1/2 - T)
    slope += np.copysign(below, x, out=below)
    slope += 0.5
    slope *= dy
    return slope


def _polynomial(factors: tuple[float, ...], x: Array) -> Array:
    """factors[0] + factors[1] x + factors[2] x^2 + ..."""
    y = x * factors[-1]
    for factor in factors[-2:0:-1]:
        y += factor
        y *= x
    y += factors[0]
    return y
