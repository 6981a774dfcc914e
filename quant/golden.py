"""The golden model: the machine's integers, token by token, with a named trace of every stage.

`quant.ops` defines each operation; here they are strung together, with constants worked out once
and temporaries reused so that one sequence decodes fast. No float is visible anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import EllipsisType

import numpy as np

from configs.cli import UserError
from quant import batch, exact, ops
from quant.qmodel import Layer, Linear, QuantModel

Trace = dict[str, np.ndarray]


class Requantizer:
    """`ops.requantize` for one or several steps side by side, in place on the accumulators."""

    def __init__(self, linears: list[Linear]) -> None:
        def column(values: list[np.ndarray]) -> np.ndarray:
            return np.concatenate(values).astype(np.int64)

        sizes = [len(linear.shift) for linear in linears]
        self.shift = column([linear.shift for linear in linears])
        self.half = (np.int64(1) << self.shift) >> 1
        self.bias = column([linear.bias for linear in linears])
        exponents = [linear.exponent for linear in linears]
        self.exponent = np.repeat(np.array(exponents, np.int64), sizes)
        tops = [ops.limit(linear.out_bits) for linear in linears]
        self.top = np.repeat(np.array(tops, np.int64), sizes)

    @classmethod
    def uniform(cls, shift: int, exponent: int, bits: int) -> Requantizer:
        """A step whose matrix is a cache: one shift for all channels, no bias."""
        self = cls.__new__(cls)
        self.shift, self.exponent = np.int64(shift), np.int64(exponent)
        self.half = (np.int64(1) << self.shift) >> 1
        self.bias, self.top = np.int64(ops.ROUND_BIAS), np.int64(ops.limit(bits))
        return self

    def __call__(
        self, acc: np.ndarray, mantissa: np.ndarray | int = ops.ONE, k: np.ndarray | int = 0
    ) -> np.ndarray:
        """Overwrite and return int64 `acc` [..., out]; mantissa and k must broadcast to it."""
        pre = ops.limit(ops.PRE_BITS)
        acc += self.half
        acc >>= self.shift
        np.minimum(acc, pre, out=acc)
        np.maximum(acc, -pre, out=acc)
        acc *= mantissa
        acc >>= self.exponent + k
        acc += self.bias
        acc >>= ops.GUARD_BITS
        np.minimum(acc, self.top, out=acc)
        np.maximum(acc, -self.top, out=acc)
        return acc


class Block:
    """One layer made ready: exact matrices and requantizers."""

    def __init__(self, qm: QuantModel, layer: Layer) -> None:
        act_bits = qm.quant["act_bits"]
        residual_max, act_max = ops.limit(16), ops.limit(16)
        qkv = [layer.q, layer.k, layer.v]
        weights = np.concatenate([linear.weight for linear in qkv])
        self.layer = layer
        self.qkv = exact.ConstantMatrix(weights, residual_max)
        self.o = exact.ConstantMatrix(layer.o.weight, act_max)
        self.up = exact.ConstantMatrix(layer.up.weight, residual_max)
        self.down = exact.ConstantMatrix(layer.down.weight, act_max)
        self.finish_qkv = Requantizer(qkv)
        self.finish_o = Requantizer([layer.o])
        self.finish_up = Requantizer([layer.up])
        self.finish_down = Requantizer([layer.down])
        self.finish_scores = Requantizer.uniform(layer.scores_shift, layer.scores_exponent, 16)
        self.finish_out = Requantizer.uniform(layer.out_shift, layer.out_exponent, act_bits)


@dataclass
class State:
    """One sequence in flight."""

    keys: list[exact.Cache]
    values: list[exact.Cache]
    position: int
    temperature: int
    random: int


class GoldenModel:
    """Integer decoder over a QuantModel; `step` is the machine's work for one token."""

    def __init__(self, qm: QuantModel) -> None:
        self.qm = qm
        self.blocks = [Block(qm, layer) for layer in qm.layers]
        self.head = exact.ConstantMatrix(qm.head.weight, ops.limit(16))
        self.finish_head = Requantizer([qm.head])
        self.n_heads, self.d_head = qm.config["n_heads"], qm.d_head
        self.embed_tok = qm.embed_tok.astype(np.int64)
        self.embed_pos = None if qm.embed_pos is None else qm.embed_pos.astype(np.int64)
        self.tables = {
            name: None if table is None else table.astype(np.int64)
            for name, table in qm.tables.items()
        }
        self.rsqrt, self.recip = self.tables["rsqrt"].tolist(), self.tables["recip"].tolist()
        reach = (ops.EXP_SHIFT_MAX + 1) << qm.quant["score_frac_bits"]
        self.exp2 = ops.exp2_negative(np.arange(reach), self.tables["exp2"])

    def new_state(self, temperature_register: int = 0, seed: int = 0) -> State:
        """An empty sequence; `seed` matters only when the temperature is not 0."""
        qm = self.qm
        context, act_max = qm.config["context"], ops.limit(16)
        caches = [
            [exact.Cache(self.n_heads, context, self.d_head, act_max, act_max) for _ in qm.layers]
            for _ in range(2)
        ]
        return State(*caches, 0, temperature_register, ops.seed_state(seed))

    def step(self, state: State, token: int, sample: bool, trace: bool = True) -> Trace:
        """Process `token` at the next position.

        Returns every stage by name (int64; shapes in docs/numerics.md), the stages `logits`,
        `noise` and `token` only with `sample`. With trace=False: only those three at most.
        """
        if not 0 <= token < self.qm.vocab_size:
            raise UserError(f"token {token} is outside the vocabulary of {self.qm.vocab_size}")
        if state.position >= self.qm.config["context"]:
            raise UserError(f"the context of {self.qm.config['context']} tokens is full")
        record: Trace = {}
        pos_row = None if self.embed_pos is None else self.embed_pos[state.position]
        x = ops.embed(self.embed_tok[token], pos_row)  # [D]
        if trace:
            record["embed"] = x
        for index, block in enumerate(self.blocks):
            x, stages = self._block(block, state, index, x)
            if trace:
                record |= {f"layers.{index}.{name}": value for name, value in stages.items()}
        if sample or trace:
            mantissa, k = self._norm_scalar(x, self.qm.eps_int_final)
            if trace:
                record["final_norm"] = np.array([mantissa, k])
        if sample:
            logits = self.finish_head(self.head(x), mantissa, k)  # [V]
            record |= self._sample(state, logits)
        state.position += 1
        return record

    def _norm_scalar(self, x: np.ndarray, eps_int: int) -> tuple[int, int]:
        """`ops.norm_scalar` of one row [D], in Python integers."""
        s2 = int(x.dot(x)) + eps_int
        k = (s2.bit_length() - 1) >> 1
        return self.rsqrt[((s2 << 6) >> (2 * k)) - 64], k

    def _recip_scalars(self, totals: np.ndarray) -> np.ndarray:
        """`ops.recip_scalar` of totals [H], in Python integers: [H, 2]."""
        rows = []
        for total in totals.tolist():
            k = total.bit_length() - 1
            rows.append((self.recip[((total << 6) >> k) - 64], k))
        return np.array(rows, np.int64)

    def _block(
        self, block: Block, state: State, index: int, x: np.ndarray
    ) -> tuple[np.ndarray, Trace]:
        """One layer: residual [D] in and out, and its stages."""
        attn_norm = self._norm_scalar(x, block.layer.eps_int_attn)
        qkv = block.finish_qkv(block.qkv(x), *attn_norm).reshape(3, self.n_heads, self.d_head)
        q, k, v = self._rotate(qkv, state.position)  # each [H, d_head]
        keys, values, count = state.keys[index], state.values[index], state.position + 1
        keys.write(state.position, k)
        values.write(state.position, v)
        scores = block.finish_scores(keys.dots(q, count))  # [H, t+1]
        probs = self._probs(scores)  # [H, t+1]
        recip = self._recip_scalars(probs.sum(axis=1))  # [H, 2]
        out = block.finish_out(values.mix(probs), recip[:, :1], recip[:, 1:]).reshape(-1)  # [D]
        mid = ops.residual_add(x, block.finish_o(block.o(out)))  # [D]
        ffn_norm = self._norm_scalar(mid, block.layer.eps_int_ffn)
        hidden = self._activate(block.finish_up(block.up(mid), *ffn_norm))  # [F]
        end = ops.residual_add(mid, block.finish_down(block.down(hidden)))  # [D]
        return end, {
            "attn_norm": np.array(attn_norm),
            "q": q.reshape(-1),
            "k": k.reshape(-1),
            "v": v.reshape(-1),
            "attn_scores": scores,
            "attn_probs": probs,
            "attn_recip": recip,
            "attn_out": out,
            "attn_residual": mid,
            "ffn_norm": np.array(ffn_norm),
            "ffn_hidden": hidden,
            "ffn_residual": end,
        }

    def _rotate(self, qkv: np.ndarray, position: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        q, k, v = qkv  # each [H, d_head]
        if self.tables["cos"] is None:
            return q, k, v
        cos, sin = self.tables["cos"][position], self.tables["sin"][position]
        quant = self.qm.quant
        return (
            ops.rotate(q, cos, sin, quant["act_bits"]),
            ops.rotate(k, cos, sin, quant["kv_bits"]),
            v,
        )

    def _probs(self, scores: np.ndarray) -> np.ndarray:
        """`ops.softmax_probs` through a table of all distances."""
        distance = scores.max(axis=-1, keepdims=True) - scores
        np.minimum(distance, len(self.exp2) - 1, out=distance)
        return self.exp2.take(distance)

    def _activate(self, z: np.ndarray) -> np.ndarray:
        bump = self.tables["bump"]
        return ops.relu(z) if bump is None else ops.gelu(z, bump, self.qm.bump_shift)

    def _sample(self, state: State, logits: np.ndarray) -> Trace:
        """Choose the next token from logits [V]; advances the generator unless greedy."""
        noise = np.zeros_like(logits)
        if state.temperature:
            noise, state.random = ops.draw_noise(
                state.random, len(logits), self.tables["gumbel"], state.temperature
            )
        token = ops.argmax(logits + noise)
        return {"logits": logits, "noise": noise, "token": np.int64(token)}

    def generate(
        self,
        prompt: list[int],
        max_tokens: int,
        temperature_register: int = 0,
        seed: int = 0,
        stop: int | EllipsisType | None = ...,
        traces: list[Trace] | None = None,
    ) -> list[int]:
        """Tokens after `prompt`, until the stop token (emitted), max_tokens, or a full context.

        `stop` defaults to the artefact's stop token; None never stops. A list given as `traces`
        receives the full trace of every position.
        """
        context = self.qm.config["context"]
        if not 1 <= len(prompt) <= context:
            raise UserError(f"a prompt of {len(prompt)} tokens: it must hold 1 to {context}")
        stop = self.qm.stop_token if stop is ... else stop
        state = self.new_state(temperature_register, seed)
        queue, emitted = list(prompt), []
        while len(emitted) < max_tokens and state.position < context:
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

    def forward(self, tokens: np.ndarray, trace: Trace | None = None) -> np.ndarray:
        """Teacher-forced int64 logits [B, T, V] of tokens [B, T]; see `quant.batch.forward`."""
        return batch.forward(self, tokens, trace)
