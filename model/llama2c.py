"""Checkpoints and tokenizers of llama2.c: `.bin`, legacy version 0.

A model file is seven int32 (dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len;
a negative vocab_size says that the head is not tied), then float32 tensors, each for all layers.
A tokenizer file is int32 (longest token), then for each token float32 (score), int32 (length) and
so many bytes. All little-endian; whatever does not fit becomes a UserError of one line.
"""

from __future__ import annotations

import itertools
import math
import re
import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from configs.cli import UserError
from configs.schema import ModelConfig
from model import transformer
from model.layouts import Tensors, from_llama

HEADER = ("dim", "hidden_dim", "n_layers", "n_heads", "n_kv_heads", "vocab_size", "seq_len")
BOS, EOS, FIRST_BYTE = 1, 2, 3  # token ids; FIRST_BYTE + b is the raw byte b
_RAW_BYTE = re.compile(rb"<0x([0-9A-F]{2})>")


def load(path: Path) -> tuple[transformer.Params, ModelConfig]:
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
    return from_llama(named, header["n_heads"], header["seq_len"], halves=False)


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


class ScoredTokenizer:
    """The BPE of llama2.c: pieces with scores, the best-scored neighbours merge first."""

    def __init__(self, pieces: list[bytes], scores: list[float]) -> None:
        self.pieces, self.scores = pieces, scores
        self.ids = {piece: index for index, piece in reversed(list(enumerate(pieces)))}

    @classmethod
    def load(cls, path: Path) -> ScoredTokenizer:
        """Read a `tok*.bin`."""
        data, start = _bytes(path), 4
        pieces: list[bytes] = []
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
            pieces.append(data[start : start + length])
            scores.append(score)
            start += length
        if len(pieces) < FIRST_BYTE + 256:
            raise UserError(f"'{path}': {len(pieces)} tokens, expected {FIRST_BYTE + 256} or more")
        return cls(pieces, scores)

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, after BOS."""
        ids = []
        for character in " " + text if text else "":
            piece = character.encode()
            known = self.ids.get(piece)
            ids += [byte + FIRST_BYTE for byte in piece] if known is None else [known]
        while True:
            joined = [
                (at, self.ids[both])
                for at, (a, b) in enumerate(itertools.pairwise(ids))
                if (both := self.pieces[a] + self.pieces[b]) in self.ids
            ]
            if not joined:
                return [BOS, *ids]
            at, piece_id = max(joined, key=lambda pair: self.scores[pair[1]])  # ties: the first
            ids[at : at + 2] = [piece_id]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of token ids; BOS and EOS are not shown."""
        data, before = b"", None
        for index in ids:
            if not 0 <= index < len(self.pieces):
                raise ValueError(f"token {index}: expected 0 to {len(self.pieces) - 1}")
            piece = self.pieces[index]
            if before == BOS:
                piece = piece.removeprefix(b" ")
            if raw := _RAW_BYTE.fullmatch(piece):
                piece = bytes([int(raw[1], 16)])
            data += b"" if index in (BOS, EOS) else piece
            before = index
        return data.decode("utf-8", "replace")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"'{path}': {error.strerror}") from None
