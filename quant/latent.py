"""Float parameters behind the integers of an artefact, and the way between the two.

They begin at the artefact that they are made from, to the bit. A row of a matrix has a learned step
beside its weights: a real power of two, rounded to a whole one where it is used (LSQ,
arXiv 1902.08153, on exponents). All are kept in units of about their own size, so that one learning
rate serves embeddings, weights, biases and steps. Formats, norms and tables stay as calibrated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from model.params import Params
from quant import ops, rounding
from quant.calibrate import Statistics
from quant.fold import Array, Folded, FoldedLinear
from quant.qmodel import CROSS_LINEARS, Layer, Linear, QuantModel
from quant.quantize import GATED, MEMORY, STAGES, real_bias, with_bias

TABLES = ("embed_tok", "embed_pos")
INSIDE = 0.3  # how far, in steps, a weight may begin from its code
STEP_UNIT = 0.1  # octaves
PACE = 1.0  # the power of the size of its gradient by which a matrix is slower


def linears(qm: QuantModel) -> Iterator[tuple[str, Linear]]:
    """All matrices of an artefact by name: layers.{l}.q ... head."""
    for prefix, layer in qm.named_layers():
        for part, linear in layer.linears().items():
            yield prefix + part, linear
    yield "head", qm.head


class Latent:
    """`params`: float64, `<matrix>.weight`, `.bias`, `.step`, embed_tok and embed_pos."""

    def __init__(self, folded: Folded, stats: Statistics, qm: QuantModel) -> None:
        self.qm = qm
        self.embed = qm.formats["embed"]
        real: dict[str, Array] = {}
        unit: dict[str, Array] = {}
        sources = {name: _folded(folded, name) for name, _ in linears(qm)}
        for name, linear in linears(qm):
            source = sources[name]
            real[name + ".weight"] = self._begin(source.weight, linear)
            unit[name + ".weight"] = 2.0 ** (1 - linear.weight_frac.astype(np.float64)[:, None])
        for table in TABLES:
            if (rows := getattr(folded, table)) is not None:
                real[table], unit[table] = rows, _power(np.sqrt(np.mean(rows**2)))
        for name, linear in linears(qm):
            source = sources[name]
            gram = stats.gram(_reads(name))
            power = np.einsum("oi,ij,oj->o", source.weight, gram, source.weight, optimize=True)
            real[name + ".bias"], unit[name + ".bias"] = real_bias(linear), _power(np.sqrt(power))
            real[name + ".step"] = linear.weight_frac.astype(np.float64)
            unit[name + ".step"] = np.array(STEP_UNIT)
        shapes = {name: value.shape for name, value in real.items()}
        size = sum(value.size for value in real.values())
        self.params, self.unit = Params(np.empty(size), shapes), Params(np.empty(size), shapes)
        for name, value in real.items():
            self.unit[name][...] = unit[name]
            self.params[name][...] = value / self.unit[name]

    def pace(self, squares: dict[str, float]) -> None:
        """Let matrices learn the slower, the more they matter; squares: mean square gradients.

        Adam moves all weights alike, and so they cross between codes equally often; where that
        disturbs the most they had better cross less. Changes the unit of weights alone, and
        belongs before the first step.
        """
        names = [name + ".weight" for name, _ in linears(self.qm) if squares[name + ".weight"] > 0]
        mean = np.mean([np.log(squares[name]) for name in names])
        for name in names:
            factor = np.exp((mean - np.log(squares[name])) * PACE / 2)
            self.unit[name][...] *= factor
            self.params[name][...] /= factor

    def _begin(self, weight: Array, linear: Linear) -> Array:
        """Weights [out, in] that round to the codes of `linear`, as near to `weight` as that is."""
        scale = 2.0 ** linear.weight_frac.astype(np.float64)[:, None]
        codes = linear.weight.astype(np.float64)
        top = ops.limit(linear.weight_bits)
        low = np.where(codes <= -top, -np.inf, codes - INSIDE)
        high = np.where(codes >= top, np.inf, codes + INSIDE)
        return np.clip(weight * scale, low, high) / scale

    def real(self, name: str) -> Array:
        """A parameter in its own unit."""
        return self.params[name] * self.unit[name]

    def _fracs(self, name: str, linear: Linear) -> Array:
        """Fraction bits [out], int64: those for which the machine has a shift."""
        base = linear.weight_frac.astype(np.int64) - linear.shift  # the same for all rows
        nearest = np.floor(self.real(name + ".step") + 0.5).astype(np.int64)
        return nearest.clip(base, base + ops.SHIFT_MAX)

    def _linear(self, name: str, linear: Linear) -> Linear:
        fracs = self._fracs(name, linear)
        base = linear.weight_frac.astype(np.int64) - linear.shift
        places, _ = self._places(name, fracs)
        codes = rounding.nearest_codes(places, linear.weight_bits)
        step = replace(
            linear,
            weight=codes.astype(np.int8),
            shift=(fracs - base).astype(np.uint8),
            weight_frac=fracs.astype(np.int8),
        )
        return with_bias(name, step, self.real(name + ".bias"))

    def _places(self, name: str, fracs: Array) -> tuple[Array, Array]:
        """Where the weights lie between codes with these fraction bits, in codes [out, in], and
        how many codes one unit of their parameters is [out, 1]."""
        size = np.ldexp(self.unit[name + ".weight"][:, :1], fracs[:, None])
        return self.params[name + ".weight"] * size, size

    def artefact(self) -> QuantModel:
        """The integers of the parameters as they are now (not validated)."""
        made = {name: self._linear(name, linear) for name, linear in linears(self.qm)}
        stacks: dict[str, list[Layer]] = {"layers": [], "encoder": []}
        for prefix, layer in self.qm.named_layers():
            parts: dict[str, Any] = {
                part: made[prefix + part] for part in layer.linears() if not _crosses(part)
            }
            if layer.cross is not None:
                inner: dict[str, Any] = {
                    part: made[f"{prefix}cross_{part}"] for part in CROSS_LINEARS
                }
                parts["cross"] = replace(layer.cross, **inner)
            stack = "encoder" if prefix.startswith("encoder.") else "layers"
            stacks[stack].append(replace(layer, **parts))
        tables: dict[str, Any] = {
            name: self.embed.encode(self.real(name)).astype(np.int16)
            for name in TABLES
            if name in self.params
        }
        changed: dict[str, Any] = {name: tuple(stack) for name, stack in stacks.items()} | tables
        return replace(self.qm, head=made["head"], **changed)

    def gradients(self, found: dict[str, Array], qm: QuantModel, grads: Params) -> None:
        """From the gradients of what the codes of `qm` stand for to those of `params`.

        A weight beyond the largest code has none; the step w = code / 2^step follows the codes.
        """
        for name, linear in linears(qm):
            places, _ = self._places(name, linear.weight_frac)
            gradient = found[name + ".weight"]
            within = gradient * (np.abs(places) <= ops.limit(linear.weight_bits) + 0.5)
            moved = np.einsum("oi,oi->o", gradient, linear.weight.astype(gradient.dtype))
            moved -= np.einsum("oi,oi->o", within, places)
            found[name + ".weight"] = within
            found[name + ".step"] = np.ldexp(-np.log(2) * moved, -linear.weight_frac)
        for name, gradient in found.items():
            grads[name][...] = gradient
        grads.flat *= self.unit.flat

    def settle(self, qm: QuantModel, pull: float) -> None:
        """Move weights, and steps, by the part `pull` towards what their codes in `qm` stand for.

        A weight whose best value lies between two codes would cross from one to the other and back
        for ever, and all others would have to adapt (arXiv 2203.11086).
        """
        for name, linear in linears(qm):
            places, size = self._places(name, linear.weight_frac)
            apart = linear.weight - places
            apart *= np.abs(places) <= ops.limit(linear.weight_bits)
            apart *= pull / size
            self.params[name + ".weight"] += apart
            steps = self.params[name + ".step"]
            steps += pull * (linear.weight_frac / self.unit[name + ".step"] - steps)


def weights(qm: QuantModel) -> dict[str, Array]:
    """What the codes stand for, float32 [out, in] by name."""
    return {
        name: linear.weight * np.ldexp(np.float32(1), -linear.weight_frac)[:, None]
        for name, linear in linears(qm)
    }


def _power(size: Array) -> Array:
    """The power of two next to each size; where one is 0, next to the mean of all."""
    mean = float(np.mean(size)) or 1.0
    return 2.0 ** np.round(np.log2(np.where(size > 0, size, mean)))


def _crosses(part: str) -> bool:
    return part.startswith("cross_")


def _folded(folded: Folded, name: str) -> FoldedLinear:
    if name == "head":
        return folded.head
    prefix, _, part = name.rpartition(".")
    layer = dict(folded.named_layers())[prefix + "."]
    owner = layer.cross if _crosses(part) else layer
    linear = getattr(owner, part.removeprefix("cross_"))
    assert isinstance(linear, FoldedLinear)
    return linear


def _reads(name: str) -> str:
    """The stage that a matrix reads (its norm, where there is one)."""
    prefix, _, part = name.rpartition(".")
    if name == "head":
        return "final_norm"
    if part in ("cross_k", "cross_v"):
        return MEMORY
    crosses = {"cross_q": "cross_norm", "cross_o": "cross_out"}
    return f"{prefix}.{crosses[part] if _crosses(part) else (STAGES | GATED)[part][1]}"
