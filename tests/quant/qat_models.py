"""Small models of every kind for the tests of training in integers."""

from __future__ import annotations

import numpy as np

from configs.schema import Config
from model.tasks import Batch
from quant import calibrate
from quant.fold import Folded, fold
from quant.random import random_params
from quant.smooth import smooth

VOCAB = 11
TOKENIZER = {"kind": "word", "vocab": [f"t{i}" for i in range(VOCAB)]}
TOKENS = np.random.default_rng(5).integers(0, VOCAB, (3, 9))
KINDS = [
    {"activation": "relu", "positions": "learned", "norm": "rmsnorm"},
    {"activation": "gelu", "positions": "rotary", "norm": "layernorm"},
    {"activation": "swiglu", "positions": "rotary", "n_kv_heads": 1},
    {"activation": "silu", "positions": "sinusoidal"},
    {"activation": "gelu_exact", "n_kv_heads": 1},
    {"kind": "encoder", "activation": "silu", "positions": "rotary"},
    {"kind": "encoder-decoder", "activation": "gelu", "n_kv_heads": 1},
    {"kind": "encoder-decoder", "activation": "swiglu", "positions": "rotary"},
]


def batch_for(config: Config) -> Batch:
    """TOKENS for a model of any kind, with targets at some positions."""
    targets = np.where(np.random.default_rng(1).random(TOKENS.shape) < 0.7, TOKENS, -1)
    source = TOKENS[:, ::-2] if config.model.kind == "encoder-decoder" else None
    return Batch(TOKENS, targets, source=source)


def prepared(config: Config, seed: int = 3) -> tuple[Folded, calibrate.Statistics]:
    folded = fold(random_params(config, seed, VOCAB), config.model)
    folded = smooth(folded, calibrate.collect(folded, batch_for(config)))
    return folded, calibrate.collect(folded, batch_for(config))
