"""Weights of others: GPT-2 and Llama layouts out of `.safetensors` or PyTorch files.

    gpt2    Hugging Face (matrices (in, out)), nanoGPT and minGPT (matrices (out, in))
    llama   Hugging Face (rotary halves), Meta and llama2.c (rotary pairs)

The layout is told by the names, the shape of the model by the tensors; only the number of heads is
not to be seen in either. Files are data: nothing is unpickled but tensors (`weights_only`), and
whatever is missing, left over, of another shape or not finite becomes a UserError of one line.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save as to_safetensors

from configs.cli import UserError
from configs.files import write_bytes
from configs.schema import ModelConfig
from model import transformer
from model.layouts import Tensors, from_gpt2, from_llama

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
        import torch
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
