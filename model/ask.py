"""Ask a trained model: `make try CONFIG=digits`. It answers, and says how sure it is.

`python -m model.ask --help` shows the command line.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import numpy as np

from configs import cli
from configs.cli import UserError
from model import checkpoint, tasks, transformer
from model.checkpoint import Checkpoint
from model.evaluate import bar
from model.generate import at_least, check_prompt, generate

MOST = 5  # candidates shown


def question(text: str) -> str:
    """`Max(5, 3, 9)` in whatever spelling, as the digits task writes it: `Max ( 5 3 9 ) ->`."""
    name, *digits = re.findall(r"\w+", text) or [""]
    if name not in tasks.OPERATIONS or not re.fullmatch(r"[0-9]( [0-9]){2}", " ".join(digits)):
        names = ", ".join(tasks.OPERATIONS)
        raise UserError(f"ask like `Max ( 5 3 9 )`: one of {names}, and three digits")
    return f"{name} ( {' '.join(digits)} ) ->"


def candidates(trained: Checkpoint, prompt: list[int]) -> list[tuple[int, float]]:
    """The likeliest next tokens and their probabilities."""
    if trained.config.kind != "decoder":
        raise UserError(f"a decoder can be asked; this model is of kind '{trained.config.kind}'")
    check_prompt(prompt, trained.config)
    logits = transformer.forward(trained.params, np.array([prompt]), trained.config)[0, -1]
    probs = np.exp(logits - logits.max(), dtype=np.float64)
    probs /= probs.sum()
    return [(int(token), float(probs[token])) for token in np.argsort(-probs, kind="stable")[:MOST]]


def answer(trained: Checkpoint, text: str, tokens: int) -> str:
    """The likeliest continuation, and below it the candidates for its first token."""
    prompt = trained.tokenizer.encode(text)
    likely = candidates(trained, prompt)
    ids = list(generate(trained.params, trained.config, prompt, tokens, 0.0, None))
    if trained.stop_token in ids:
        ids = ids[: ids.index(trained.stop_token)]
    lines = [f"  {trained.tokenizer.decode(ids)}"]
    for token, probability in likely:
        name = repr(trained.tokenizer.decode([token]))
        lines.append(f"  {name:>12} {probability:8.2%} {bar(probability)}".rstrip())
    return "\n".join(lines)


def _lines() -> Iterator[str]:
    """What the user types, line by line, to the end of the input or an empty line."""
    while True:
        print("> ", end="", flush=True)
        line = sys.stdin.readline().strip()
        if not line:
            print()
            return
        yield line


def main() -> None:
    parser = cli.parser("model.ask", "Ask a trained model; it answers with probabilities.")
    parser.add_argument(
        "--text", help="the text that the model was trained on, if not the config's"
    )
    parser.add_argument("--prompt", help="ask only this (default: read lines until an empty one)")
    parser.add_argument("--tokens", type=at_least(int, 1), default=32, help="most tokens to write")
    args = parser.parse_args()
    config = cli.load_config(args)
    trained = checkpoint.load(config.build_dir / "model")
    as_asked = question if config.data.task == "digits" else str
    if args.prompt is not None:
        print(answer(trained, as_asked(args.prompt), args.tokens))
        return
    print(f"for example: {trained.prompt}   (an empty line ends)")
    for line in _lines():
        try:
            print(answer(trained, as_asked(line), args.tokens))
        except UserError as error:
            print(f"  {error}")


if __name__ == "__main__":
    cli.run(main)
