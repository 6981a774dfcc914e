"""What cannot be rendered is refused in one line that says what to do, and nothing is written."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from configs import files
from configs.cli import UserError
from configs.schema import ConfigError, parse
from export import validate
from quant import qmodel
from quant.random import random_model
from tests.export.helpers import CASES, artefact, build, case, contents, rendered


@pytest.mark.parametrize("array", ["1x4", "4x1", "0x4", "2x257", "257x2"])
def test_arrays_that_serve_no_model(array: str) -> None:
    what = case(array, "16 2 1 32 8")
    with pytest.raises(ConfigError) as error:
        what.config()
    assert_one_line(str(error.value), "hardware")


@pytest.mark.parametrize("array", ["1x4", "4x1"])
def test_the_exporter_refuses_them_too(array: str, tmp_path: Path) -> None:
    what, folder = case(array, "16 2 1 32 8"), tmp_path / "rtl"
    qm = artefact(case("4x4", "16 2 1 32 8"))
    with pytest.raises(UserError) as error:
        rendered(folder, what, qm)
    assert_one_line(str(error.value), f"{what.rows} rows x {what.cols} cols", "at least 2")
    assert list(tmp_path.iterdir()) == []


def with_vocabulary(size: int) -> qmodel.QuantModel:
    """An artefact with so many tokens; the exporter looks at the number first."""
    qm = artefact(case("4x4", "4 1 1 4 4", vocab=2))
    return dataclasses.replace(qm, config=qm.config | {"vocab_size": size})


@pytest.mark.parametrize("size", [65_536, 65_537, 100_000, 2**20])
def test_more_tokens_than_the_streams_carry(size: int, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        rendered(tmp_path / "rtl", CASES["gelu-4x4"], with_vocabulary(size))
    assert_one_line(str(error.value), str(size), "65535")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "change",
    [{"n_kv_heads": 1}, {"activation": "swiglu"}, {"kind": "encoder"}, {"kind": "encoder-decoder"}],
    ids=str,
)
def test_parts_that_the_hardware_does_not_have(change: dict, tmp_path: Path) -> None:
    (option, value), what = next(iter(change.items())), case("4x4", "16 2 1 32 8")
    asked = parse("asked", {"model": what.model | change, "data": {"task": "digits"}})
    qm = random_model(asked, 1, vocab_size=29)
    with pytest.raises(UserError) as error:
        rendered(tmp_path / "rtl", what, qm)
    assert_one_line(str(error.value), f"model.{option} = {value!r}: not yet in hardware", "golden")
    assert list(tmp_path.iterdir()) == []


def test_as_many_tokens_as_the_streams_carry() -> None:
    validate.check(with_vocabulary(65_535))


@pytest.mark.parametrize(
    ("section", "change", "named"),
    [
        ("hardware", {"rows": "8"}, "hardware.rows"),
        ("hardware", {"columns": 8}, "hardware.columns: unknown key"),
        ("hardware", {"rows": 8.0}, "hardware.rows"),
        ("quant", {"weight_bits": 9}, "quant.weight_bits"),
        ("quant", {"weight_bits": 1}, "quant.weight_bits"),
        ("quant", {"act_bits": 17}, "quant.act_bits"),
        ("quant", {"kv_bits": 3}, "quant.kv_bits"),
        ("quant", {"prob_bits": 16}, "quant.prob_bits"),
        ("quant", {"residual_bits": 11}, "quant.residual_bits"),
        ("quant", {"bits": {"layers.9.*": 8}}, "nothing is called 'layers.9.*'"),
        ("quant", {"bits": {"*.up.weight": 9}}, "layers.0.up.weight, which takes 2 to 8"),
        ("quant", {"bits": {"*.q": 7}}, "layers.0.q, which takes 8 to 16"),
        ("quant", {"bits": {"*.v": 17}}, "layers.0.v, which takes 4 to 16"),
        ("quant", {"bits": {"*.v": 8.0}}, "quant.bits.*.v"),
        ("quant", {"score_frac_bits": 9}, "quant.score_frac_bits"),
        ("model", {"d_model": 30, "n_heads": 4}, "d_model 30 is not divisible by n_heads 4"),
        ("model", {"context": 4097}, "model.context"),
        ("model", {"d_model": 12, "n_heads": 4, "positions": "rotary"}, "rotary"),
    ],
)
def test_impossible_configs(section: str, change: dict, named: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse("case", {section: change})
    assert_one_line(str(error.value), named)


def assert_one_line(message: str, *parts: str) -> None:
    assert "\n" not in message
    for part in parts:
        assert part in message, message


CONFIG = """[model]
d_model = 8
n_heads = 2
n_layers = 1
d_ff = 8
context = 4
[hardware]
rows = {rows}
cols = {cols}
"""


class Workshop:
    """A checkout's build folder of its own, in which `python -m export` runs."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.folder = root, folder
        self.build = folder / "build" / "made"
        self.quant, self.rtl = self.build / "quant", self.build / "rtl"

    def export(self, rows: int = 4, cols: int = 4) -> subprocess.CompletedProcess[str]:
        """Run the command line with an array of rows x cols."""
        config = self.folder / "made.toml"
        config.write_text(CONFIG.format(rows=rows, cols=cols))
        program = (
            "import sys; from pathlib import Path; from configs import cli, schema; "
            "schema.BUILD_DIR = Path(sys.argv.pop(1)); from export import __main__; "
            "cli.run(__main__.main)"
        )
        command = [sys.executable, "-c", program, self.folder / "build", "--config", config]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True)

    def refused(self, *parts: str, rows: int = 4, cols: int = 4) -> None:
        """It ends with status 2 and one line on stderr, and leaves everything as it was."""
        before = contents(self.folder / "build")
        run = self.export(rows, cols)
        assert run.returncode == 2, run.stderr
        assert run.stderr.startswith("error: ")
        assert run.stderr.count("\n") == 1, run.stderr
        for part in parts:
            assert part in run.stderr
        assert contents(self.folder / "build") == before


@pytest.fixture
def workshop(root: Path, tmp_path: Path) -> Workshop:
    result = Workshop(root, tmp_path)
    config = case("4x4", "8 2 1 8 4").config()
    random_model(config, seed=1, vocab_size=5).save(result.quant)
    return result


def test_command_line(workshop: Workshop) -> None:
    run = workshop.export()
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    for word in ("4 x 4 = 16 multipliers", "accumulator", "ROM", "floor", str(workshop.rtl)):
        assert word in run.stdout
    manifest = json.loads((workshop.rtl / "manifest.json").read_text())
    names = ("qmodel.json", "qmodel.safetensors")
    assert manifest["source"] == files.sha256(*(workshop.quant / name for name in names))
    assert manifest["config"] == "made"
    # what was rendered before survives every refusal
    workshop.refused("hardware.rows", rows=1, cols=4)
    tensors = workshop.quant / "qmodel.safetensors"
    whole = tensors.read_bytes()
    tensors.write_bytes(whole[:-7])
    workshop.refused("damaged", "make quantize")
    tensors.write_bytes(whole)
    about = workshop.quant / "qmodel.json"
    text = about.read_text()
    about.write_text(text.replace(f'"version": {qmodel.VERSION}', '"version": 0'))
    assert about.read_text() != text
    workshop.refused("version")
    about.unlink()
    workshop.refused("make quantize")


def bits_needed(weights: np.ndarray, x_max: int, shift: int, x_min: int | None = None) -> int:
    """Bits of a signed accumulator for inputs of the worst signs, and for any partial sum, with
    the rounding half of its shift; in Python integers."""
    ends = (-x_max if x_min is None else x_min), x_max
    total = max(
        abs(sum(pick(int(weight) * x for x in (0, *ends)) for weight in weights))
        for pick in (min, max)
    )
    return (total + ((1 << shift) >> 1)).bit_length() + 1


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "quant",
    [
        {},
        {"weight_bits": 2, "act_bits": 8, "kv_bits": 4, "prob_bits": 6},
        {"act_bits": 16, "kv_bits": 16, "prob_bits": 15},
        {"act_bits": 8, "kv_bits": 16, "prob_bits": 6},
        {"weight_bits": 2, "act_bits": 16, "kv_bits": 8, "prob_bits": 15},
        {"residual_bits": 12, "act_bits": 8, "prob_bits": 6, "bits": {"layers.1.v": 16}},
        {"residual_bits": 12, "prob_bits": 15, "bits": {"layers.0.*.weight": 3}},
    ],
    ids=lambda quant: "-".join(str(bits) for bits in quant.values()) or "default",
)
def test_no_sum_overflows_the_accumulator(quant: dict, seed: int) -> None:
    what = case("4x8", "12 2 2 16 6", vocab=9, quant=quant)
    qm = random_model(what.config(), seed, vocab_size=what.vocab)
    p, q = build(what, qm).params, qm.quant
    residual = 2 ** (qm.residual_bits - 1) - 1
    steps, down = [(qm.head, residual)], []
    for index, layer in enumerate(qm.layers):
        out = 2 ** (qm.formats[f"layers.{index}.attn_out"].bits - 1) - 1
        hidden = 2 ** (layer.up.out_bits - 1) - 1
        inputs = {"q": residual, "k": residual, "v": residual, "o": out}
        inputs |= {"up": residual}
        steps += [(getattr(layer, n), x_max) for n, x_max in inputs.items()]
        for weights, shift in zip(layer.down.weight, layer.down.shift, strict=True):
            down.append(bits_needed(weights, hidden, int(shift), 0))
    needed = down + [
        bits_needed(weights, x_max, int(shift))
        for linear, x_max in steps
        for weights, shift in zip(linear.weight, linear.shift, strict=True)
    ]
    for layer in qm.layers:
        act, k, v = (2 ** (part.out_bits - 1) - 1 for part in (layer.q, layer.k, layer.v))
        keys, values = np.full(qm.d_head, k), np.full(qm.config["context"], v)
        needed.append(bits_needed(keys, act, layer.scores_shift))
        needed.append(bits_needed(values, 2 ** q["prob_bits"] - 1, layer.out_shift))
    # a product is sign-extended to the accumulator, so it must not be wider (pe.sv)
    product = p["ActW"] + max(p["WeightW"], p["KvW"])
    assert p["AccW"] == max(*needed, product, 24)
    assert p["ProbW"] < p["ActW"], "probabilities are unsigned, operands signed"
