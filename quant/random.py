"""Random but plausible integer models of any shape, for tests of everything that follows.

`python -m quant.random --config NAME --vocab 27` writes one where `python -m quant` would write the
trained one: enough to render a machine and to count its cycles.
"""

from __future__ import annotations

import numpy as np

from configs import cli
from configs.cli import UserError
from configs.schema import Config, ModelConfig
from model import transformer
from model.tasks import Batch
from quant import calibrate
from quant.fold import fold
from quant.qmodel import QuantModel
from quant.quantize import quantize
from quant.smooth import smooth
from quant.turn import turned

CALIBRATION_TOKENS = 256
PROMPT_TOKENS = 4


def random_params(config: Config, seed: int, vocab_size: int) -> transformer.Params:
    """Float parameters [as in model.transformer] with lively norms, biases and attention."""
    rng = np.random.default_rng(seed)
    params = transformer.init(config.model, vocab_size, rng, np.float64)
    for name, array in params.items():
        if name.endswith("norm.weight"):
            array[...] = rng.uniform(0.5, 1.5, array.shape) * rng.choice([-1, 1], array.shape)
        elif name.endswith(".bias"):
            array[...] = rng.normal(0.0, 0.3, array.shape)
        elif name.startswith(("embed", "positions")):
            array[...] = rng.normal(0.0, 0.7, array.shape)
        elif name.startswith("head"):
            array[...] = rng.normal(0.0, 2 / np.sqrt(array.shape[1]), array.shape)
        else:
            array *= 1.5 * rng.lognormal(0.0, 0.5, array.shape[1])  # uneven output channels
    return params


def random_batch(model: ModelConfig, rng: np.random.Generator, rows: int, vocab_size: int) -> Batch:
    """Rows of random tokens for a model of any kind, some of them padded where it has padding."""

    def padding() -> np.ndarray:
        return np.arange(model.context) < rng.integers(1, model.context + 1, (rows, 1))

    tokens = rng.integers(0, vocab_size, (rows, model.context))
    if model.kind == "decoder":
        return Batch(tokens, tokens)
    mask = padding()
    if model.kind == "encoder":
        return Batch(tokens, tokens, mask)
    source = rng.integers(0, vocab_size, (rows, model.context))
    return Batch(tokens, tokens, None, source, padding())


def random_model(config: Config, seed: int, vocab_size: int) -> QuantModel:
    """Quantise a random float model of `config` by the real path; words t0, t1, ... as tokens."""
    folded = turned(fold(random_params(config, seed, vocab_size), config.model))
    rng = np.random.default_rng([seed, 1])
    count = max(1, CALIBRATION_TOKENS // config.model.context)
    windows = random_batch(config.model, rng, count, vocab_size)
    tokenizer = {"kind": "word", "vocab": [f"t{index}" for index in range(vocab_size)]}
    prompt = " ".join(f"t{index}" for index in rng.integers(0, vocab_size, PROMPT_TOKENS))
    meta = {"name": config.name, "prompt": prompt, "source": f"random seed {seed}"}
    folded = smooth(folded, calibrate.collect(folded, windows))
    stats = calibrate.collect(folded, windows)
    return quantize(folded, stats, config.quant, tokenizer, None, meta)


def main() -> None:
    parser = cli.parser("quant.random", "An integer model of a config's shape, of random numbers.")
    parser.add_argument("--vocab", type=int, required=True, metavar="N", help="tokens")
    parser.add_argument("--seed", type=int, default=1, help="of the numbers")
    args = parser.parse_args()
    if not 2 <= args.vocab < 2**16:
        raise UserError(f"--vocab {args.vocab}: choose a number of tokens from 2 to {2**16 - 1}")
    config = cli.load_config(args)
    out = config.build_dir / "quant"
    random_model(config, config.train.seed, args.vocab).save(out)
    print(f"written     {out}, random numbers of seed {config.train.seed}")


if __name__ == "__main__":
    cli.run(main)
