"""How fast the golden model is here, as one line of JSON: tokens per CPU second.

`python -m quant.speed --help` shows the command line; what is measured is that of `model.speed`.
"""

from __future__ import annotations

import json

from configs import cli
from configs.cli import UserError
from configs.schema import Config
from model import speed, tasks
from quant import qmodel
from quant.golden import GoldenModel


def measure(config: Config, repeats: int, seconds: float) -> dict[str, list[float]]:
    """Tokens per CPU second: one sequence token by token, the same with a trace of every stage,
    and a batch with known tokens."""
    qm = qmodel.load(config.build_dir / "quant")
    if qm.kind != "decoder":
        raise UserError(f"decoders are measured; config '{config.name}' is no decoder")
    model, context = GoldenModel(qm), qm.config["context"]
    prompt = qmodel.encode(qm, qm.meta["prompt"])[:1]
    tokens = tasks.load(config).validation[0][: speed.BATCH]  # [B, T]

    def incremental() -> int:
        return len(model.generate(prompt, context, stop=None))

    def traced() -> int:
        return len(model.generate(prompt, context, stop=None, traces=[]))

    def batch() -> int:
        model.forward(tokens)
        return int(tokens.size)

    return {
        "incremental": speed.rates(incremental, repeats, seconds),
        "traced": speed.rates(traced, repeats, seconds),
        "batch": speed.rates(batch, repeats, seconds),
    }


def main() -> None:
    args = speed.arguments(
        "quant.speed", "Measure the golden model: tokens per CPU second, as JSON."
    )
    print(json.dumps(measure(cli.load_config(args), args.repeats, args.seconds)))


if __name__ == "__main__":
    cli.run(main)
