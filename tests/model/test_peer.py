"""What of the comparison with PyTorch needs no PyTorch: the measure, and what is compared."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from configs.cli import UserError
from configs.schema import ModelConfig
from model import peer, transformer


def test_the_measure_sees_one_changed_number() -> None:
    theirs = {"a": np.array([[1.0, -4.0], [2.0, 0.0]]), "b": np.array([1e-6, 2e-6])}
    ours = {name: array.copy() for name, array in theirs.items()}
    assert peer.relative_error(ours, theirs) == 0
    ours["a"][1, 1] = 0.004
    assert peer.relative_error(ours, theirs) == pytest.approx(0.001)
    ours["b"][0] = 2e-6  # small tensors count as much
    assert peer.relative_error(ours, theirs) == pytest.approx(0.5)
    ours["b"][0] = np.nan
    assert np.isnan(peer.relative_error(ours, theirs))
    del ours["b"]
    with pytest.raises(ValueError, match="'b'"):
        peer.relative_error(ours, theirs)


@pytest.mark.parametrize("kind", ["decoder", "encoder", "encoder-decoder"])
def test_every_option_is_compared_in_every_kind(kind: str) -> None:
    configs = [config for config in peer.covering() if config.kind == kind]
    expected = {
        "activation": {"relu", "gelu", "gelu_exact", "silu", "swiglu"},
        "norm": {"layernorm", "rmsnorm"},
        "norm_position": {"pre", "post"},
        "positions": {"learned", "sinusoidal", "rotary"},
        "n_kv_heads": {None, 1, 2},
        "tied_head": {True, False},
        "bias": {True, False},
        "label_smoothing": {0.0, 0.1},
    }
    for option, values in expected.items():
        assert {getattr(config, option) for config in configs} == values, option


def test_without_pytorch_it_says_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    for module in ("model.peer.model", "model.peer.layouts"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    config = ModelConfig(d_model=16)
    for call in (
        lambda: peer.build(config, transformer.empty(config, 5), 5),
        peer.gradient_error,
        peer.import_error,
    ):
        with pytest.raises(UserError, match="pip install torch"):
            call()
