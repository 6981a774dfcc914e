"""`python -m quant.generate`: the text that the golden model, and so the hardware, writes."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from configs import cli
from model.questions import ARROW
from quant import qmodel
from quant.golden import GoldenModel
from quant.qmodel import QuantModel


def _bounded(low: int, high: int) -> Callable[[str], int]:
    """An argparse type: an integer from low to high."""

    def convert(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not from {low} to {high}")
        return value

    convert.__name__ = "integer"
    return convert


def write(qm: QuantModel, text: str, tokens: int, temperature: int, seed: int) -> str:
    """The prompt and what follows it; an encoder answers with its likeliest token."""
    golden, source = GoldenModel(qm), None
    if qm.kind == "encoder-decoder":
        before, _, after = text.partition(ARROW)
        source, text = qmodel.encode(qm, before), f"{ARROW} {after}"
    prompt = qmodel.encode(qm, text)
    if qm.kind == "encoder":
        written = [golden.answer(prompt)]
    else:
        written = golden.generate(prompt, tokens, temperature, seed, source=source)
    return qmodel.decode(qm, [*(source or []), *prompt, *written])


def main() -> None:
    parser = cli.parser("quant.generate", "Continue a prompt with the integer golden model.")
    parser.add_argument(
        "--text", help="the text that the model was trained on, if not the config's"
    )
    parser.add_argument("--prompt", help="text to continue (default: the config's)")
    parser.add_argument(
        "--tokens", type=_bounded(1, 2**31), default=64, help="most tokens to write"
    )
    parser.add_argument(
        "--temperature", type=float, default=0.0, help="0: always the likeliest token"
    )
    parser.add_argument(
        "--seed", type=_bounded(0, 2**32 - 1), default=1, help="of the hardware's random numbers"
    )
    args = parser.parse_args()
    seed, args.seed = args.seed, None  # not the training seed
    config = cli.load_config(args)
    qm = qmodel.load(config.build_dir / "quant")
    prompt = qm.meta["prompt"] if args.prompt is None else args.prompt
    print(write(qm, prompt, args.tokens, qm.temperature_register(args.temperature), seed))


if __name__ == "__main__":
    cli.run(main)
