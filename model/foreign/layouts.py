"""GPT-2's and Llama's tensors, and how they become our parameters.

Their tensors are views of our parameters (`gpt2_views`, `llama_views`), so that one table serves
to read and to write. GELU is exact in nanoGPT, and has the tanh form in Hugging Face's and minGPT.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import ValidationError

from configs.cli import UserError
from configs.schema import ModelConfig
from model import transformer

Array = np.ndarray
GELU = {"exact": "gelu_exact", "tanh": "gelu"}
HEADS = ("lm_head.weight", "output.weight")
GPT2 = {  # our names by GPT-2's, in a layer
    "ln_1": "attn_norm",
    "attn.c_attn": "qkv",
    "attn.c_proj": "attn_proj",
    "ln_2": "ffn_norm",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}
LLAMA_HF = {  # Meta's names by Hugging Face's
    "embed_tokens": "tok_embeddings",
    "input_layernorm": "attention_norm",
    "self_attn.q_proj": "attention.wq",
    "self_attn.k_proj": "attention.wk",
    "self_attn.v_proj": "attention.wv",
    "self_attn.o_proj": "attention.wo",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "feed_forward.w1",
    "mlp.down_proj": "feed_forward.w2",
    "mlp.up_proj": "feed_forward.w3",
    "lm_head": "output",
}


class Found(NamedTuple):
    """A model of a file, and whose layout that has."""

    params: transformer.Params
    config: ModelConfig
    layout: str

    def described(self) -> str:
        """Layout and shape on one line."""
        c, vocab = self.config, len(self.params["embed.weight"])
        keys = "" if c.n_kv_heads is None else f" ({c.kv_heads} of keys)"
        return (
            f"{self.layout}: {c.n_layers} layers, d_model {c.d_model}, {c.n_heads} heads{keys}, "
            f"d_ff {c.d_ff}, context {c.context}, activation {c.activation}, vocabulary {vocab}, "
            f"{self.params.flat.size} parameters"
        )


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


def from_gpt2(
    tensors: Tensors, n_heads: int, mingpt: bool = False, gelu: str | None = None
) -> Found:
    """GPT-2: LayerNorm before, learned positions; mingpt: if it is not nanoGPT.

    gelu: "exact" or "tanh"; default: nanoGPT's is exact.
    """
    vocab_size, d = tensors.shape("wte.weight")
    in_out = tensors.shape("h.0.attn.c_attn.weight") == (d, 3 * d)
    whose = "Hugging Face" if in_out else "minGPT" if mingpt else "nanoGPT"
    config = make_config(
        tensors.path,
        d_model=d,
        n_heads=n_heads,
        n_layers=tensors.layers(r"h\.(\d+)\."),
        d_ff=tensors.shape("h.0.mlp.c_fc.weight")[1 if in_out else 0],
        context=tensors.shape("wpe.weight")[0],
        norm="layernorm",
        activation=GELU[gelu or ("exact" if whose == "nanoGPT" else "tanh")],
        positions="learned",
        tied_head=_is_tied(tensors, "lm_head.weight", "wte.weight"),
        bias="h.0.attn.c_attn.bias" in tensors.left,
    )
    params = transformer.empty(config, vocab_size)
    _fill(gpt2_views(params, config, in_out), tensors)
    return Found(params, config, f"GPT-2 ({whose})")


def from_llama(tensors: Tensors, n_heads: int, context: int | None, halves: bool) -> Found:
    """Llama: RMSNorm before, SwiGLU, rotary positions on halves of a head, or on pairs."""
    vocab_size, d = tensors.shape("tok_embeddings.weight")
    kv = tensors.shape("layers.0.attention.wk.weight")[0]
    d_head = d // n_heads if 0 < n_heads <= d else d + 1
    if d % d_head or kv % d_head:
        raise UserError(
            f"'{tensors.path}': {n_heads} heads: expected a number that divides d_model {d} into "
            f"heads of which the keys' {kv} are a multiple"
        )
    config = make_config(
        tensors.path,
        d_model=d,
        n_heads=n_heads,
        n_kv_heads=None if kv == d else kv // d_head,
        n_layers=tensors.layers(r"layers\.(\d+)\."),
        d_ff=tensors.shape("layers.0.feed_forward.w1.weight")[0],
        context=256 if context is None else context,
        activation="swiglu",
        positions="rotary",
        tied_head=_is_tied(tensors, "output.weight", "tok_embeddings.weight"),
    )
    params = transformer.empty(config, vocab_size)
    _fill(llama_views(params, config, halves), tensors)
    return Found(params, config, f"Llama ({'Hugging Face' if halves else 'Meta'})")


# -- their names and shapes, as views of our parameters ------------------------------------------
def gpt2_views(params: transformer.Params, config: ModelConfig, in_out: bool) -> dict[str, Array]:
    """GPT-2's names; matrices (in, out) as Hugging Face has them, or else (out, in)."""
    views = {"wte.weight": params["embed.weight"], "wpe.weight": params["positions.weight"]}

    def put(theirs: str, ours: str) -> None:
        weight = params[ours + ".weight"]
        views[theirs + ".weight"] = weight if in_out else weight.T
        if config.bias:
            views[theirs + ".bias"] = params[ours + ".bias"]

    for layer in range(config.n_layers):
        for theirs, ours in GPT2.items():
            put(f"h.{layer}.{theirs}", f"layers.{layer}.{ours}")
    put("ln_f", "final_norm")
    return views if config.tied_head else views | {"lm_head.weight": params["head.weight"]}


def llama_views(params: transformer.Params, config: ModelConfig, halves: bool) -> dict[str, Array]:
    """Meta's names; rows of q and k in rotary halves (heads, 2, d_head/2, D), or pairs (out, D)."""
    d, d_head = config.d_model, config.d_head
    kv = config.kv_heads * d_head

    def turned(rows: Array) -> Array:
        return rows.reshape(-1, d_head // 2, 2, d).swapaxes(1, 2) if halves else rows

    views = {"tok_embeddings.weight": params["embed.weight"]}
    for layer in range(config.n_layers):
        ours, theirs = f"layers.{layer}.", f"layers.{layer}."
        q, k, v = np.split(params[ours + "qkv.weight"].T, [d, d + kv])
        gate, up = np.split(params[ours + "ffn_up.weight"].T, 2)
        views |= {
            theirs + "attention_norm.weight": params[ours + "attn_norm.weight"],
            theirs + "attention.wq.weight": turned(q),
            theirs + "attention.wk.weight": turned(k),
            theirs + "attention.wv.weight": v,
            theirs + "attention.wo.weight": params[ours + "attn_proj.weight"].T,
            theirs + "ffn_norm.weight": params[ours + "ffn_norm.weight"],
            theirs + "feed_forward.w1.weight": gate,
            theirs + "feed_forward.w2.weight": params[ours + "ffn_down.weight"].T,
            theirs + "feed_forward.w3.weight": up,
        }
    views["norm.weight"] = params["final_norm.weight"]
    return views if config.tied_head else views | {"output.weight": params["head.weight"]}


def flat(view: Array) -> Array:
    """A view as the matrix or vector that a file holds."""
    return np.ascontiguousarray(view.reshape(-1, view.shape[-1]) if view.ndim > 1 else view)


def _fill(views: dict[str, Array], tensors: Tensors) -> None:
    """Write the tensors into the views; then nothing may be left but a copy of a tied head."""
    for name, view in views.items():
        shape = (view.size // view.shape[-1], view.shape[-1]) if view.ndim > 1 else view.shape
        view[...] = tensors.take(name, *shape).reshape(view.shape)
    for head in HEADS:
        tensors.left.pop(head, None)
    tensors.end()


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
