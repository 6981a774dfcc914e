"""The artefact between quantiser, golden model, export and simulation: integers and their formats.

Numerics: `docs/numerics.md`. This module knows nothing of float models and imports none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from configs.cli import UserError
from quant.qformat import QFormat

VERSION = 3
SCORE_BITS = LOGIT_BITS = 16
WORDS = re.compile(r"\n|[^\s]+")  # a line end is a word of its own


@dataclass(frozen=True)
class Linear:
    """One matrix step with constant weights.

    Out channel o: acc = sum_i x[i] * weight[o, i]; then `ops.requantize` with shift[o], the step's
    scalar, e = exponent + k, bias[o]. Real weight = weight[o, i] * 2^-weight_frac[o].
    """

    weight: np.ndarray  # int8 [out, in], symmetric, weight_bits wide
    shift: np.ndarray  # uint8 [out], 0..31
    bias: np.ndarray  # int32 [out], guard units of the output, rounding half included
    weight_frac: np.ndarray  # int8 [out]
    exponent: int
    in_frac: int
    out_bits: int
    out_frac: int
    weight_bits: int = 8
    in_zero: int = 0  # the input's code that stands for 0: `bias` takes its part off again

    def reach(self, x_max: int, signed: bool = True) -> np.ndarray:
        """Bound [out] on |acc|, and on every sum of some of its products, for any input of
        magnitudes up to x_max; not signed: from 0 to x_max."""
        if signed:
            return self.magnitude * x_max
        total = self.weight.sum(axis=1, dtype=np.int64)
        return (self.magnitude + np.abs(total)) // 2 * x_max  # the weights of one sign

    @cached_property
    def magnitude(self) -> np.ndarray:
        """int64 [out]: the sum of |weight|."""
        return np.abs(self.weight, dtype=np.int16).sum(axis=1, dtype=np.int64)


@dataclass(frozen=True)
class Attention:
    """Cross-attention: what a layer has of this, with keys and values of the encoder's output."""

    q: Linear
    k: Linear
    v: Linear
    o: Linear
    scores_shift: int
    scores_exponent: int
    out_shift: int
    out_exponent: int


@dataclass(frozen=True)
class Layer:
    """One block: six matrix steps with weights, and the two whose matrix is the KV cache.

    SwiGLU has a seventh, `gate`: hidden = SAT(SHR(act(gate) * up, hidden_shift)).
    """

    q: Linear
    k: Linear
    v: Linear
    o: Linear
    up: Linear
    down: Linear
    scores_shift: int
    scores_exponent: int
    out_shift: int
    out_exponent: int
    gate: Linear | None = None
    hidden_shift: int = 0
    cross: Attention | None = None  # in the decoder of an encoder-decoder

    def linears(self) -> dict[str, Linear]:
        """The matrix steps with weights by name, those of cross-attention as cross_q and so on."""
        parts = {name: getattr(self, name) for name in LINEARS}
        if self.cross is not None:
            parts |= {f"cross_{name}": getattr(self.cross, name) for name in CROSS_LINEARS}
        return {name: part for name, part in parts.items() if part is not None}


CROSS_LINEARS = ("q", "k", "v", "o")
LINEARS = (*CROSS_LINEARS, "up", "down", "gate")
CROSS_INTS = ("scores_shift", "scores_exponent", "out_shift", "out_exponent")
LAYER_INTS = (*CROSS_INTS, "hidden_shift")


@dataclass(frozen=True)
class StepInfo:
    """What the hardware must know of one matrix step, weights from ROM or cache alike."""

    name: str  # its stage: layers.{l}.q ... logits
    x_max: int  # largest |input|
    acc_max: int  # bound on |accumulator| after the rounding half is added
    exponent: int
    k_min: int
    k_max: int


@dataclass(frozen=True)
class QuantModel:
    """A whole integer model.

    `config`: the fields of the section [model], and vocab_size; `quant`: those of [quant].
    """

    config: dict
    quant: dict
    formats: dict[str, QFormat]  # by stage name
    layers: tuple[Layer, ...]
    embed_tok: np.ndarray  # int16 [V, D]
    embed_pos: np.ndarray | None  # int16 [T, D], None for rotary positions
    head: Linear
    eps_int: int  # of all norms: the machine has one
    tables: dict[str, np.ndarray | None]  # rsqrt recip exp2 gumbel, bump cos sin or None
    bump_shift: int
    tokenizer: dict
    stop_token: int | None
    logit_frac: int
    meta: dict = field(default_factory=dict)
    encoder: tuple[Layer, ...] = ()  # of an encoder-decoder

    @property
    def d_head(self) -> int:
        return self.config["d_model"] // self.config["n_heads"]

    @property
    def kind(self) -> str:
        """decoder, encoder or encoder-decoder."""
        return self.config.get("kind", "decoder")

    def named_layers(self) -> list[tuple[str, Layer]]:
        """("encoder.layers.0.", layer), ... in order of execution."""
        stacks = (("encoder.", self.encoder), ("", self.layers))
        return [(f"{s}layers.{i}.", layer) for s, stack in stacks for i, layer in enumerate(stack)]

    @property
    def kv_heads(self) -> int:
        """Heads of keys and of values; each serves n_heads / kv_heads of queries."""
        return self.config.get("n_kv_heads") or self.config["n_heads"]

    @property
    def residual_bits(self) -> int:
        """Width of the residual stream, one for all layers."""
        return self.formats["embed"].bits

    @property
    def vocab_size(self) -> int:
        return self.config["vocab_size"]

    def temperature_register(self, temperature: float) -> int:
        """The u16 register value of a real temperature; 0 is greedy. Raises UserError."""
        one = 2 ** (self.logit_frac + 2)
        if not 0 <= temperature <= 0xFFFF / one:
            raise UserError(f"temperature {temperature}: choose one from 0 to {0xFFFF / one:.2f}")
        return int(temperature * one + 0.5)

    def steps(self) -> Iterator[StepInfo]:
        """All matrix steps in the order of execution, with their worst cases."""
        from quant import bounds

        yield from bounds.steps(self)

    def acc_bits(self) -> int:
        """Bits of a signed accumulator that no input can overflow, rounding half included."""
        return max(step.acc_max.bit_length() for step in self.steps()) + 1

    def validate(self) -> None:
        """Raise UserError, naming the tensor, unless every shape, range and bound is right."""
        from quant import bounds

        bounds.validate(self)

    def save(self, path: Path, report: dict | None = None, page: str | None = None) -> None:
        """Write the folder `path` in one step: qmodel.json, qmodel.safetensors, and the report
        as report.json and, `page`, as report.html."""
        from quant import storage

        storage.save(self, path, report, page)


def load(path: Path) -> QuantModel:
    """Read and validate the folder that `QuantModel.save` wrote; raises UserError."""
    from quant import storage

    return storage.load(path)


def encode(qm: QuantModel, text: str) -> list[int]:
    """Token ids of `text`; UserError names characters or words that the tokenizer never saw."""
    if qm.tokenizer["kind"] == "bpe":
        try:
            return _bpe(qm).encode(text.encode().decode()).ids
        except UnicodeEncodeError:
            raise UserError("prompt: not UTF-8; convert it") from None
    char, vocab = qm.tokenizer["kind"] == "char", qm.tokenizer["vocab"]
    ids = {token: index for index, token in enumerate(vocab)}
    pieces = list(text) if char else WORDS.findall(text)
    unknown = sorted({piece for piece in pieces if piece not in ids})
    if unknown:
        what = "characters" if char else "words"
        shown = " ".join(repr(piece) for piece in unknown[:8])
        raise UserError(f"prompt: {what} that the model has never seen: {shown}; leave them out")
    return [ids[piece] for piece in pieces]


def decode(qm: QuantModel, ids: Sequence[int]) -> str:
    """Text of token ids; words are joined by one blank."""
    if qm.tokenizer["kind"] == "bpe":
        return _bpe(qm).decode(list(ids), skip_special_tokens=False)
    tokens = [qm.tokenizer["vocab"][index] for index in ids]
    if qm.tokenizer["kind"] == "char":
        return "".join(tokens)
    return " ".join(tokens).replace(" \n", "\n").replace("\n ", "\n")


def _bpe(qm: QuantModel) -> Any:
    """The `tokenizers` library's own object, from the tokenizer.json inside."""
    from tokenizers import Tokenizer

    return Tokenizer.from_str(json.dumps(qm.tokenizer["tokenizer"]))
