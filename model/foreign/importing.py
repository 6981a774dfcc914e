"""A model of others becomes one of the project: build/<name>/model and a config beside it."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

from configs import schema, stages
from configs.cli import UserError
from configs.files import write_text
from configs.schema import CONFIG_DIR, Config, DataConfig
from model import checkpoint
from model.checkpoint import Checkpoint
from model.foreign import llama2c
from model.foreign.layouts import Found
from model.tokenizer import Bpe, ScoredTokenizer, Tokenizer

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9 ._+,@-]*")  # as the Makefile takes them
ENDS = ("<|endoftext|>", "</s>", "<|end_of_text|>")  # tokens after which a text is over


def tokenizer_of(path: Path | None, text: Path | None, vocab_size: int) -> Tokenizer:
    """The tokenizer in a file, or of a text's characters; it must have the model's vocabulary."""
    if path is not None and path.suffix == ".bin":
        tokenizer: Tokenizer = llama2c.load_tokenizer(path)
    elif path is not None:
        try:
            tokenizer = Bpe.parse(json.loads(path.read_bytes()))
        except ValueError as error:
            raise UserError(
                f"'{path}': expected a tokenizer.json, or llama2.c's tok.bin ({error})"
            ) from None
    elif text is not None:
        try:
            tokenizer = Tokenizer.of(text.read_text(encoding="utf-8"), "char")
        except ValueError as error:
            raise UserError(f"'{text}': expected UTF-8 text ({error})") from None
    else:
        raise UserError(
            "weights need a tokenizer: give --tokenizer (a tokenizer.json or tok.bin), or --text, "
            "what a model of characters was trained on (meta.pkl is a pickle and not read)"
        )
    if (size := len(tokenizer.vocab)) != vocab_size:
        raise UserError(f"'{path or text}' has {size} tokens: the model needs {vocab_size}")
    return tokenizer


def write(name: str, found: Found, tokenizer: Tokenizer, text: Path | None = None) -> Path:
    """Write the model as build/<name>/model, and a config of it, whose path is returned.

    Its step is 0: nothing of it was trained here. The stages are written too, so that `make` takes
    it as trained.
    """
    if not NAME.fullmatch(name):
        raise UserError(f"--name '{name}': choose letters, digits, spaces and . _ + , @ - only")
    if (CONFIG_DIR / f"{name}.toml").exists():
        raise UserError(f"--name '{name}': there is a config of that name; choose another")
    data = DataConfig()
    if text is not None:
        data = data.model_copy(update={"text": str(text.resolve())})
    config = Config(name=name, model=found.config, data=data)
    folder = config.build_dir / "model"
    if (folder / "weights.safetensors").exists() and checkpoint.load(folder).step:
        raise UserError(f"'{folder}' holds a model that was trained; choose another --name")
    stop = [token for token in ENDS if token in tokenizer.ids]
    stop_token = tokenizer.ids[stop[0]] if stop else None
    if isinstance(tokenizer, ScoredTokenizer):
        stop_token = tokenizer.BOS  # llama2.c begins texts with it, and ends them nowhere else
    prompt = data.prompt
    if not tokenizer.knows(prompt) or len(tokenizer.encode(prompt)) > found.config.context:
        prompt = "" if text is None else text.read_text(encoding="utf-8")[:4]
    vocab_size = len(tokenizer.vocab)
    trained = Checkpoint(
        found.config, vocab_size, found.params, tokenizer, stop_token, prompt, 0, math.inf
    )
    checkpoint.save(folder, trained)
    path = config.build_dir / f"{name}.toml"
    write_text(path, _toml(config))
    stages.write(schema.load(str(path)))
    (config.build_dir / "stages" / "trained").touch()
    return path


def _toml(config: Config) -> str:
    """The sections of a config that are not at their defaults."""
    lines = ["# Weights of others, imported; training begins with random ones."]
    for section in ("model", "data"):
        values = getattr(config, section).model_dump(exclude_defaults=True)
        lines += ["", f"[{section}]"]
        lines += [
            f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()
        ]
    return "\n".join(lines) + "\n"
