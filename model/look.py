"""Attention maps of a prompt, from the trained weights: as text, and as attention.png.

`python -m model.look --help` shows the command line.
"""

from __future__ import annotations

import numpy as np

from configs import cli
from model import checkpoint, plot, transformer
from model.checkpoint import Checkpoint
from model.generate import read
from model.plot import Map
from model.tokenizer import Tokenizer

SHADES = " ░▒▓█"  # none, then up to a quarter, a half, three quarters, all
WIDE = 40  # tokens; up to here a column of the text is two characters wide


def attention(
    trained: Checkpoint, tokens: list[int], source: np.ndarray | None = None
) -> list[Map]:
    """What each layer sees while it reads; source: (S,), what an encoder-decoder's encoder reads.

    An encoder's positions see all others, those of the rest only what stands before.
    """
    stages: dict[str, np.ndarray] = {}
    inputs = {} if source is None else {"source": source[None]}
    transformer.forward(trained.params, np.array([tokens]), trained.config, stages, **inputs)
    here = labels(trained.tokenizer, tokens)
    there = [] if source is None else labels(trained.tokenizer, source.tolist())
    sorts = [("layer {}", "layers.{}.attn_probs", here, here)]
    if source is not None:
        sorts.insert(0, ("encoder, layer {}", "encoder.layers.{}.attn_probs", there, there))
        sorts.append(("layer {} to encoder", "layers.{}.cross_probs", here, there))
    return [
        Map(title.format(layer), stages[stage.format(layer)][0], rows, columns)
        for title, stage, rows, columns in sorts
        for layer in range(trained.config.n_layers)
    ]


def labels(tokenizer: Tokenizer, tokens: list[int]) -> list[str]:
    """Each token as it can be printed on one line."""
    names = (tokenizer.decode([token]) or tokenizer.vocab[token] for token in tokens)
    return [name if name.isprintable() else repr(name)[1:-1] for name in names]


def as_text(probs: np.ndarray, names: list[str]) -> str:
    """One head: probs (T, S), a row for each token that looks."""
    width = max(map(len, names))
    column = 2 if probs.shape[1] <= WIDE else 1
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
    tokens, source = read(trained, trained.prompt if args.prompt is None else args.prompt)
    maps = attention(trained, tokens, source)
    for title, probs, rows, columns in maps:
        seen = "" if columns == rows else f" (columns: {' '.join(columns)})"
        for head, one in enumerate(probs):
            print(f"{title}, head {head}{seen}", as_text(one, rows), "", sep="\n")
    plot.attention(folder / "attention.png", maps, config.name)
    print(f"row: the token that looks; column: the token it sees; also in {folder}/attention.png")


if __name__ == "__main__":
    cli.run(main)
