"""The golden model: the machine's integers, token by token, with a named trace of every stage.

`quant.ops` defines each operation; here they are strung together. What costs the most time has a
faster twin that is tested to be equal: `exact` (products), `Requantizer`, `NoiseSource`, and both
scalars in Python integers. No float is visible anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import EllipsisType

import numpy as np

from configs.cli import UserError
from quant import batch, exact, ops
from quant.qmodel import Layer, QuantModel
from quant.requantizer import Requantizer
from quant.sampler import NoiseSource

Array = np.ndarray
Trace = dict[str, Array]
X_MAX = ops.limit(16)  # no input of a matrix step is larger


class Block:
    """One layer made ready: exact matrices and requantizers."""

    def __init__(self, qm: QuantModel, layer: Layer, prefix: str) -> None:
        """prefix: "layers.0."."""
        qkv = [layer.q, layer.k, layer.v]
        up = [layer.up] if layer.gate is None else [layer.gate, layer.up]
        weights = np.concatenate([linear.weight for linear in qkv])
        self.layer = layer
        self.qkv = exact.ConstantMatrix(weights, X_MAX)
        self.o = exact.ConstantMatrix(layer.o.weight, X_MAX)
        self.up = exact.ConstantMatrix(np.concatenate([part.weight for part in up]), X_MAX)
        self.down = exact.ConstantMatrix(layer.down.weight, X_MAX)
        self.finish_qkv = Requantizer.of(qkv)
        self.finish_o = Requantizer.of([layer.o])
        self.finish_up = Requantizer.of(up)
        self.hidden_bits = qm.formats[prefix + "ffn_hidden"].bits
        self.finish_down = Requantizer.of([layer.down])
        self.finish_scores = Requantizer.uniform(layer.scores_shift, layer.scores_exponent, 16)
        out_bits = qm.formats[prefix + "attn_out"].bits
        self.finish_out = Requantizer.uniform(layer.out_shift, layer.out_exponent, out_bits)


@dataclass
class State:
    """One sequence in flight."""

    keys: list[exact.Cache]  # one per layer
    values: list[exact.Cache]
    temperature: int
    random: int
    position: int = 0


class GoldenModel:
    """Integer decoder over a QuantModel; `step` is the machine's work for one token."""

    def __init__(self, qm: QuantModel) -> None:
        self.qm = qm
        self.context, self.d_head = qm.config["context"], qm.d_head
        self.n_heads, self.kv_heads = qm.config["n_heads"], qm.kv_heads
        self.blocks = [Block(qm, layer, f"layers.{i}.") for i, layer in enumerate(qm.layers)]
        self.head = exact.ConstantMatrix(qm.head.weight, X_MAX)
        self.finish_head = Requantizer.of([qm.head])
        self.embed_tok = qm.embed_tok.astype(np.int64)
        self.embed_pos = None if qm.embed_pos is None else qm.embed_pos.astype(np.int64)
        self.tables = {n: t.astype(np.int64) for n, t in qm.tables.items() if t is not None}
        self.rsqrt, self.recip = self.tables["rsqrt"].tolist(), self.tables["recip"].tolist()
        reach = (ops.EXP_SHIFT_MAX + 1) << qm.quant["score_frac_bits"]
        self.exp2 = ops.exp2_negative(np.arange(reach), self.tables["exp2"])
        self.noise = NoiseSource(self.tables["gumbel"], qm.vocab_size)
        self.residual_top = np.full(qm.config["d_model"], ops.limit(qm.residual_bits))
        self.residual_bottom = -self.residual_top

    def new_state(self, temperature_register: int = 0, seed: int = 0) -> State:
        """An empty sequence; `seed` matters only when the temperature is not 0."""

        def caches() -> list[exact.Cache]:
            shape = (self.kv_heads, self.context, self.d_head)
            return [exact.Cache(shape, X_MAX, X_MAX) for _ in self.blocks]

        return State(caches(), caches(), temperature_register, ops.seed_state(seed))

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
            record["embed"] = x
        for index in range(len(self.blocks)):
            x = self._block(state, index, x, record if trace else None)
        if sample or trace:
            mantissa, k = self._norm_scalar(x, self.qm.eps_int)
        if trace:
            record["final_norm"] = np.array([mantissa, k])
        if sample:
            self._sample(state, self.finish_head(self.head(x), mantissa, k), record)
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
        return self.rsqrt[((s2 << 6) >> (2 * k)) - 64], k

    def _recip_scalars(self, totals: Array) -> Array:
        """`ops.recip_scalar` of totals [H], in Python integers: [H, 2]."""
        rows = []
        for total in totals.tolist():
            k = total.bit_length() - 1
            rows.append((self.recip[((total << 6) >> k) - 64], k))
        return np.array(rows, np.int64)

    def _block(self, state: State, index: int, x: Array, record: Trace | None) -> Array:
        """One layer: residual [D] in and out."""
        block, count = self.blocks[index], state.position + 1
        keys, values = state.keys[index], state.values[index]
        attn_norm = self._norm_scalar(x, self.qm.eps_int)
        q, k, v = self.split_heads(block.finish_qkv(block.qkv(x), *attn_norm))  # [H or G, d_head]
        q, k = self.rotate(block, q, k, slice(state.position, count))
        keys.write(state.position, k)
        values.write(state.position, v)
        scores = block.finish_scores(keys.dots(q, count))  # [H, t+1]
        probs = self.probs(scores)  # [H, t+1]
        recip = self._recip_scalars(np.add.reduce(probs, axis=1))  # [H, 2]
        out = block.finish_out(values.mix(probs), recip[:, :1], recip[:, 1:]).reshape(-1)  # [D]
        mid = self.add_residual(x, block.finish_o(block.o(out)))  # [D]
        ffn_norm = self._norm_scalar(mid, self.qm.eps_int)
        hidden = self.hidden(block, block.finish_up(block.up(mid), *ffn_norm))  # each [F]
        down = block.finish_down(block.down(hidden["ffn_hidden"]))
        end = self.add_residual(mid, down)  # [D]
        if record is not None:
            stages = {
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
                **hidden,
                "ffn_residual": end,
            }
            record |= {f"layers.{index}.{name}": value for name, value in stages.items()}
        return end

    def split_heads(self, qkv: Array) -> tuple[Array, Array, Array]:
        """q [..., H, d_head], k and v [..., G, d_head] of fused [..., (H+2G) d_head]."""
        heads = qkv.reshape(*qkv.shape[:-1], -1, self.d_head)
        end = self.n_heads + self.kv_heads
        return heads[..., : self.n_heads, :], heads[..., self.n_heads : end, :], heads[..., end:, :]

    def rotate(self, block: Block, q: Array, k: Array, positions: slice) -> tuple[Array, Array]:
        """q and k [..., T, d_head], turned when positions are rotary.

        `positions`: those of the axis T; one position serves [H, d_head].
        """
        if "cos" not in self.tables:
            return q, k
        turn = self.tables["cos"][positions], self.tables["sin"][positions]
        q = ops.rotate(q, *turn, block.layer.q.out_bits)
        return q, ops.rotate(k, *turn, block.layer.k.out_bits)

    def probs(self, scores: Array) -> Array:
        """`ops.softmax_probs` through a table of all distances."""
        distance = scores.max(axis=-1, keepdims=True) - scores
        np.minimum(distance, len(self.exp2) - 1, out=distance)
        return self.exp2.take(distance)

    def hidden(self, block: Block, z: Array) -> dict[str, Array]:
        """Stages from the up-step's output z, of SwiGLU gate and up [..., 2F], to ffn_hidden."""
        if block.layer.gate is None:
            return {"ffn_hidden": self.activate(z)}
        gate, up = self.activate(z[..., : z.shape[-1] // 2]), z[..., z.shape[-1] // 2 :]
        product = ops.gated(gate, up, block.layer.hidden_shift, block.hidden_bits)
        return {"ffn_gate": gate, "ffn_up": up, "ffn_hidden": product}

    def activate(self, z: Array) -> Array:
        """The activation of the FFN's hidden layer."""
        if "bump" in self.tables:
            return ops.gelu(z, self.tables["bump"], self.qm.bump_shift)
        return ops.relu(z)

    def _sample(self, state: State, logits: Array, record: Trace) -> None:
        """Choose the next token from logits [V]; advances the generator unless greedy."""
        noise = np.zeros_like(logits)
        if state.temperature:
            noise, state.random = self.noise.draw(state.random, state.temperature)
        token = ops.argmax(logits + noise)
        record |= {"logits": logits, "noise": noise, "token": np.array(token)}

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
        if not 1 <= len(prompt) <= self.context:
            raise UserError(
                f"the prompt has {len(prompt)} tokens; give 1 to {self.context} (the context)"
            )
        stop = self.qm.stop_token if stop is ... else stop
        state = self.new_state(temperature_register, seed)
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

    def forward(self, tokens: Array, trace: Trace | None = None) -> Array:
        """Teacher-forced int64 logits [B, T, V] of tokens [B, T]; see `quant.batch.forward`."""
        return batch.forward(self, tokens, trace)
