"""The artefact on disk: one folder that appears whole, checked byte for byte when it is read."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from configs import files
from configs.cli import UserError
from quant.qformat import QFormat
from quant.qmodel import (
    CROSS_INTS,
    CROSS_LINEARS,
    LAYER_INTS,
    LINEARS,
    VERSION,
    Attention,
    Layer,
    Linear,
    QuantModel,
)

JSON_NAME, TENSORS_NAME = "qmodel.json", "qmodel.safetensors"
REPORT_NAME, PAGE_NAME = "report.json", "report.html"
LINEAR_ARRAYS = ("weight", "shift", "bias", "weight_frac")
LINEAR_INTS = ("exponent", "in_frac", "out_bits", "out_frac", "weight_bits", "in_zero")
PLAIN = (
    "config",
    "quant",
    "eps_int",
    "bump_shift",
    "tokenizer",
    "stop_token",
    "logit_frac",
    "meta",
)


def _named_linears(qm: QuantModel) -> dict[str, Linear]:
    named = {
        prefix + name: linear
        for prefix, layer in qm.named_layers()
        for name, linear in layer.linears().items()
    }
    return {**named, "head": qm.head}


def _integers(layer: Layer) -> dict[str, Any]:
    """The integers of a layer, those of its cross-attention as `cross`."""
    integers = {name: getattr(layer, name) for name in LAYER_INTS}
    if layer.cross is None:
        return integers
    return integers | {"cross": {name: getattr(layer.cross, name) for name in CROSS_INTS}}


def _arrays(qm: QuantModel) -> dict[str, np.ndarray]:
    arrays = {"embed_tok": qm.embed_tok}
    if qm.embed_pos is not None:
        arrays["embed_pos"] = qm.embed_pos
    for name, linear in _named_linears(qm).items():
        arrays |= {f"{name}.{part}": getattr(linear, part) for part in LINEAR_ARRAYS}
    arrays |= {f"tables.{name}": table for name, table in qm.tables.items() if table is not None}
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def save(qm: QuantModel, path: Path, report: dict | None, page: str | None) -> None:
    """Replace the folder `path`; `page`: the report as HTML."""
    tensors = save_tensors(_arrays(qm))
    document = {name: getattr(qm, name) for name in PLAIN}
    document |= {
        "version": VERSION,
        "tensors_sha256": hashlib.sha256(tensors).hexdigest(),
        "formats": {name: asdict(fmt) for name, fmt in qm.formats.items()},
        "layers": [_integers(layer) for layer in qm.layers],
        "encoder": [_integers(layer) for layer in qm.encoder],
        "linears": {
            name: {part: getattr(linear, part) for part in LINEAR_INTS}
            for name, linear in _named_linears(qm).items()
        },
    }
    text = json.dumps(document, sort_keys=True)
    wrapped = {"document": document, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    with files.staged_dir(path) as stage:
        files.write_bytes(stage / TENSORS_NAME, tensors)
        files.write_json(stage / JSON_NAME, wrapped)
        if report is not None:
            files.write_json(stage / REPORT_NAME, report)
        if page is not None:
            files.write_text(stage / PAGE_NAME, page)


def load(path: Path) -> QuantModel:
    """Read the folder `path`; UserError when missing, truncated, altered or of another version."""
    document, arrays = _read(Path(path))
    try:
        qm = _build(document, arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not a quantised model ({error!r}); run make quantize") from None
    qm.validate()
    return qm


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    for name in (JSON_NAME, TENSORS_NAME):
        if not (path / name).is_file():
            raise UserError(f"no quantised model in {path} ({name} is missing); run make quantize")
    broken = UserError(f"{path}: the quantised model is damaged; remove it and run make quantize")
    tensors = (path / TENSORS_NAME).read_bytes()
    try:
        wrapped = json.loads((path / JSON_NAME).read_text(encoding="utf-8"))
        document, digest = wrapped["document"], wrapped["sha256"]
        version = document["version"]
    except (ValueError, KeyError, TypeError):
        raise broken from None
    if version != VERSION:
        raise UserError(
            f"{path}: version {version}, not {VERSION}; remove it and run make quantize"
        )
    text = json.dumps(document, sort_keys=True)
    if digest != hashlib.sha256(text.encode()).hexdigest():
        raise broken
    if document["tensors_sha256"] != hashlib.sha256(tensors).hexdigest():
        raise broken
    try:
        return document, load_tensors(tensors)
    except SafetensorError:
        raise broken from None


def _build(document: dict[str, Any], arrays: dict[str, np.ndarray]) -> QuantModel:
    def linear(name: str) -> Linear:
        parts: dict[str, Any] = {part: arrays[f"{name}.{part}"] for part in LINEAR_ARRAYS}
        return Linear(**parts, **document["linears"][name])

    def layer(prefix: str, integers: dict[str, Any]) -> Layer:
        names = {name: prefix + name for name in LINEARS}
        present = {part: name for part, name in names.items() if name in document["linears"]}
        linears: dict[str, Any] = {part: linear(name) for part, name in present.items()}
        cross, rest = integers.get("cross"), {n: v for n, v in integers.items() if n != "cross"}
        if cross is not None:
            parts: dict[str, Any] = {n: linear(f"{prefix}cross_{n}") for n in CROSS_LINEARS}
            cross = Attention(**parts, **cross)
        return Layer(**linears, **rest, cross=cross)

    def stack(prefix: str, every: list[dict[str, Any]]) -> tuple[Layer, ...]:
        return tuple(layer(f"{prefix}{i}.", integers) for i, integers in enumerate(every))

    names = ("rsqrt", "recip", "exp2", "gumbel", "bump", "cos", "sin")
    return QuantModel(
        **{name: document[name] for name in PLAIN},
        formats={name: QFormat(**fields) for name, fields in document["formats"].items()},
        layers=stack("layers.", document["layers"]),
        encoder=stack("encoder.layers.", document["encoder"]),
        embed_tok=arrays["embed_tok"],
        embed_pos=arrays.get("embed_pos"),
        head=linear("head"),
        tables={name: arrays.get(f"tables.{name}") for name in names},
    )
