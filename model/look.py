"""Attention maps of a prompt, from the trained weights: as text, and as attention.png.

`python -m model.look --help` shows the command line.
"""

from __future__ import annotations

import numpy as np

from configs import cli
from configs.cli import UserError
from model import checkpoint, plot, transformer
from model.checkpoint import Checkpoint
from model.generate import check_prompt
from model.tokenizer import Tokenizer

SHADES = " ░▒▓█"  # none, then up to a quarter, a half, three quarters, all
WIDE = 40  # tokens; up to here a column of the text is two characters wide


def attention(trained: Checkpoint, tokens: list[int]) -> list[np.ndarray]:
    """Probabilities per layer, (H, T, T): row = the token that looks, column = the one seen."""
    if trained.config.kind == "encoder-decoder":
        raise UserError("model.look shows models that read one text; this one reads two")
    check_prompt(tokens, trained.config)
    stages: dict[str, np.ndarray] = {}
    transformer.forward(trained.params, np.array([tokens]), trained.config, stages)
    return [stages[f"layers.{layer}.attn_probs"][0] for layer in range(trained.config.n_layers)]


def labels(tokenizer: Tokenizer, tokens: list[int]) -> list[str]:
    """Each token as it can be printed on one line."""
    names = (tokenizer.decode([token]) for token in tokens)
    return [name if name.isprintable() else repr(name)[1:-1] for name in names]


def as_text(probs: np.ndarray, names: list[str]) -> str:
    """One head: probs (T, T), a row for each token that looks."""
    width = max(map(len, names))
    column = 2 if len(names) <= WIDE else 1
    shade = np.ceil(probs * (len(SHADES) - 1) - 0.05).astype(int)  # under 1 % is none
    return "\n".join(
        f"{name:>{width}} │" + "".join(SHADES[level] * column for level in row)
        for name, row in zip(names, shade, strict=True)
    )


def main() -> None:
    parser = cli.parser("model.look", "Show where each head looks while it reads a prompt.")
    parser.add_argument(
        "--text", help="the text that the model was trained on, if not the config's"
    )
    parser.add_argument("--prompt", help="text to read (default: the config's)")
    config = cli.load_config(args := parser.parse_args())
    folder = config.build_dir / "model"
    trained = checkpoint.load(folder)
    tokens = trained.tokenizer.encode(trained.prompt if args.prompt is None else args.prompt)
    maps, names = attention(trained, tokens), labels(trained.tokenizer, tokens)
    for layer, heads in enumerate(maps):
        for head, probs in enumerate(heads):
            print(f"layer {layer}, head {head}", as_text(probs, names), "", sep="\n")
    plot.attention(folder / "attention.png", maps, names, config.name)
    print(f"row: the token that looks; column: the token it sees; also in {folder}/attention.png")


if __name__ == "__main__":
    cli.run(main)
