"""What can never happen, proved from the artefact alone: overflow, bad shifts, bad shapes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from configs.cli import UserError
from quant import ops, tables

if TYPE_CHECKING:
    from quant.qmodel import Attention, Layer, Linear, QuantModel, StepInfo

INT16_MAX = ops.limit(16)
TABLE_BITS = {  # where the artefact does not say: left out at their defaults
    "rsqrt_bits": tables.INDEX_BITS,
    "recip_bits": tables.INDEX_BITS,
    "bump_bits": tables.CELL_BITS,
}
REMEDY = "quantise again (make quantize)"


def _half(shift: int) -> int:
    return (1 << shift) >> 1


def linear_bound(linear: Linear, x_max: int, signed: bool = True) -> int:
    """max over o of the reach of its sum + rounding half of shift[o]."""
    half = 1 << linear.shift.astype(np.int64) >> 1
    return int((linear.reach(x_max, signed) + half).max())


def norm_k_range(qm: QuantModel) -> tuple[int, int]:
    """Smallest and largest k of a norm over any residual."""
    eps_int = qm.eps_int
    largest = qm.config["d_model"] * ops.limit(qm.residual_bits) ** 2 + eps_int
    return (eps_int.bit_length() - 1) // 2, (largest.bit_length() - 1) // 2


def recip_k_range(context: int, prob_bits: int) -> tuple[int, int]:
    """Smallest and largest k of a softmax sum: the largest score alone gives 2^prob_bits - 1."""
    top = (1 << prob_bits) - 1
    return top.bit_length() - 1, (context * top).bit_length() - 1


def steps(qm: QuantModel) -> Iterator[StepInfo]:
    """Every matrix step in order of execution."""
    for name, layer in qm.named_layers():
        yield from _layer_steps(qm, layer, name.removesuffix("."))
    yield _linear_step("logits", qm.head, ops.limit(qm.residual_bits), norm_k_range(qm))


def _linear_step(
    name: str, linear: Linear, x_max: int, k_range: tuple[int, int], signed: bool = True
) -> StepInfo:
    from quant.qmodel import StepInfo

    return StepInfo(name, x_max, linear_bound(linear, x_max, signed), linear.exponent, *k_range)


def _layer_steps(qm: QuantModel, layer: Layer, prefix: str) -> Iterator[StepInfo]:
    from quant.qmodel import StepInfo

    context, x_max = qm.config["context"], ops.limit(qm.residual_bits)
    q_max, k_max, v_max = (ops.limit(part.out_bits) for part in (layer.q, layer.k, layer.v))
    out_max = ops.limit(qm.formats[f"{prefix}.attn_out"].bits)
    p_max = (1 << qm.quant["prob_bits"]) - 1
    norm_k = norm_k_range(qm)
    for name in ("q", "k", "v"):
        yield _linear_step(f"{prefix}.{name}", getattr(layer, name), x_max, norm_k)
    bound = qm.d_head * q_max * k_max + _half(layer.scores_shift)
    yield StepInfo(f"{prefix}.attn_scores", q_max, bound, layer.scores_exponent, 0, 0)
    bound = context * p_max * v_max + _half(layer.out_shift)
    recip_k = recip_k_range(context, qm.quant["prob_bits"])
    yield StepInfo(f"{prefix}.attn_out", p_max, bound, layer.out_exponent, *recip_k)
    yield _linear_step(f"{prefix}.attn_residual", layer.o, out_max, (0, 0))
    if layer.cross is not None:
        yield from _cross_steps(qm, layer.cross, f"{prefix}.cross")
    if layer.gate is not None:
        yield _linear_step(f"{prefix}.ffn_gate", layer.gate, x_max, norm_k)
    up = "ffn_hidden" if layer.gate is None else "ffn_up"
    yield _linear_step(f"{prefix}.{up}", layer.up, x_max, norm_k)
    hidden = qm.formats[f"{prefix}.ffn_hidden"]
    read = hidden.max_int, (0, 0), hidden.signed
    yield _linear_step(f"{prefix}.ffn_residual", layer.down, *read)


def _cross_steps(qm: QuantModel, cross: Attention, prefix: str) -> Iterator[StepInfo]:
    """prefix: "layers.0.cross"."""
    from quant.qmodel import StepInfo

    context, x_max = qm.config["context"], ops.limit(qm.residual_bits)
    q_max, k_max, v_max = (ops.limit(part.out_bits) for part in (cross.q, cross.k, cross.v))
    out_max = ops.limit(qm.formats[f"{prefix}_out"].bits)
    p_max = (1 << qm.quant["prob_bits"]) - 1
    for name in ("q", "k", "v"):
        yield _linear_step(f"{prefix}_{name}", getattr(cross, name), x_max, norm_k_range(qm))
    bound = qm.d_head * q_max * k_max + _half(cross.scores_shift)
    yield StepInfo(f"{prefix}_scores", q_max, bound, cross.scores_exponent, 0, 0)
    bound = context * p_max * v_max + _half(cross.out_shift)
    recip_k = recip_k_range(context, qm.quant["prob_bits"])
    yield StepInfo(f"{prefix}_out", p_max, bound, cross.out_exponent, *recip_k)
    yield _linear_step(f"{prefix}_residual", cross.o, out_max, (0, 0))


def validate(qm: QuantModel) -> None:
    """Raise UserError at the first thing that is wrong."""
    _check_counts(qm)
    for name, linear, shape in _linears(qm):
        _check_linear(name, linear, shape)
    _check_formats(qm)
    for prefix, layer in qm.named_layers():
        for name in ("scores_shift", "out_shift", "hidden_shift"):
            _range(prefix + name, getattr(layer, name), 0, ops.SHIFT_MAX)
        for name in ("scores_shift", "out_shift") if layer.cross is not None else ():
            _range(f"{prefix}cross_{name}", getattr(layer.cross, name), 0, ops.SHIFT_MAX)
    _range("eps_int", qm.eps_int, 1, 2**46)
    _check_tables(qm)
    for step in steps(qm):
        _check_step(step)


def _range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise UserError(f"{name} is {value}, outside {low}..{high}; {REMEDY}")


def _check_step(step: StepInfo) -> None:
    bits = step.acc_max.bit_length() + 1
    if bits > ops.ACC_BITS_MAX:
        raise UserError(
            f"{step.name}: the accumulator could reach {step.acc_max} and needs {bits} bits of "
            f"{ops.ACC_BITS_MAX}; choose fewer weight or activation bits, or a smaller model"
        )
    low, high = step.exponent + step.k_min, step.exponent + step.k_max
    if low < 0 or high > ops.EXPONENT_MAX:
        raise UserError(
            f"{step.name}: the scaling shift runs from {low} to {high}, outside "
            f"0..{ops.EXPONENT_MAX}; {REMEDY}"
        )


def _linears(qm: QuantModel) -> Iterator[tuple[str, Linear, tuple[int, int]]]:
    from quant.qmodel import CROSS_LINEARS, LINEARS

    d, f, v = (qm.config[name] for name in ("d_model", "d_ff", "vocab_size"))
    kv = qm.kv_heads * qm.d_head
    shapes = {"q": (d, d), "k": (kv, d), "v": (kv, d), "o": (d, d), "up": (f, d), "down": (d, f)}
    if qm.config["activation"] == "swiglu":
        shapes["gate"] = (f, d)
    for prefix, layer in qm.named_layers():
        crosses = qm.kind == "encoder-decoder" and not prefix.startswith("encoder.")
        for name in (*LINEARS, "cross"):
            wanted = crosses if name == "cross" else name in shapes
            if (getattr(layer, name) is not None) != wanted:
                raise UserError(f"{prefix}{name} does not fit the configuration; {REMEDY}")
        for name, shape in shapes.items():
            yield prefix + name, getattr(layer, name), shape
        for name in CROSS_LINEARS if layer.cross is not None else ():
            yield f"{prefix}cross_{name}", getattr(layer.cross, name), shapes[name]
    yield "head", qm.head, (v, d)


def _check_linear(name: str, linear: Linear, shape: tuple[int, int]) -> None:
    _range(f"{name}.weight_bits", linear.weight_bits, 2, 8)
    _array(f"{name}.weight", linear.weight, np.int8, shape, ops.limit(linear.weight_bits))
    _array(f"{name}.shift", linear.shift, np.uint8, shape[:1], ops.SHIFT_MAX)
    _array(f"{name}.bias", linear.bias, np.int32, shape[:1], 2**31 - 1)
    _array(f"{name}.weight_frac", linear.weight_frac, np.int8, shape[:1], 127)
    _range(f"{name}.out_bits", linear.out_bits, 2, 16)


def _array(name: str, value: np.ndarray, dtype: type, shape: tuple, top: int) -> None:
    if value.dtype != dtype or value.shape != shape:
        raise UserError(
            f"{name} is {value.dtype}{list(value.shape)}, not {np.dtype(dtype)}{list(shape)}; "
            f"{REMEDY}"
        )
    if value.size and int(np.abs(value.astype(np.int64)).max()) > top:
        raise UserError(f"{name} holds a value beyond {top}; {REMEDY}")


def _check_formats(qm: QuantModel) -> None:
    """Each step writes in the format of its stage; the residual stream has one."""
    residual = qm.formats["embed"]
    _range("residual bits", residual.bits, 12, 16)
    stages = {"q": "q", "k": "k", "v": "v", "o": "attn_residual", "down": "ffn_residual"}
    gated = qm.config["activation"] == "swiglu"
    stages |= {"gate": "ffn_gate", "up": "ffn_up"} if gated else {"up": "ffn_hidden"}
    steps = [("logits", qm.head)]
    crossed = {"q": "cross_q", "k": "cross_k", "v": "cross_v", "o": "cross_residual"}
    for prefix, layer in qm.named_layers():
        steps += [(prefix + stage, getattr(layer, part)) for part, stage in stages.items()]
        if layer.cross is not None:
            steps += [(prefix + s, getattr(layer.cross, part)) for part, s in crossed.items()]
        for part in ("attn",) if layer.cross is None else ("attn", "cross"):
            probs, out = (f"{prefix}{part}_{stage}" for stage in ("probs", "out"))
            _range(f"{probs} bits", qm.formats[probs].bits, *[qm.quant["prob_bits"]] * 2)
            _range(f"{out} bits", qm.formats[out].bits, 2, 16)
    for prefix, layer in qm.named_layers():
        _check_hidden(qm, layer, prefix + "ffn_hidden")
    for name, linear in steps:
        fmt = qm.formats[name]
        if name.endswith("residual") and fmt != residual:
            raise UserError(f"{name} is {fmt}, the residual stream {residual}; {REMEDY}")
        if (linear.out_bits, linear.out_frac) != (fmt.signed_bits, fmt.frac):
            raise UserError(f"{name} is {fmt}, and its step writes another format; {REMEDY}")


def _check_hidden(qm: QuantModel, layer: Layer, name: str) -> None:
    """Behind an activation unsigned codes from its least value on; of SwiGLU signed ones."""
    fmt, bump = qm.formats[name], qm.tables.get("bump")
    _range(f"{name} bits", fmt.signed_bits, 2, 16)
    if fmt.signed == (layer.gate is None) or layer.down.in_zero != fmt.zero:
        raise UserError(f"{name} is {fmt}, which its steps do not write or read; {REMEDY}")
    low = 0 if layer.gate is not None or bump is None else int(bump.max())
    _range(f"the zero of {name}", fmt.zero, low, fmt.max_int if fmt.zero else 0)


def _check_counts(qm: QuantModel) -> None:
    c = qm.config
    if len(qm.layers) != c["n_layers"]:
        raise UserError(f"{len(qm.layers)} layers, not {c['n_layers']} as configured; {REMEDY}")
    if len(qm.encoder) != (c["n_layers"] if qm.kind == "encoder-decoder" else 0):
        raise UserError(f"{len(qm.encoder)} layers of the encoder: not as configured; {REMEDY}")
    top = ops.limit(qm.residual_bits)
    _array("embed_tok", qm.embed_tok, np.int16, (c["vocab_size"], c["d_model"]), top)
    if (qm.embed_pos is None) != (c["positions"] == "rotary"):
        raise UserError(f"embed_pos does not fit positions '{c['positions']}'; {REMEDY}")
    if qm.embed_pos is not None:
        _array("embed_pos", qm.embed_pos, np.int16, (c["context"], c["d_model"]), top)
    if len(qm.tokenizer["vocab"]) != c["vocab_size"]:
        count = len(qm.tokenizer["vocab"])
        raise UserError(f"tokenizer of {count} tokens, not {c['vocab_size']}; {REMEDY}")
    if qm.stop_token is not None:
        _range("stop_token", qm.stop_token, 0, c["vocab_size"] - 1)


def _check_tables(qm: QuantModel) -> None:
    c, q = qm.config, qm.quant
    p_max = (1 << q["prob_bits"]) - 1
    angles, quant = (c["context"], qm.d_head // 2), {**TABLE_BITS, **q}
    expected = {
        "rsqrt": ((3 << quant["rsqrt_bits"],), ops.ONE),
        "recip": ((1 << quant["recip_bits"],), ops.ONE),
        "exp2": ((1 << q["score_frac_bits"],), p_max),
        "gumbel": ((tables.GUMBEL_SIZE,), INT16_MAX),
        "bump": (
            (1 << quant["bump_bits"],),
            ops.limit((qm.layers[0].gate or qm.layers[0].up).out_bits),
        ),
        "cos": (angles, 1 << ops.ROTARY_FRAC),
        "sin": (angles, 1 << ops.ROTARY_FRAC),
    }
    wanted = {"rsqrt", "recip", "exp2", "gumbel"}
    wanted |= {"bump"} if c["activation"] in tables.BUMPS else set()
    wanted |= {"cos", "sin"} if c["positions"] == "rotary" else set()
    for name, (shape, top) in expected.items():
        table = qm.tables.get(name)
        if (table is not None) != (name in wanted):
            raise UserError(f"table '{name}' does not fit the configuration; {REMEDY}")
        if table is not None:
            _array(f"table '{name}'", table, np.int32, shape, top)
    if (bump := qm.tables.get("bump")) is not None:
        _range("table 'bump', entry 0", int(bump[0]), 0, 0)  # padding lanes stay 0
    _range("bump_shift", qm.bump_shift, 0, 15)
