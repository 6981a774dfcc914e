"""A trained model on disk: `config.json` (what it is) and `weights.safetensors` (what it learned).

config.json holds the shape, the tokenizer and the stop token, and stays the same through a run.
The weights' header holds the step, the validation loss and the digest of the config.json that they
belong to. Both appear atomically; whatever is wrong with them becomes a UserError of one line.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_safetensors

from configs.cli import UserError
from configs.files import write_bytes
from configs.schema import ModelConfig
from model import transformer
from model.tokenizer import Tokenizer

VERSION = 1
FORMAT = "fixformer-model"


@dataclass(frozen=True)
class Checkpoint:
    """A model that can be used."""

    config: ModelConfig
    vocab_size: int
    params: transformer.Params
    tokenizer: Tokenizer
    stop_token: int | None
    prompt: str  # a prompt that the tokenizer can encode, for when the user gives none
    step: int
    validation_loss: float


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Write both files, each in one step."""
    about = {
        "format": FORMAT,
        "version": VERSION,
        "model": checkpoint.config.model_dump(),
        "vocab_size": checkpoint.vocab_size,
        "tokenizer": checkpoint.tokenizer.to_dict(),
        "stop_token": checkpoint.stop_token,
        "prompt": checkpoint.prompt,
    }
    config = (json.dumps(about, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
    metadata = {
        "config_sha256": hashlib.sha256(config).hexdigest(),
        "step": checkpoint.step,
        "validation_loss": checkpoint.validation_loss,
    }
    path = folder / "config.json"
    if not path.is_file() or path.read_bytes() != config:
        write_bytes(path, config)
    write_tensors(folder / "weights.safetensors", dict(checkpoint.params), metadata)


def load(folder: Path) -> Checkpoint:
    """Read a model back; raises UserError when it is missing, damaged, or of another version."""
    config_path, weights_path = folder / "config.json", folder / "weights.safetensors"
    if not config_path.exists() and not weights_path.exists():
        raise UserError(f"no model in '{folder}' yet; train one (`make train`)")
    raw = read(config_path)
    try:
        about = json.loads(raw)
        check_version(about, config_path, again(folder))
        config = ModelConfig(**about["model"])
        vocab_size, stop_token = about["vocab_size"], about["stop_token"]
        tokenizer = Tokenizer.from_dict(about["tokenizer"])
        prompt = str(about["prompt"])
        if vocab_size != len(tokenizer.vocab) or stop_token not in (None, *range(vocab_size)):
            raise ValueError("vocabulary")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"'{config_path}' is damaged; {again(folder)}") from None

    tensors, metadata = read_tensors(weights_path, again(folder))
    if metadata.get("config_sha256") != hashlib.sha256(raw).hexdigest():
        raise UserError(
            f"'{weights_path}' does not belong to the config.json beside it; {again(folder)}"
        )
    try:
        step, loss = int(metadata["step"]), float(metadata["validation_loss"])
    except (KeyError, ValueError, TypeError):
        raise UserError(f"'{weights_path}' is damaged; {again(folder)}") from None
    params = transformer.empty(config, vocab_size)
    if {name: array.shape for name, array in tensors.items()} != params.shapes:
        raise UserError(
            f"'{weights_path}' has other tensors than config.json says; {again(folder)}"
        )
    for name, array in tensors.items():
        if array.dtype != params[name].dtype or not np.isfinite(array).all():
            raise UserError(f"'{weights_path}': {name} is not all finite float32; {again(folder)}")
        params[name][...] = array
    return Checkpoint(config, vocab_size, params, tokenizer, stop_token, prompt, step, loss)


def again(folder: Path) -> str:
    """What to do about a folder that holds no good model."""
    return f"remove '{folder}' and train again (`make train`)"


def read(path: Path) -> bytes:
    """The bytes of a file; UserError when there is none."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"no '{path}' ({error.strerror}); {again(path.parent)}") from None


def write_tensors(path: Path, tensors: dict[str, np.ndarray], about: dict) -> None:
    """A safetensors file with `about` as its metadata, in one step; equal data give equal bytes."""
    about = about | {"format": FORMAT, "version": VERSION}
    # One key of metadata, because safetensors writes several in random order.
    write_bytes(path, to_safetensors(tensors, {"about": json.dumps(about)}))


def read_tensors(path: Path, hint: str) -> tuple[dict[str, np.ndarray], dict]:
    """Tensors and `about` of a file; UserError when missing, damaged or of another version."""
    if not path.is_file():
        raise UserError(f"no '{path}'; {hint}")
    try:
        with safe_open(path, "np") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            about = json.loads((file.metadata() or {}).get("about", "{}"))
            check_version(about, path, hint)
            return tensors, about
    except (SafetensorError, OSError, ValueError, AttributeError):
        raise UserError(f"'{path}' is damaged or truncated; {hint}") from None


def check_version(about: dict, path: Path, hint: str) -> None:
    """UserError unless `about` says our format and version."""
    if about.get("format") != FORMAT:
        raise UserError(f"'{path}' is not a Fixformer model; {hint}")
    if str(about.get("version")) != str(VERSION):
        raise UserError(
            f"'{path}' is of version {about.get('version')}, this program needs {VERSION}; {hint}"
        )
