"""`python -m quant.generate`: the text that the golden model, and so the hardware, writes."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from configs import cli
from quant import qmodel
from quant.golden import GoldenModel


def _bounded(low: int, high: int) -> Callable[[str], int]:
    """An argparse type: an integer from low to high."""

    def convert(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not from {low} to {high}")
        return value

    convert.__name__ = "integer"
    return convert


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
    prompt = qmodel.encode(qm, qm.meta["prompt"] if args.prompt is None else args.prompt)
    register = qm.temperature_register(args.temperature)
    tokens = GoldenModel(qm).generate(prompt, args.tokens, register, seed)
    print(qmodel.decode(qm, prompt + tokens))


if __name__ == "__main__":
    cli.run(main)
