"""The golden model: the machine's integers, token by token, with a named trace of every stage.

`quant.ops` defines each operation; here they are strung together. What costs the most time has a
faster twin that is tested to be equal: `step.Step` (a product and its tail), `exact.Cache`,
`NoiseSource`, and both scalars in Python integers. Between them the integers travel as whole floats
(`quant/exact.py`); what comes out is int64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import EllipsisType
from typing import Any

import numpy as np

from configs.cli import UserError
from quant import attention, batch, exact, ops
from quant.block import Block
from quant.qmodel import QuantModel
from quant.sampler import NoiseSource
from quant.step import Step
from quant.tail import Tail

Array = np.ndarray
Trace = dict[str, Array]


def _factor(scalar: tuple[int, int]) -> float:
    """r * 2^-k."""
    return math.ldexp(scalar[0], -scalar[1])


@dataclass
class State:
    """One sequence in flight."""

    keys: list[exact.Cache]  # one per layer
    values: list[exact.Cache]
    temperature: int
    random: int
    position: int = 0
    memory: list[attention.Memory] = field(default_factory=list)  # of an encoder-decoder's source


class GoldenModel:
    """A QuantModel at work; `step` is the machine's work for one token of a decoder."""

    def __init__(self, qm: QuantModel) -> None:
        self.qm = qm
        self.context, self.d_head = qm.config["context"], qm.d_head
        self.n_heads, self.kv_heads = qm.config["n_heads"], qm.kv_heads
        about = {step.name: step for step in qm.steps()}
        self.blocks = [Block(qm, layer, f"layers.{i}.", about) for i, layer in enumerate(qm.layers)]
        self.head = Step([qm.head], about["logits"].x_max, about["logits"].k_max)
        self.embed_tok = exact.real(qm.embed_tok)
        self.embed_pos = None if qm.embed_pos is None else exact.real(qm.embed_pos)
        tables = {name: ops.ints(t) for name, t in qm.tables.items() if t is not None}
        self.tables = {name: exact.real(table) for name, table in tables.items()}
        self.rsqrt, self.recip = (tables[name].tolist() for name in ("rsqrt", "recip"))
        self.rsqrt_bits = ops.index_bits(len(self.rsqrt) // 3)
        self.recip_bits = ops.index_bits(len(self.recip))
        reach = (ops.EXP_SHIFT_MAX + 1) << qm.quant["score_frac_bits"]
        self.exp2 = exact.real(ops.exp2_negative(np.arange(reach), tables["exp2"]))
        self.residual_max = float(ops.limit(qm.residual_bits))
        exact.carrier(qm.config["d_model"] * int(self.residual_max) ** 2 + qm.eps_int)
        self.residual_top = np.full(qm.config["d_model"], self.residual_max)
        self.residual_bottom = -self.residual_top
        self.exp2_rows = self.exp2.astype(
            exact.carrier(self.context * ((1 << qm.quant["prob_bits"]) - 1))
        )

    @cached_property
    def noise(self) -> NoiseSource:
        """Of the sampling; made when the first token is drawn."""
        return NoiseSource(exact.whole(self.tables["gumbel"]), self.qm.vocab_size)

    def new_state(
        self,
        temperature_register: int = 0,
        seed: int = 0,
        source: Sequence[int] | None = None,
        trace: Trace | None = None,
    ) -> State:
        """An empty sequence; `seed` matters only when the temperature is not 0.

        source: what the encoder of an encoder-decoder reads, once; a dict given as `trace` receives
        its stages, and cross_k and cross_v of the decoder's layers, [S, ...].
        """
        memory = self._read(source, trace)

        def caches(tails: list[Tail]) -> list[exact.Cache]:
            shape = (self.kv_heads, self.context, self.d_head)
            return [exact.Cache(shape, float(tail.prescale[0])) for tail in tails]

        keys = caches([block.scores for block in self.blocks])
        values = caches([block.out for block in self.blocks])
        random = ops.seed_state(seed)
        return State(keys, values, temperature_register, random, memory=memory)

    def _read(self, source: Sequence[int] | None, trace: Trace | None) -> list[attention.Memory]:
        """The memory of a request; UserError unless the kind of the model fits."""
        if self.qm.kind == "encoder":
            raise UserError("a model of kind 'encoder' answers and does not generate text")
        if (source is None) == (self.qm.kind == "encoder-decoder"):
            what = "needs a source to answer" if source is None else "cannot read a source"
            raise UserError(f"a model of kind '{self.qm.kind}' {what}")
        if source is None:
            return []
        tokens = batch.checked(self, np.array([source], int))
        memory, stages = batch.remember(self, tokens, None)
        if trace is not None:
            trace |= {name: value[0] for name, value in stages.items()}
        return memory

    def step(self, state: State, token: int, sample: bool, trace: bool = True) -> Trace:
        """Process `token` at the next position.

        Returns every stage by name (integer arrays; shapes in docs/numerics.md), of which `logits`,
        `noise` and `token` exist only with `sample`. With trace=False: those three at most.
        """
        if not 0 <= token < self.qm.vocab_size:
            raise UserError(f"token {token} is outside the vocabulary of {self.qm.vocab_size}")
        if state.position >= self.context:
            raise UserError(f"the context of {self.context} tokens is full")
        record: Trace = {}
        x = self.embed_tok[token]  # [D]
        if self.embed_pos is not None:
            x = self.add_residual(x, self.embed_pos[state.position])
        if trace:
            record["embed"] = exact.whole(x)
        for index in range(len(self.blocks)):
            x = self._block(state, index, x, record if trace else None)
        if sample or trace:
            norm = self._norm_scalar(x, self.qm.eps_int)
        if trace:
            record["final_norm"] = np.array(norm)
        if sample:
            self._sample(state, exact.whole(self.head(x, _factor(norm))), record)
        state.position += 1
        return record

    def add_residual(self, x: Array, z: Array) -> Array:
        """`ops.residual_add` of [..., D]."""
        total = x + z
        np.minimum(total, self.residual_top, out=total)
        return np.maximum(total, self.residual_bottom, out=total)

    def _norm_scalar(self, x: Array, eps_int: int) -> tuple[int, int]:
        """`ops.norm_scalar` of one row [D], in Python integers."""
        s2 = int(x.dot(x)) + eps_int
        k = (s2.bit_length() - 1) >> 1
        return self.rsqrt[((s2 << self.rsqrt_bits) >> (2 * k)) - (1 << self.rsqrt_bits)], k

    def _recip_scalars(self, totals: Array) -> list[tuple[int, int]]:
        """`ops.recip_scalar` of whole totals [H], in Python integers."""
        rows, bits = [], self.recip_bits
        for total in map(int, totals.tolist()):
            k = total.bit_length() - 1
            rows.append((self.recip[((total << bits) >> k) - (1 << bits)], k))
        return rows

    def _block(self, state: State, index: int, x: Array, record: Trace | None) -> Array:
        """One layer: residual [D] in and out."""
        block, count = self.blocks[index], state.position + 1
        keys, values = state.keys[index], state.values[index]
        attn_norm = self._norm_scalar(x, self.qm.eps_int)
        q, k, v = self.split_heads(block.qkv(x, _factor(attn_norm)))  # [H or G, d_head]
        q, k = self.rotate(block, q, k, state.position)
        keys.write(state.position, k)
        values.write(state.position, v)
        scores = block.scores(keys.dots(q, count))  # [H, t+1]
        probs = self.probs(scores)  # [H, t+1]
        recip = self._recip_scalars(np.add.reduce(probs, axis=1))
        factors = [[_factor(pair)] for pair in recip]  # [H, 1]
        heads = block.row_out(values.mix(probs), np.array(factors), min(factors)[0])
        out = heads.reshape(-1)  # [D]
        mid = self.add_residual(x, block.o(out))  # [D]
        after = mid if block.layer.cross is None else self._cross(state, index, mid, record)
        ffn_norm = self._norm_scalar(after, self.qm.eps_int)
        hidden = block.hidden(block.up.split(block.up(after, _factor(ffn_norm))))  # each [F]
        end = self.add_residual(after, block.down(hidden["ffn_hidden"]))  # [D]
        if record is not None:
            stages = {
                "attn_norm": np.array(attn_norm),
                "q": exact.whole(q.reshape(-1)),
                "k": exact.whole(k.reshape(-1)),
                "v": exact.whole(v.reshape(-1)),
                "attn_scores": exact.whole(scores),
                "attn_probs": exact.whole(probs),
                "attn_recip": np.array(recip),
                "attn_out": exact.whole(out),
                "attn_residual": exact.whole(mid),
                "ffn_norm": np.array(ffn_norm),
                **{name: exact.whole(value) for name, value in hidden.items()},
                "ffn_residual": exact.whole(end),
            }
            record |= {f"layers.{index}.{name}": value for name, value in stages.items()}
        return end

    def _cross(self, state: State, index: int, x: Array, record: Trace | None) -> Array:
        """Cross-attention of one position: residual [D] in and out."""
        prefix, part = f"layers.{index}.", self.qm.layers[index].cross
        assert part is not None
        rows = exact.whole(x)[None, None]
        stages = attention.cross(self.qm, prefix, part, rows, state.memory[index])
        if record is not None:
            record |= {name: value[0, 0] for name, value in stages.items()}
        return exact.real(stages[prefix + "cross_residual"][0, 0])

    def split_heads(self, qkv: Array) -> tuple[Array, Array, Array]:
        """q [..., H, d_head], k and v [..., G, d_head] of fused [..., (H+2G) d_head]."""
        heads = qkv.reshape(*qkv.shape[:-1], -1, self.d_head)
        end = self.n_heads + self.kv_heads
        return heads[..., : self.n_heads, :], heads[..., self.n_heads : end, :], heads[..., end:, :]

    def rotate(self, block: Block, q: Array, k: Array, positions: Any) -> tuple[Array, Array]:
        """q and k [..., d_head], turned when positions are rotary.

        `positions`: an index of tables [T, d_head / 2] that makes them fit the other axes.
        """
        if "cos" not in self.tables:
            return q, k
        turn = self.tables["cos"][positions], self.tables["sin"][positions]
        q = exact.rotate(q, *turn, block.layer.q.out_bits)
        return q, exact.rotate(k, *turn, block.layer.k.out_bits)

    def probs(self, scores: Array) -> Array:
        """`ops.softmax_probs` of [H, t], through a table of all distances."""
        distance = np.maximum.reduce(scores, axis=1, keepdims=True) - scores
        return self.exp2.take(distance.astype(np.intp), mode="clip")

    def _sample(self, state: State, logits: Array, record: Trace) -> None:
        """Choose the next token from logits [V]; advances the generator unless greedy."""
        if state.temperature:
            noise, state.random = self.noise.draw(state.random, state.temperature)
            token = ops.argmax(logits + noise)
        else:
            noise, token = np.zeros(len(logits), np.int64), ops.argmax(logits)
        record |= {"logits": logits, "noise": noise, "token": np.array(token)}

    def generate(
        self,
        prompt: list[int],
        max_tokens: int,
        temperature_register: int = 0,
        seed: int = 0,
        stop: int | EllipsisType | None = ...,
        traces: list[Trace] | None = None,
        source: Sequence[int] | None = None,
    ) -> list[int]:
        """Tokens after `prompt`, until the stop token (emitted), max_tokens, or a full context.

        `stop` defaults to the artefact's stop token; None never stops. A list given as `traces`
        receives the full trace of every position. source: what the encoder of an encoder-decoder
        reads; the prompt then begins the answer.
        """
        if not 1 <= len(prompt) <= self.context:
            raise UserError(
                f"the prompt has {len(prompt)} tokens; give 1 to {self.context} (the context)"
            )
        stop = self.qm.stop_token if stop is ... else stop
        state = self.new_state(temperature_register, seed, source)
        queue, emitted = list(prompt), list[int]()
        while len(emitted) < max_tokens and state.position < self.context:
            sample = state.position >= len(prompt) - 1
            record = self.step(state, queue[state.position], sample, traces is not None)
            if traces is not None:
                traces.append(record)
            if sample:
                emitted.append(int(record["token"]))
                queue.append(emitted[-1])
                if emitted[-1] == stop:
                    break
        return emitted

    def answer(self, question: Sequence[int]) -> int:
        """The token that a model of kind "encoder" gives at the question's last position."""
        if self.qm.kind != "encoder":
            raise UserError(f"a model of kind '{self.qm.kind}' generates its answer")
        return ops.argmax(self.forward(np.array([question], int))[0, -1])

    def forward(
        self,
        tokens: Array,
        trace: Trace | None = None,
        *,
        mask: Array | None = None,
        source: Array | None = None,
        source_mask: Array | None = None,
        kind: type = np.int64,
    ) -> Array:
        """Teacher-forced int64 logits [B, T, V] of tokens [B, T]; see `quant.batch.forward`."""
        given = {"mask": mask, "source": source, "source_mask": source_mask}
        return batch.forward(self, tokens, trace, **given, kind=kind)
