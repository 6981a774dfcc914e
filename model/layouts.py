"""GPT-2's and Llama's tensors, and how they become our parameters.

GELU is the tanh form, as in GPT-2; nanoGPT trains with the exact one (the hidden layer differs by
less than 5e-4).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from configs.cli import UserError
from configs.schema import ModelConfig
from model import transformer

Array = np.ndarray


class Tensors:
    """The tensors of a file by name; `take` hands each out once and checks it."""

    def __init__(self, path: Path, tensors: dict[str, Array]) -> None:
        self.path, self.left = path, tensors

    def shape(self, name: str, dims: int = 2) -> tuple[int, ...]:
        """The shape of a tensor of so many dimensions."""
        if name not in self.left:
            raise UserError(f"'{self.path}': tensor {name} is missing")
        if self.left[name].ndim != dims:
            shape = self.left[name].shape
            raise UserError(f"'{self.path}': {name} has shape {shape}, expected {dims} dimensions")
        return self.left[name].shape

    def layers(self, pattern: str) -> int:
        """How many layers there are; the group of `pattern` is a layer's number."""
        found = [re.match(pattern, name) for name in self.left]
        return len({match[1] for match in found if match})

    def take(self, name: str, *shape: int) -> Array:
        """The tensor as finite float32 of exactly this shape."""
        if self.shape(name, len(shape)) != shape:
            got = self.left[name].shape
            raise UserError(f"'{self.path}': {name} has shape {got}, expected {shape}")
        array = self.left.pop(name)
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise UserError(f"'{self.path}': {name} ({array.dtype}) is not all finite floats")
        return array.astype(np.float32)

    def end(self) -> None:
        """UserError when tensors are left over."""
        if self.left:
            names = ", ".join(sorted(self.left)[:3])
            raise UserError(f"'{self.path}': {len(self.left)} tensors have no place: {names}")


def from_gpt2(tensors: Tensors, n_heads: int) -> tuple[transformer.Params, ModelConfig]:
    """GPT-2: LayerNorm before, GELU, learned positions."""
    vocab_size, d = tensors.shape("wte.weight")
    stored_in_out = tensors.shape("h.0.attn.c_attn.weight") == (d, 3 * d)
    hidden = tensors.shape("h.0.mlp.c_fc.weight")[1 if stored_in_out else 0]
    config = make_config(
        tensors.path,
        d_model=d,
        n_heads=n_heads,
        n_layers=tensors.layers(r"h\.(\d+)\."),
        d_ff=hidden,
        context=tensors.shape("wpe.weight")[0],
        norm="layernorm",
        activation="gelu",
        positions="learned",
        tied_head=_is_tied(tensors, "lm_head.weight", "wte.weight"),
        bias="h.0.attn.c_attn.bias" in tensors.left,
    )
    params = transformer.empty(config, vocab_size)

    def linear(ours: str, theirs: str) -> None:
        n_in, n_out = params[ours + ".weight"].shape
        if stored_in_out:
            params[ours + ".weight"][...] = tensors.take(theirs + ".weight", n_in, n_out)
        else:
            params[ours + ".weight"][...] = tensors.take(theirs + ".weight", n_out, n_in).T
        if config.bias:
            params[ours + ".bias"][...] = tensors.take(theirs + ".bias", n_out)

    def norm(ours: str, theirs: str) -> None:
        for part in (".weight", ".bias") if config.bias else (".weight",):
            params[ours + part][...] = tensors.take(theirs + part, d)

    for layer in range(config.n_layers):
        ours, theirs = f"layers.{layer}.", f"h.{layer}."
        norm(ours + "attn_norm", theirs + "ln_1")
        linear(ours + "qkv", theirs + "attn.c_attn")
        linear(ours + "attn_proj", theirs + "attn.c_proj")
        norm(ours + "ffn_norm", theirs + "ln_2")
        linear(ours + "ffn_up", theirs + "mlp.c_fc")
        linear(ours + "ffn_down", theirs + "mlp.c_proj")
    norm("final_norm", "ln_f")
    params["positions.weight"][...] = tensors.take("wpe.weight", config.context, d)
    _tables(params, tensors, "wte.weight", "lm_head.weight")
    return params, config


def from_llama(
    tensors: Tensors, n_heads: int, context: int | None, halves: bool
) -> tuple[transformer.Params, ModelConfig]:
    """Llama: RMSNorm before, SwiGLU, rotary positions on halves of a head, or on pairs."""
    vocab_size, d = tensors.shape("tok_embeddings.weight")
    kv = tensors.shape("layers.0.attention.wk.weight")[0]
    d_head = d // n_heads if 0 < n_heads <= d else d + 1
    if d % d_head or kv % d_head:
        raise UserError(
            f"'{tensors.path}': {n_heads} heads: expected a number that divides d_model {d} into "
            f"heads of which the keys' {kv} are a multiple"
        )
    hidden = tensors.shape("layers.0.feed_forward.w1.weight")[0]
    config = make_config(
        tensors.path,
        d_model=d,
        n_heads=n_heads,
        n_kv_heads=None if kv == d else kv // d_head,
        n_layers=tensors.layers(r"layers\.(\d+)\."),
        d_ff=hidden,
        context=256 if context is None else context,
        activation="swiglu",
        positions="rotary",
        tied_head=_is_tied(tensors, "output.weight", "tok_embeddings.weight"),
    )
    params = transformer.empty(config, vocab_size)
    order: Callable[[Array], Array] = _pairs(d_head) if halves else lambda rows: rows
    for layer in range(config.n_layers):
        name = f"layers.{layer}."
        q = order(tensors.take(name + "attention.wq.weight", d, d))
        k = order(tensors.take(name + "attention.wk.weight", kv, d))
        v = tensors.take(name + "attention.wv.weight", kv, d)
        gate = tensors.take(name + "feed_forward.w1.weight", hidden, d)
        up = tensors.take(name + "feed_forward.w3.weight", hidden, d)
        params[name + "qkv.weight"][...] = np.concatenate([q, k, v]).T
        params[name + "attn_proj.weight"][...] = tensors.take(name + "attention.wo.weight", d, d).T
        params[name + "ffn_up.weight"][...] = np.concatenate([gate, up]).T
        params[name + "ffn_down.weight"][...] = tensors.take(
            name + "feed_forward.w2.weight", d, hidden
        ).T
        params[name + "attn_norm.weight"][...] = tensors.take(name + "attention_norm.weight", d)
        params[name + "ffn_norm.weight"][...] = tensors.take(name + "ffn_norm.weight", d)
    params["final_norm.weight"][...] = tensors.take("norm.weight", d)
    _tables(params, tensors, "tok_embeddings.weight", "output.weight")
    return params, config


def make_config(path: Path, **fields: Any) -> ModelConfig:
    """The ModelConfig of a file's model; UserError when it is beyond what a config may be."""
    try:
        return ModelConfig(**fields)
    except ValidationError as error:
        item = error.errors()[0]
        where = ".".join(map(str, item["loc"])) or "model"
        raise UserError(f"'{path}': {where}: {item['msg']}, not {item['input']!r}") from None


def _is_tied(tensors: Tensors, head: str, table: str) -> bool:
    """No head of its own, or one that equals the embedding."""
    return head not in tensors.left or np.array_equal(tensors.left[head], tensors.left[table])


def _tables(params: transformer.Params, tensors: Tensors, table: str, head: str) -> None:
    """Embedding and head; then nothing may be left."""
    shape = params["embed.weight"].shape
    params["embed.weight"][...] = tensors.take(table, *shape)
    if "head.weight" in params:
        params["head.weight"][...] = tensors.take(head, *shape)
    tensors.left.pop(head, None)
    tensors.end()


def _pairs(d_head: int) -> Callable[[Array], Array]:
    """Reorders rows (heads * d_head, D): j and j + d_head/2 become the pair 2j, 2j + 1."""

    def order(rows: Array) -> Array:
        halves = rows.reshape(-1, 2, d_head // 2, rows.shape[1])
        return halves.swapaxes(1, 2).reshape(rows.shape)

    return order
