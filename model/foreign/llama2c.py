"""Checkpoints and tokenizers of llama2.c: `.bin`, legacy version 0.

A model file is seven int32 (dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len;
a negative vocab_size says that the head is not tied), then float32 tensors, each for all layers.
A tokenizer file is int32 (longest token), then for each token float32 (score), int32 (length) and
so many bytes. All little-endian; whatever does not fit becomes a UserError of one line.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np

from configs.cli import UserError
from model.foreign.layouts import Found, Tensors, from_llama
from model.tokenizer import ScoredTokenizer

HEADER = ("dim", "hidden_dim", "n_layers", "n_heads", "n_kv_heads", "vocab_size", "seq_len")


def load(path: Path) -> Found:
    """Parameters and config of a model file."""
    data = _bytes(path)
    if len(data) < 28:
        raise UserError(f"'{path}': {len(data)} bytes, expected a header of 28")
    header = dict(zip(HEADER, struct.unpack("<7i", data[:28]), strict=True))
    tied, header["vocab_size"] = header["vocab_size"] > 0, abs(header["vocab_size"])
    if wrong := [f"{name} {value}" for name, value in header.items() if value < 1]:
        raise UserError(f"'{path}': the header says {', '.join(wrong)}: expected 1 or more")
    if header["dim"] % header["n_heads"] or header["n_heads"] % header["n_kv_heads"]:
        raise UserError(
            f"'{path}': the header says n_heads {header['n_heads']}, n_kv_heads "
            f"{header['n_kv_heads']}: expected to divide dim {header['dim']} and n_heads"
        )
    shapes = _shapes(header, tied)
    size = 28 + 4 * sum(map(math.prod, shapes.values()))
    if len(data) != size:
        raise UserError(f"'{path}': {len(data)} bytes, expected {size} by its header")
    tensors, start = {}, 28
    for name, shape in shapes.items():
        count = math.prod(shape)
        tensors[name] = np.frombuffer(data, "<f4", count, start).reshape(shape)
        start += 4 * count
    named = Tensors(path, _by_layer(tensors))
    found = from_llama(named, header["n_heads"], header["seq_len"], halves=False)
    return found._replace(layout="Llama (llama2.c)")


def _shapes(header: dict[str, int], tied: bool) -> dict[str, tuple[int, ...]]:
    """Name (`*`: all layers in one) -> shape, in the order of the file."""
    d, f, n, v = (header[name] for name in ("dim", "hidden_dim", "n_layers", "vocab_size"))
    d_head = d // header["n_heads"]
    kv, angles = header["n_kv_heads"] * d_head, (header["seq_len"], d_head // 2)
    shapes = {
        "tok_embeddings.weight": (v, d),
        "layers.*.attention_norm.weight": (n, d),
        "layers.*.attention.wq.weight": (n, d, d),
        "layers.*.attention.wk.weight": (n, kv, d),
        "layers.*.attention.wv.weight": (n, kv, d),
        "layers.*.attention.wo.weight": (n, d, d),
        "layers.*.ffn_norm.weight": (n, d),
        "layers.*.feed_forward.w1.weight": (n, f, d),
        "layers.*.feed_forward.w2.weight": (n, d, f),
        "layers.*.feed_forward.w3.weight": (n, f, d),
        "norm.weight": (d,),
        "cos": angles,  # of the rotary positions, which are computed here
        "sin": angles,
    }
    return shapes if tied else shapes | {"output.weight": (v, d)}


def _by_layer(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Each `*` tensor as one per layer."""
    result = {}
    for name, array in tensors.items():
        if "*" in name:
            for layer, part in enumerate(array):
                result[name.replace("*", str(layer))] = part
        elif name not in ("cos", "sin"):
            result[name] = array
    return result


def load_tokenizer(path: Path) -> ScoredTokenizer:
    """Read a `tok*.bin`."""
    data, start = _bytes(path), 4
    pieces: list[str] = []
    scores: list[float] = []
    while start < len(data):
        if start + 8 > len(data):
            raise UserError(f"'{path}': ends within token {len(pieces)}")
        score, length = struct.unpack_from("<fi", data, start)
        start += 8
        if not 0 <= length <= len(data) - start or not math.isfinite(score):
            raise UserError(
                f"'{path}': token {len(pieces)} says length {length} and score {score}, with "
                f"{len(data) - start} bytes left"
            )
        try:
            pieces.append(data[start : start + length].decode())
        except UnicodeDecodeError:
            raise UserError(f"'{path}': token {len(pieces)} is not UTF-8") from None
        scores.append(score)
        start += length
    try:
        return ScoredTokenizer(pieces, scores)
    except ValueError as error:
        raise UserError(f"'{path}': {error}") from None


def is_model(path: Path) -> bool:
    """Whether a file is to be read by `load`: a .bin that PyTorch did not write."""
    return path.suffix == ".bin" and not _bytes(path).startswith((b"PK\x03\x04", b"\x80\x02\x8a"))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"'{path}': {error.strerror}") from None
