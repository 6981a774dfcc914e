"""Weights of others: GPT-2 and Llama layouts out of `.safetensors` or PyTorch files.

    gpt2    Hugging Face (matrices (in, out)), nanoGPT and minGPT (matrices (out, in))
    llama   Hugging Face (rotary halves), Meta and llama2.c (rotary pairs)

The layout is told by the names, the shape of the model by the tensors; only the number of heads is
not to be seen in either. Files are data: nothing is unpickled but tensors (`weights_only`), and
whatever is missing, left over, of another shape or not finite becomes a UserError of one line.
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
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save as to_safetensors

from configs.cli import UserError
from configs.files import write_bytes
from configs.schema import ModelConfig
from model import transformer

Array = np.ndarray
PREFIXES = ("_orig_mod.", "module.", "transformer.", "model.")  # of wrappers
BUFFERS = re.compile(r"(\.attn\.(masked_)?bias|rotary_emb\.inv_freq|freqs_cis)$")  # no weights
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


# -- files -------------------------------------------------------------------------------------
def load(
    path: Path, n_heads: int, context: int | None = None
) -> tuple[transformer.Params, ModelConfig]:
    """Parameters and config of the model in a file.

    n_heads: of queries; context: of Llama, whose tensors do not tell it (default 256).
    """
    tensors = {_bare(name): array for name, array in read(path).items()}
    tensors = {name: array for name, array in tensors.items() if not BUFFERS.search(name)}
    if "wte.weight" in tensors:
        return from_gpt2(Tensors(path, tensors), n_heads)
    if "embed_tokens.weight" in tensors:
        renamed = {_to_meta(name): array for name, array in tensors.items()}
        return from_llama(Tensors(path, renamed), n_heads, context, halves=True)
    if "tok_embeddings.weight" in tensors:
        return from_llama(Tensors(path, tensors), n_heads, context, halves=False)
    raise UserError(
        f"'{path}': neither GPT-2 (wte.weight) nor Llama (embed_tokens.weight, "
        f"tok_embeddings.weight); its tensors begin with {', '.join(sorted(tensors)[:3]) or '-'}"
    )


def read(path: Path) -> dict[str, Array]:
    """All tensors of a .safetensors file or a PyTorch state_dict (.pt, .pth, .bin)."""
    if not path.is_file():
        raise UserError(f"no file '{path}'")
    if path.suffix != ".safetensors":
        return _read_torch(path)
    try:
        return {name: _array(**about) for name, about in deserialize(path.read_bytes())}
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"'{path}' cannot be read as safetensors: {_line(error)}") from None


def _array(dtype: str, shape: list[int], data: bytes) -> Array:
    """A tensor of a safetensors file; bfloat16, which NumPy has not, as float32."""
    if dtype == "BF16":
        high = np.frombuffer(data, "<u2").astype("<u4") << 16
        return high.view("<f4").reshape(shape)
    numpy = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2"}
    numpy |= {"I8": "i1", "U8": "u1", "BOOL": "?"}
    if dtype not in numpy:
        raise ValueError(f"a tensor is of type {dtype}: expected F64, F32, F16 or BF16")
    return np.frombuffer(data, numpy[dtype]).reshape(shape)


def _read_torch(path: Path) -> dict[str, Array]:
    try:
        import torch  # type: ignore[import-not-found]
    except ImportError:
        raise UserError(
            f"'{path}' needs PyTorch to be read: pip install torch, or save it as .safetensors"
        ) from None
    try:
        data = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a broken file makes of the unpickler
        raise UserError(
            f"'{path}' is damaged, or holds more than tensors and numbers, which is not unpickled "
            f"({type(error).__name__})"
        ) from None
    if isinstance(data, dict) and isinstance(data.get("model"), dict):
        data = data["model"]  # nanoGPT's checkpoint
    if not isinstance(data, dict) or not all(isinstance(x, torch.Tensor) for x in data.values()):
        raise UserError(f"'{path}' is not a state_dict: expected tensors by name")
    return {str(name): x.float().numpy() for name, x in data.items()}


def save(path: Path, params: dict[str, Array]) -> None:
    """Write parameters as .safetensors under the names of `params.py`."""
    write_bytes(path, to_safetensors({name: array.copy() for name, array in params.items()}))


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]


def _bare(name: str) -> str:
    """A name without the prefixes of wrappers."""
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _to_meta(name: str) -> str:
    for theirs, metas in LLAMA_HF.items():
        name = name.replace(theirs + ".", metas + ".")
    return name


# -- layouts -----------------------------------------------------------------------------------
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
