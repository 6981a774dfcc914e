"""The residual stream in another basis, exact in float, so that no channel or weight stands out.

Under RMS without gain (`quant.fold`) an orthogonal turn of the residual changes nothing: what
writes to it is turned, what reads it is turned back, and the norm sees the same length. After a
random turn weights are sums of many, so nearly normal, and their largest, which sets the unit of a
row, is not far above the rest (QuaRot, Ashkboos et al., arXiv 2404.00456). The machine does nothing
more for it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from quant.fold import Array, Folded, FoldedAttention, FoldedLayer, FoldedLinear

SEED = 1


def turned(folded: Folded) -> Folded:
    """An equivalent model in another basis; encoder and decoder share it, as they share tokens."""
    turn = random_turn(folded.config.d_model)  # [D, D]
    positions = folded.embed_pos
    return replace(
        folded,
        embed_tok=folded.embed_tok @ turn,
        embed_pos=None if positions is None else positions @ turn,
        layers=tuple(_layer(layer, turn) for layer in folded.layers),
        head=_reader(folded.head, turn),
        encoder=tuple(_layer(layer, turn) for layer in folded.encoder),
    )


def random_turn(size: int) -> Array:
    """An orthogonal matrix [size, size], uniform among all, always the same."""
    gauss = np.random.default_rng(SEED).normal(size=(size, size))
    q, r = np.linalg.qr(gauss)
    return q * np.sign(np.diag(r))


def _reader(linear: FoldedLinear, turn: Array) -> FoldedLinear:
    return FoldedLinear(linear.weight @ turn, linear.bias)


def _writer(linear: FoldedLinear, turn: Array) -> FoldedLinear:
    return FoldedLinear(turn.T @ linear.weight, turn.T @ linear.bias)


def _layer(layer: FoldedLayer, turn: Array) -> FoldedLayer:
    cross = layer.cross
    return replace(
        layer,
        **{part: _reader(getattr(layer, part), turn) for part in ("q", "k", "v", "up")},
        **{part: _writer(getattr(layer, part), turn) for part in ("o", "down")},
        gate=None if layer.gate is None else _reader(layer.gate, turn),
        cross=None if cross is None else _cross(cross, turn),
    )


def _cross(cross: FoldedAttention, turn: Array) -> FoldedAttention:
    q, k, v = (_reader(part, turn) for part in (cross.q, cross.k, cross.v))
    return FoldedAttention(q, k, v, _writer(cross.o, turn))
