"""Generation: a text is continued, or an answer given, token by token (`decoder.py`).

`python -m model.generate --help` shows the command line.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from configs import cli
from configs.cli import UserError
from configs.schema import ModelConfig
from model import checkpoint, transformer
from model.checkpoint import Checkpoint
from model.decoder import Decoder
from model.questions import ARROW
from model.tokenizer import Tokenizer

Array = np.ndarray


def choose(logits: Array, temperature: float, rng: np.random.Generator | None) -> int:
    """The next token: the most likely one at temperature 0, otherwise a draw from
    softmax(logits / temperature) by the Gumbel-max rule."""
    if temperature == 0 or rng is None:
        return int(logits.argmax())
    return int((logits / temperature + rng.gumbel(size=logits.shape)).argmax())


def generate(
    params: transformer.Params,
    config: ModelConfig,
    prompt: list[int],
    tokens: int,
    temperature: float = 0.0,
    rng: np.random.Generator | None = None,
    stop_token: int | None = None,
    source: Array | None = None,
) -> Iterator[int]:
    """Yield up to `tokens` tokens after the prompt; ends early after the stop token, or when the
    context is full (the token sampled at the last position is still yielded).

    source: (S,) ints, what the encoder of an encoder-decoder reads; the prompt begins the answer.
    """
    check_prompt(prompt, config)
    decoder = Decoder(params, config, source)
    for token in prompt:
        logits = decoder.step(token)
    for count in range(1, tokens + 1):
        token = choose(logits, temperature, rng)
        yield token
        if token == stop_token or count == tokens or decoder.position == config.context:
            return
        logits = decoder.step(token)


def read(trained: Checkpoint, text: str) -> tuple[list[int], Array | None]:
    """Token ids of a prompt; for an encoder-decoder of what follows `source ->` or of the arrow
    alone, and of the source (S,)."""
    encode, before = trained.tokenizer.encode, None
    if trained.config.kind == "encoder-decoder":
        before, _, after = text.partition(ARROW)
        text = f"{ARROW} {after}"
    prompt, source = encode(text), None if before is None else np.array(encode(before), int)
    check_prompt(prompt, trained.config)
    if source is not None:
        check_prompt(source, trained.config, "what comes before `->`")
    return prompt, source


def check_prompt(
    prompt: Sequence[int] | Array, config: ModelConfig, what: str = "the prompt"
) -> None:
    """UserError unless the prompt has 1 to context tokens."""
    if not 1 <= len(prompt) <= config.context:
        raise UserError(
            f"{what} has {len(prompt)} tokens; give 1 to {config.context} (the context)"
        )


def continuation(
    tokenizer: Tokenizer, prompt: list[int], ids: list[int], source: Array | None = None
) -> str:
    """The text that source, prompt and generated ids make together."""
    return tokenizer.decode([*(() if source is None else source), *prompt, *ids])


def at_least(kind: type, least: float) -> Callable[[str], float]:
    """An argparse type: a number that is finite and no less than `least`."""

    def convert(text: str) -> float:
        value = kind(text)
        if not least <= value < math.inf:
            raise argparse.ArgumentTypeError(f"{text} is not a number of {least} or more")
        return value

    convert.__name__ = kind.__name__
    return convert


def main() -> None:
    parser = cli.parser("model.generate", "Continue a prompt with the float model.")
    parser.add_argument(
        "--text", help="the text that the model was trained on, if not the config's"
    )
    parser.add_argument("--prompt", help="text to continue (default: the config's)")
    parser.add_argument("--tokens", type=at_least(int, 1), default=64, help="most tokens to write")
    parser.add_argument(
        "--temperature", type=at_least(float, 0), default=0.0, help="0: always the likeliest token"
    )
    parser.add_argument("--seed", type=at_least(int, 0), default=1, help="of the random draws")
    args = parser.parse_args()
    config = cli.load_config(args)
    trained = checkpoint.load(config.build_dir / "model")
    text = trained.prompt if args.prompt is None else args.prompt
    prompt, source = read(trained, text)
    ids = generate(
        trained.params,
        trained.config,
        prompt,
        args.tokens,
        args.temperature,
        np.random.default_rng(args.seed),
        trained.stop_token,
        source,
    )
    print(continuation(trained.tokenizer, prompt, list(ids), source))


if __name__ == "__main__":
    cli.run(main)
