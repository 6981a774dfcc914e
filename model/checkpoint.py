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
AGAIN = "run `make train` (python -m model.train) again"


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
        "format": FORMAT,
        "version": str(VERSION),
        "config_sha256": hashlib.sha256(config).hexdigest(),
        "step": str(checkpoint.step),
        "validation_loss": repr(checkpoint.validation_loss),
    }
    weights = to_safetensors(dict(checkpoint.params), metadata)
    path = folder / "config.json"
    if not path.is_file() or path.read_bytes() != config:
        write_bytes(path, config)
    write_bytes(folder / "weights.safetensors", weights)


def load(folder: Path) -> Checkpoint:
    """Read a model back; raises UserError when it is missing, damaged, or of another version."""
    config_path, weights_path = folder / "config.json", folder / "weights.safetensors"
    raw = read(config_path)
    try:
        about = json.loads(raw)
        check_version(about, config_path)
        config = ModelConfig(**about["model"])
        vocab_size, stop_token = about["vocab_size"], about["stop_token"]
        tokenizer = Tokenizer.from_dict(about["tokenizer"])
        prompt = str(about["prompt"])
        if vocab_size != len(tokenizer.vocab) or stop_token not in (None, *range(vocab_size)):
            raise ValueError("vocabulary")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"'{config_path}' is damaged; {AGAIN}") from None

    tensors, metadata = read_tensors(weights_path)
    check_version(metadata, weights_path)
    if metadata.get("config_sha256") != hashlib.sha256(raw).hexdigest():
        raise UserError(f"'{weights_path}' does not belong to the config.json beside it; {AGAIN}")
    try:
        step, loss = int(metadata["step"]), float(metadata["validation_loss"])
    except (KeyError, ValueError):
        raise UserError(f"'{weights_path}' is damaged; {AGAIN}") from None
    params = transformer.empty(config, vocab_size)
    if {name: array.shape for name, array in tensors.items()} != params.shapes:
        raise UserError(f"'{weights_path}' has other tensors than config.json says; {AGAIN}")
    for name, array in tensors.items():
        if array.dtype != params[name].dtype or not np.isfinite(array).all():
            raise UserError(f"'{weights_path}': {name} is not all finite float32; {AGAIN}")
        params[name][...] = array
    return Checkpoint(config, vocab_size, params, tokenizer, stop_token, prompt, step, loss)


def read(path: Path) -> bytes:
    """The bytes of a file; UserError when there is none."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"no '{path}' ({error.strerror}); {AGAIN}") from None


def read_tensors(path: Path, hint: str = AGAIN) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Tensors and metadata of a safetensors file; UserError when missing or damaged."""
    if not path.is_file():
        raise UserError(f"no '{path}'; {hint}")
    try:
        with safe_open(path, "np") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError):
        raise UserError(f"'{path}' is damaged or truncated; {hint}") from None


def check_version(about: dict, path: Path, hint: str = AGAIN) -> None:
    """UserError unless `about` says our format and version."""
    if about.get("format") != FORMAT:
        raise UserError(f"'{path}' is not a Fixformer model; {hint}")
    if str(about.get("version")) != str(VERSION):
        raise UserError(
            f"'{path}' is of version {about.get('version')}, this program needs {VERSION}; {hint}"
        )
