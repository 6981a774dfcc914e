"""How fast the float model is here, as one line of JSON: tokens per CPU second.

`python -m model.speed --help` shows the command line; `quant.speed` is the same for the integers.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

from configs import cli
from configs.cli import UserError
from configs.schema import Config
from model import checkpoint, transformer
from model.generate import at_least, generate
from model.tasks import load as load_task

BATCH = 32  # sequences


def rates(work: Callable[[], int], repeats: int, seconds: float) -> list[float]:
    """Tokens per CPU second, `repeats` times; `work` says how many tokens it processed, and is
    called for at least `seconds` each time (and once before, to warm up)."""
    work()
    result = []
    for _ in range(repeats):
        count, start = 0, time.process_time()
        while (spent := time.process_time() - start) < seconds or not count:
            count += work()
        result.append(round(count / spent, 1) if spent else 0.0)
    return result


def arguments(module: str, description: str) -> argparse.Namespace:
    """The options of both speed measurements."""
    parser = cli.parser(module, description)
    parser.add_argument(
        "--text", help="the text that the model was trained on, if not the config's"
    )
    parser.add_argument("--repeats", type=at_least(int, 1), default=3, help="measurements of each")
    parser.add_argument(
        "--seconds", type=at_least(float, 0.01), default=0.5, help="CPU seconds of a measurement"
    )
    return parser.parse_args()


def measure(config: Config, repeats: int, seconds: float) -> dict[str, list[float]]:
    """Tokens per CPU second: one sequence token by token, and a batch with known tokens."""
    trained = checkpoint.load(config.build_dir / "model")
    if trained.config.kind != "decoder":
        raise UserError(f"decoders are measured; config '{config.name}' is no decoder")
    prompt = trained.tokenizer.encode(trained.prompt)[:1]
    context = trained.config.context
    tokens = load_task(config).validation[0][:BATCH]  # [B, T]

    def incremental() -> int:
        return len(list(generate(trained.params, trained.config, prompt, context)))

    def batch() -> int:
        transformer.forward(trained.params, tokens, trained.config)
        return tokens.size

    return {
        "incremental": rates(incremental, repeats, seconds),
        "batch": rates(batch, repeats, seconds),
    }


def main() -> None:
    args = arguments("model.speed", "Measure the float model: tokens per CPU second, as JSON.")
    print(json.dumps(measure(cli.load_config(args), args.repeats, args.seconds)))


if __name__ == "__main__":
    cli.run(main)
