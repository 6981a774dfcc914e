"""Small models with their integers, and what the report measures of them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from configs.schema import Config
from model.tasks import Batch
from quant import calibrate, report
from quant.fold import Folded, fold
from quant.golden import GoldenModel
from quant.qmodel import QuantModel
from quant.quantize import quantize
from quant.random import random_batch, random_params
from quant.smooth import smooth

VOCAB = 11
TOKENIZER = {"kind": "word", "vocab": [f"t{i}" for i in range(VOCAB)]}


def models(config: Config, seed: int = 51) -> tuple[Folded, QuantModel]:
    """A random float model, and its integers."""
    folded = fold(random_params(config, seed, VOCAB), config.model)
    windows = random_batch(config.model, np.random.default_rng(seed), 28, VOCAB)
    folded = smooth(folded, calibrate.collect(folded, windows))
    stats = calibrate.collect(folded, windows)
    return folded, quantize(folded, stats, config.quant, TOKENIZER)


def held_out(windows: int = 20) -> Batch:
    tokens = np.random.default_rng(52).integers(0, VOCAB, (windows, 10))
    return Batch(tokens[:, :-1], tokens[:, 1:])


def details(folded: Folded, qm: QuantModel, batch: Batch | None = None) -> dict:
    """`batch`: what is held out, if not `held_out()`."""
    task = SimpleNamespace(validation=batch or held_out())
    return report.details(folded, GoldenModel(qm), task)
