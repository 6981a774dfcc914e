"""Files of tensors by name: `.safetensors`, and PyTorch's `state_dict` (.pt, .pth, .bin).

Files are data: nothing is unpickled but tensors and numbers (`weights_only`), and whatever cannot
be read becomes a UserError of one line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, deserialize

from configs.cli import UserError

Array = np.ndarray
TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2"}
TYPES |= {"I8": "i1", "U8": "u1", "BOOL": "?"}


def read(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """All tensors of a file, and nanoGPT's `model_args` (n_head, ...) where it has them."""
    if not path.is_file():
        raise UserError(f"no file '{path}'")
    if path.suffix != ".safetensors":
        return _read_torch(path)
    try:
        return {name: _array(**about) for name, about in deserialize(path.read_bytes())}, {}
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        line = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise UserError(f"'{path}' cannot be read as safetensors: {line}") from None


def _array(dtype: str, shape: list[int], data: bytes) -> Array:
    """A tensor of a safetensors file; bfloat16, which NumPy has not, as float32."""
    if dtype == "BF16":
        high = np.frombuffer(data, "<u2").astype("<u4") << 16
        return high.view("<f4").reshape(shape)
    if dtype not in TYPES:
        raise ValueError(f"a tensor is of type {dtype}: expected F64, F32, F16 or BF16")
    return np.frombuffer(data, TYPES[dtype]).reshape(shape)


def _read_torch(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
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
    about: dict[str, Any] = {}
    if isinstance(data, dict) and isinstance(data.get("model"), dict):  # nanoGPT's checkpoint
        about = data["model_args"] if isinstance(data.get("model_args"), dict) else {}
        data = data["model"]
    if not isinstance(data, dict) or not all(isinstance(x, torch.Tensor) for x in data.values()):
        raise UserError(f"'{path}' is not a state_dict: expected tensors by name")
    for name, x in data.items():
        if x.layout != torch.strided or x.is_complex() or x.is_quantized or x.is_meta:
            raise UserError(f"'{path}': {name} is not a plain tensor of real numbers")
    return {str(name): x.detach().float().numpy() for name, x in data.items()}, about
