"""Ask a trained model: `make try CONFIG=digits`. It answers, and says how sure it is.

`python -m model.ask --help` shows the command line.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from configs import cli
from configs.cli import UserError
from configs.schema import DataConfig
from model import checkpoint, questions, transformer
from model.checkpoint import Checkpoint
from model.evaluate import bar
from model.generate import at_least, check_prompt, generate, read

MOST = 5  # candidates shown


def candidates(
    trained: Checkpoint, prompt: list[int], source: np.ndarray | None = None
) -> list[tuple[int, float]]:
    """The likeliest next tokens (for an encoder: answers) and their probabilities."""
    check_prompt(prompt, trained.config)
    inputs: dict[str, Any] = {} if source is None else {"source": source[None]}
    logits = transformer.forward(trained.params, np.array([prompt]), trained.config, **inputs)
    probs = np.exp(logits[0, -1] - logits[0, -1].max(), dtype=np.float64)
    probs /= probs.sum()
    return [(int(token), float(probs[token])) for token in np.argsort(-probs, kind="stable")[:MOST]]


def answer(trained: Checkpoint, text: str, tokens: int) -> str:
    """The likeliest continuation, and below it the candidates for its first token."""
    prompt, source = read(trained, text)
    likely = candidates(trained, prompt, source)
    ids = [likely[0][0]]
    if trained.config.kind != "encoder":
        stop = trained.stop_token
        ids = list(
            generate(trained.params, trained.config, prompt, tokens, stop_token=stop, source=source)
        )
        ids = ids[: ids.index(stop)] if stop in ids else ids
    lines = [f"  {trained.tokenizer.decode(ids)}"]
    for token, probability in likely:
        name = repr(trained.tokenizer.decode([token]))
        lines.append(f"  {name:>12} {probability:8.2%} {bar(probability)}".rstrip())
    return "\n".join(lines)


def answer_question(trained: Checkpoint, text: str, data: DataConfig, tokens: int) -> str:
    """`answer` to a question in whatever spelling, written as people do: 42, not 4 2."""
    question = f"{questions.read(text, data)} {questions.ARROW}"
    words, *bars = answer(trained, question, tokens).split("\n")
    return "\n".join(["  " + words.replace(" ", ""), *bars])


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

    def told(text: str) -> str:
        if config.data.task == "text":
            return answer(trained, text, args.tokens)
        return answer_question(trained, text, config.data, args.tokens)

    if args.prompt is not None:
        print(told(args.prompt))
        return
    print(f"for example: {trained.prompt}   (an empty line ends)")
    for line in _lines():
        try:
            print(told(line))
        except UserError as error:
            print(f"  {error}")


if __name__ == "__main__":
    cli.run(main)
