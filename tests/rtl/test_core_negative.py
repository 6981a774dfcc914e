"""The comparison must fail: one bit of a memory, of an RTL constant, of the golden model.

Each fault is caught and located: the first difference in time names the stage and the position.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from configs.cli import UserError
from export import spec
from quant.golden import GoldenModel
from quant.qmodel import Linear, QuantModel
from quant.random import random_model
from sim import core, report, runner
from sim.mismatch import Mismatch
from sim.requests import Request
from tests.rtl import machines

VOCAB = 13
ASKED = Request((3, 7, 1), max_tokens=3)
ROWS, COLS = 4, 4
SETTINGS = machines.config(
    "negative", {"norm": "rmsnorm", "activation": "relu", "n_layers": 2, "context": 8}, ROWS, COLS
)
pytestmark = pytest.mark.rtl
SIMULATORS = pytest.mark.parametrize("simulator", ["icarus", "verilator"])


@pytest.fixture
def machine(tmp_path: Path) -> core.Machine:
    """A machine of the test's own, to be damaged."""
    return machines.machine(SETTINGS, VOCAB, tmp_path / "good")


def first(
    machine: core.Machine, sim_build: Path, tmp_path: Path, simulator: str, build: str = "negative"
) -> Mismatch:
    """Simulate a damaged machine: the first difference. The report and its files must say so."""
    outcome = core.simulate(
        machine,
        [ASKED],
        simulator=simulator,
        out=tmp_path / "out",
        build=sim_build / "core" / build,
    )
    assert not outcome.passed
    data = report.write(outcome, tmp_path / "out")
    assert data["verdict"] == "failed"
    assert data["mismatches"] == outcome.mismatch_count > 0
    text = report.text(outcome, data)
    assert str(outcome.mismatches[0]) in text
    assert "FAILED" in text.splitlines()[-1]
    assert "<failure" in (tmp_path / "out" / "results.xml").read_text()
    return outcome.mismatches[0]


@SIMULATORS
def test_the_undamaged_machine_passes(
    machine: core.Machine, simulator: str, sim_build: Path, tmp_path: Path
) -> None:
    out, build = tmp_path / "out", sim_build / "core" / "negative"
    outcome = core.simulate(machine, [ASKED], simulator=simulator, out=out, build=build)
    assert outcome.passed
    assert report.write(outcome, out)["verdict"] == "passed"
    assert "<failure" not in (out / "results.xml").read_text()


def flipped(qm: QuantModel, stage: str) -> QuantModel:
    """`qm` with bit 6 of weight [2, 1] of a step inverted."""

    def flip(linear: Linear) -> Linear:
        weight = linear.weight.copy()
        weight[2, 1] ^= 0x40
        return replace(linear, weight=weight)

    if stage == "logits":
        return replace(qm, head=flip(qm.head))
    index, name = int(stage.split(".")[1]), {"ffn_hidden": "up"}.get(stage[9:], stage[9:])
    layers = list(qm.layers)
    layers[index] = replace(layers[index], **{name: flip(getattr(layers[index], name))})
    return replace(qm, layers=tuple(layers))


def first_difference(one: QuantModel, other: QuantModel) -> tuple[int, str, tuple[int, ...]]:
    """Position, stage and element where two golden models differ first."""
    traces: tuple[list, list] = [], []
    for qm, trace in zip((one, other), traces, strict=True):
        GoldenModel(qm).generate(list(ASKED.prompt), ASKED.max_tokens, traces=trace)
    for position, (left, right) in enumerate(zip(*traces, strict=True)):
        for stage in left:
            if (left[stage] != right[stage]).any():
                where = np.argwhere(left[stage] != right[stage])[0]
                return position, stage, tuple(int(i) for i in where)
    raise AssertionError("the fault has no effect")


@SIMULATORS
@pytest.mark.parametrize("stage", ["layers.0.k", "layers.1.ffn_hidden", "logits"])
def test_a_weight(
    machine: core.Machine, stage: str, simulator: str, sim_build: Path, tmp_path: Path
) -> None:
    """Bit 6 of the weight of output 2, input 1: array row 1, lane 2, first wave of the step."""
    built = spec.build(random_model(SETTINGS, machines.SEED, VOCAB), ROWS, COLS)
    step = next(step for step in built.builder.steps if step.stage == stage)
    machines.flip(machine.rtl / "rom_weights_1.hex", step.addr, 8 * 2 + 6)
    found = first(machine, sim_build, tmp_path, simulator)
    expected = first_difference(machine.qm, flipped(machine.qm, stage))
    assert (found.position, found.stage, found.element) == expected
    assert (found.stage, found.tile, found.lane) == (stage, 0, 2)


@SIMULATORS
def test_a_table(machine: core.Machine, simulator: str, sim_build: Path, tmp_path: Path) -> None:
    """One bit of the inverse square root that the first token of the second layer looks up."""
    trace = GoldenModel(machine.qm).step(
        GoldenModel(machine.qm).new_state(), ASKED.prompt[0], sample=False
    )
    x = trace["layers.0.ffn_residual"]
    total = int(x @ x) + machine.qm.eps_int
    k = (total.bit_length() - 1) // 2
    cells = len(machine.qm.tables["rsqrt"]) // 3
    machines.flip(machine.rtl / "rom_rsqrt.hex", (total * cells >> 2 * k) - cells, 0)
    found = first(machine, sim_build, tmp_path, simulator)
    mantissa = int(trace["layers.1.attn_norm"][0])
    assert found.expected == mantissa
    assert found.actual == mantissa ^ 1
    assert (found.stage, found.position, found.element) == ("layers.1.attn_norm", 0, (0,))
    assert found.layer == 1


@SIMULATORS
def test_the_golden_model(
    machine: core.Machine, simulator: str, sim_build: Path, tmp_path: Path
) -> None:
    trace = GoldenModel(machine.qm).step(GoldenModel(machine.qm).new_state(), 3, sample=False)
    alive = int((trace["layers.1.ffn_hidden"] > 0).argmax())
    layer = machine.qm.layers[1]
    layer = replace(layer, down=machines.with_weight(layer.down, 5, alive, 64))
    wrong = replace(machine.qm, layers=(machine.qm.layers[0], layer))
    found = first(replace(machine, qm=wrong), sim_build, tmp_path, simulator)
    assert (found.stage, found.position, found.element) == ("layers.1.ffn_residual", 0, (5,))
    assert found.format == str(wrong.formats["layers.1.ffn_residual"])


QKV = "layers.0.q layers.0.k layers.0.v".split()
CONSTANTS = {  # file, text, what it becomes; possible stages and the position of the difference
    "requantiser_does_not_round": (
        "requant_lane.sv",
        "+ 19'd1;",
        "+ 19'd0;",
        [*QKV, "layers.0.attn_residual"],  # 18 bits are rounded: not every result shows it
        0,
    ),
    "a_bit_inverted": ("requant_lane.sv", "sum_q[SUM_W-1:4]", "sum_q[SUM_W-1:4] ^ 1", QKV, 0),
    "probability_does_not_round": (
        "softmax.sv",
        "shifted + 1'b1",
        "shifted",
        ["layers.0.attn_probs"],
        1,
    ),
    "position_counter_stops": (
        "controller.sv",
        "pos_d = pos_q + 1'b1",
        "pos_d = pos_q",
        ["start"],
        1,
    ),
}


@pytest.mark.parametrize("fault", CONSTANTS)
def test_a_constant_in_the_verilog(
    machine: core.Machine, fault: str, sim_build: Path, tmp_path: Path
) -> None:
    name, old, new, stages, position = CONSTANTS[fault]
    machines.edit(machine.rtl / name, old, new)
    found = first(machine, sim_build, tmp_path, "icarus", f"negative-{fault}")
    assert found.stage in stages
    assert found.position == position


def test_an_unknown_bit(machine: core.Machine, sim_build: Path, tmp_path: Path) -> None:
    lines = (machine.rtl / "rom_tok.hex").read_text().split("\n")
    tiles = SETTINGS.model.d_model // COLS
    word = ASKED.prompt[1] * tiles + 2
    lines[word] = lines[word][:-5] + "x" + lines[word][-4:]  # lane 1
    (machine.rtl / "rom_tok.hex").write_text("\n".join(lines))
    found = first(machine, sim_build, tmp_path, "icarus")
    assert (found.stage, found.position, found.element) == ("embed", 1, (2 * COLS + 1,))
    assert found.actual == "X"


def test_a_machine_that_hangs(machine: core.Machine, sim_build: Path, tmp_path: Path) -> None:
    machines.edit(
        machine.rtl / "controller.sv", "end else if (done_i) begin", "end else if (1'b0) begin"
    )
    out, build = tmp_path / "out", sim_build / "core" / "negative-hang"
    outcome = core.simulate(machine, [ASKED], simulator="icarus", out=out, build=build)
    assert not outcome.passed
    assert outcome.problem is not None
    assert f"no beat for {machine.watchdog} cycles, after 1 prompt tokens" in outcome.problem
    data = report.write(outcome, out)
    assert outcome.problem in report.text(outcome, data)


def test_verilog_that_does_not_compile(
    machine: core.Machine, sim_build: Path, tmp_path: Path
) -> None:
    machines.edit(machine.rtl / "mul.sv", "endmodule", "endmodul")
    with pytest.raises(runner.SimulationError, match=r"cannot build core_tb[\s\S]*mul\.sv"):
        core.simulate(
            machine, [ASKED], simulator="icarus", out=tmp_path, build=sim_build / "core/negative-x"
        )


def test_verilog_of_another_artefact_is_refused(machine: core.Machine, tmp_path: Path) -> None:
    folder = tmp_path / "good"
    machine.qm.save(folder / "quant")
    with pytest.raises(UserError, match=r"was rendered from another .*run 'make rtl CONFIG=small'"):
        core.load(folder, "make rtl CONFIG=small")
    (folder / "rtl" / "manifest.json").write_text("{")
    with pytest.raises(UserError, match="damaged: remove it and run 'make rtl CONFIG=small'"):
        core.load(folder, "make rtl CONFIG=small")
    (folder / "rtl" / "manifest.json").unlink()
    with pytest.raises(UserError, match=r"no Verilog in .*: run 'make rtl CONFIG=small'"):
        core.load(folder, "make rtl CONFIG=small")
    with pytest.raises(UserError, match=r"make quantize|python -m quant"):
        core.load(tmp_path / "nothing", "make rtl CONFIG=small")


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            "core.sv",
            ".N(0),\n      .Reset(1)\n  ) u_prob_event",
            ".N(1),\n      .Reset(1)\n  ) u_prob_event",
            r"position 0: the prompt token took \d+ cycles, \d+ were predicted",
        ),
        (
            "counters.sv",
            "else if (loaded_i && !ready_i) cause",
            "else if (loaded_i && !ready_i && host_i) cause",
            r"counter operand: 0 cycles, \d+ were predicted",
        ),
        (
            "counters.sv",
            "n == 0 || cause_q == CAUSE",
            "n == 0 || cause_q[1:0] == CAUSE[1:0]",
            r"the counters add up to \d+, not to \d+ cycles",
        ),
    ],
)
def test_a_cycle_too_many(
    machine: core.Machine, file: str, old: str, new: str, said: str, sim_build: Path, tmp_path: Path
) -> None:
    """A latency that changes no bit, and counters that lie: only the prediction tells."""
    machines.edit(machine.rtl / file, old, new)
    out, build = tmp_path / "out", sim_build / "core" / "negative-cycles"
    outcome = core.simulate(machine, [ASKED], simulator="icarus", out=out, build=build)
    assert not outcome.passed
    assert outcome.mismatch_count == 0
    assert re.search(said, outcome.problem or "")
    assert report.write(outcome, out)["verdict"] == "failed"
