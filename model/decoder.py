"""A decoder with a cache of keys and values: one token in, the logits of the next one out.

What `transformer.forward` does for whole batches is done here for one position of one sequence,
with vectors (D,). The keys and values of an encoder's output are computed once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from configs.cli import UserError
from configs.schema import ModelConfig
from model import layers, transformer
from model.attention import padding
from model.block import ACTIVATIONS, split_memory

Array = np.ndarray


class Decoder:
    """Runs one sequence position by position; `step` at position `self.position`."""

    def __init__(
        self,
        params: transformer.Params,
        config: ModelConfig,
        source: Array | None = None,
        source_mask: Array | None = None,
    ) -> None:
        """source, source_mask: (S,), what the encoder of an encoder-decoder reads."""
        _check_kind(config.kind, source is not None)
        dtype = params.flat.dtype
        self.params, self.config = params, config
        self.position = 0
        shape = (config.n_layers, config.kv_heads, config.context, config.d_head)
        self.keys, self.values = np.zeros(shape, dtype), np.zeros(shape, dtype)
        self.table = transformer.position_table(params, config)
        self.turn = layers.rotary_table(config.context, config.d_head, dtype)
        self.head = np.ascontiguousarray(transformer.head_weight(params).T)  # (D, V)
        self.scale = dtype.type(1 / math.sqrt(config.d_head))
        self.pre, self.centred = config.norm_position == "pre", config.norm == "layernorm"
        self.heads, self.kv_heads = config.n_heads, config.kv_heads
        self.activation = config.activation
        memory = [] if source is None else self._read(source, source_mask)
        self.sublayers: list[tuple[str, Callable[[Array], Array]]] = []  # (norm, work), in order
        for layer in range(config.n_layers):
            name = f"layers.{layer}."
            self.sublayers.append((name + "attn_norm", partial(self._attention, layer)))
            if memory:
                self.sublayers.append((name + "cross_norm", partial(self._cross, *memory[layer])))
            self.sublayers.append((name + "ffn_norm", partial(self._ffn, name)))

    def step(self, token: int) -> Array:
        """Read a token; logits (V,) of its successor."""
        if self.position >= self.config.context:
            raise ValueError(f"the context of {self.config.context} tokens is full")
        if not 0 <= token < self.head.shape[1]:
            raise ValueError(
                f"token {token} is not in the vocabulary: expected 0 to {self.head.shape[1] - 1}"
            )
        x = self.params["embed.weight"][token]  # (D,)
        if self.table is not None:
            x = x + self.table[self.position]
        for norm, work in self.sublayers:
            x = x + work(self._norm(norm, x)) if self.pre else self._norm(norm, x + work(x))
        self.position += 1
        return (self._norm("final_norm", x) if self.pre else x) @ self.head

    def _read(self, source: Array, mask: Array | None) -> list[tuple]:
        """For each layer (name, keys, values (G, S, d_head), hidden (S,) or None)."""
        batch_mask = None if mask is None else mask[None]
        rows = transformer.encode(self.params, source[None], self.config, batch_mask)[0]  # (S, D)
        hidden = padding(batch_mask, (1, len(rows)), False, rows.dtype)
        result = []
        for layer in range(self.config.n_layers):
            kv = self._linear(f"layers.{layer}.cross_kv", rows)  # (S, 2K)
            k, v = split_memory(kv, 1, self.kv_heads)
            result.append((f"layers.{layer}.", k[0], v[0], hidden))
        return result

    def _attention(self, layer: int, x: Array) -> Array:
        """Self-attention of x (D,); puts its key and value into the cache."""
        here, heads, turned = self.position, self.heads, self.heads + self.kv_heads
        name = f"layers.{layer}."
        qkv = self._linear(name + "qkv", x).reshape(turned + self.kv_heads, -1)
        if self.table is None:
            layers.rotate(qkv[None, :turned], self.turn[here : here + 1])
        self.keys[layer, :, here], self.values[layer, :, here] = qkv[heads:turned], qkv[turned:]
        seen = slice(here + 1)
        out = self._attend(qkv[:heads], self.keys[layer, :, seen], self.values[layer, :, seen])
        return self._linear(name + "attn_proj", out)

    def _cross(
        self, name: str, keys: Array, values: Array, hidden: Array | None, x: Array
    ) -> Array:
        """Attention of x (D,) to the encoder's output."""
        q = self._linear(name + "cross_q", x).reshape(self.heads, -1)
        return self._linear(name + "cross_proj", self._attend(q, keys, values, hidden))

    def _ffn(self, name: str, x: Array) -> Array:
        up = self._linear(name + "ffn_up", x)
        if self.activation == "relu":
            hidden = np.maximum(up, 0)
        else:
            hidden = ACTIVATIONS[self.activation][0](up[None])[0][0]
        return self._linear(name + "ffn_down", hidden)

    def _attend(self, q: Array, keys: Array, values: Array, hidden: Array | None = None) -> Array:
        """q: (H, d_head); keys, values: (G, t, d_head) -> (D,)."""
        q = (q * self.scale).reshape(len(keys), -1, q.shape[1])  # (G, H/G, d_head)
        scores = keys @ q.swapaxes(1, 2)  # (G, t, H/G)
        if hidden is not None:
            scores += hidden.reshape(-1, 1)
        scores -= scores.max(axis=1, keepdims=True)
        probs = np.exp(scores, out=scores)
        out = probs.swapaxes(1, 2) @ values  # (G, H/G, d_head)
        out /= probs.sum(axis=1)[:, :, None]
        return out.reshape(-1)

    def _linear(self, name: str, x: Array) -> Array:
        y = x @ self.params[name + ".weight"]
        bias = self.params.get(name + ".bias")
        return y if bias is None else y + bias

    def _norm(self, name: str, x: Array) -> Array:
        bias = self.params.get(name + ".bias")
        if self.centred:
            x = x - x.sum() / x.dtype.type(x.size)
        inv = 1 / math.sqrt(float(x @ x) / x.size + layers.NORM_EPS)
        y = x * x.dtype.type(inv) * self.params[name + ".weight"]
        return y if bias is None else y + bias


def _check_kind(kind: str, has_source: bool) -> None:
    """UserError when this kind of model does not generate, or not in this way."""
    if kind == "encoder":
        raise UserError(
            "a model of kind 'encoder' answers and does not generate text; ask it (`make try`)"
        )
    if has_source != (kind == "encoder-decoder"):
        what = "cannot read a source" if has_source else "needs a source to answer"
        raise UserError(f"a model of kind '{kind}' {what}")
