"""The width of every weight matrix and activation of a model: class defaults and overrides.

Names are those of `docs/numerics.md`: `layers.0.up.weight`, `head.weight`, and of stages
`layers.0.k`, `layers.0.ffn_hidden`. The residual stream has one width, `quant.residual_bits`;
scores and logits have 16 bits, probabilities `quant.prob_bits`.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from configs.schema import ModelConfig, QuantConfig

PARTS = ("q", "k", "v", "o", "up", "down")
STAGES = ("q", "k", "v", "attn_out", "ffn_hidden")
CROSS_PARTS = ("cross_q", "cross_k", "cross_v", "cross_o")
CROSS_STAGES = ("cross_q", "cross_k", "cross_v", "cross_out")


def names(model: ModelConfig) -> list[str]:
    """Everything that `quant.bits` may name, in order of execution."""
    result = []
    gated, both = model.activation == "swiglu", model.kind == "encoder-decoder"
    for stack in ("encoder.layers", "layers") if both else ("layers",):
        crosses = both and stack == "layers"
        for index in range(model.n_layers):
            parts = PARTS + (("gate",) if gated else ()) + (CROSS_PARTS if crosses else ())
            stages = STAGES + (("ffn_gate", "ffn_up") if gated else ())
            stages += CROSS_STAGES if crosses else ()
            result += [f"{stack}.{index}.{part}.weight" for part in parts]
            result += [f"{stack}.{index}.{stage}" for stage in stages]
    return [*result, "head.weight"]


def kind(name: str) -> tuple[str, int, int]:
    """The option that holds the default width of `name`, and the widths that it may have."""
    if name.endswith(".weight"):
        return "weight_bits", 2, 8
    if name.endswith(("k", "v")):
        return "kv_bits", 4, 16
    return "act_bits", 8, 16


def width(quant: QuantConfig, name: str) -> int:
    """Bits of `name`: the last pattern that matches it, or the default of its class."""
    bits = getattr(quant, kind(name)[0])
    for pattern, override in quant.bits.items():
        if fnmatchcase(name, pattern):
            bits = override
    return bits


def check(quant: QuantConfig, model: ModelConfig) -> None:
    """ValueError, in one line, unless every override has a meaning for this model."""
    known = names(model)
    for pattern in quant.bits:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise ValueError(
                f"quant.bits: nothing is called '{pattern}'; there are {known[0]}, "
                "layers.0.k and the like, and * stands for any part of a name"
            )
    for name in known:
        option, low, high = kind(name)
        if not low <= (bits := width(quant, name)) <= high:
            raise ValueError(
                f"quant.bits: {bits} bits for {name}, which takes {low} to {high} ({option})"
            )
    stage = "ffn_gate" if model.activation == "swiglu" else "ffn_hidden"
    activated = {width(quant, name) for name in known if name.endswith(f".{stage}")}
    if model.activation != "relu" and len(activated) > 1:
        raise ValueError(
            f"quant.bits: one table of '{model.activation}' serves all layers: give "
            f"layers.*.{stage} one width"
        )
