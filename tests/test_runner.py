"""The runner builds once, on both simulators, and a failure or a missing tool is an error."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.cli import UserError
from sim import env, runner

ADDER = """`default_nettype none
module adder #(
    parameter int Width = 8
) (
    input  logic             clk_i,
    input  logic [Width-1:0] a_i,
    b_i,
    output logic [  Width:0] sum_o
);
  always_ff @(posedge clk_i) sum_o <= {1'b0, a_i} + {1'b0, b_i};
endmodule
"""

Simulate = Callable[..., runner.Result]


@pytest.fixture(params=env.SIMULATORS)
def simulate(request: pytest.FixtureRequest, tmp_path: Path) -> Simulate:
    source = tmp_path / "adder.sv"
    source.write_text(ADDER)

    def call(width: int = 8, offset: int = 0, **options: object) -> runner.Result:
        return runner.run(
            "adder",
            [source],
            "tests.runner_bench",
            simulator=request.param,
            build_dir=tmp_path / "build",
            parameters={"Width": width},
            env={"WIDTH": str(width), "OFFSET": str(offset)},
            **{"testcase": "adds"} | options,
        )

    return call


@pytest.mark.rtl
def test_builds_once_until_the_source_changes(simulate: Simulate, tmp_path: Path) -> None:
    first, again, wider = simulate(seed=3), simulate(), simulate(width=12)
    assert (first.tests, first.rebuilt, first.seed, first.waves) == (1, True, 3, None)
    assert (again.rebuilt, wider.rebuilt, simulate().rebuilt) == (False, True, False)
    (tmp_path / "adder.sv").write_text(ADDER.replace("+ {1'b0", "- {1'b0"))
    with pytest.raises(runner.SimulationError, match=r"failed: adds[\s\S]*a \d+, b \d+"):
        simulate()


@pytest.mark.rtl
def test_a_failing_bench_shows_seed_and_log(simulate: Simulate) -> None:
    with pytest.raises(runner.SimulationError, match=r"COCOTB_RANDOM_SEED=5: failed: adds"):
        simulate(offset=1, seed=5)


@pytest.mark.rtl
def test_waves_are_recorded(simulate: Simulate) -> None:
    waves = simulate(waves=True).waves
    assert waves is not None
    assert waves.stat().st_size > 0


@pytest.mark.rtl
def test_a_source_that_does_not_compile_shows_the_log(simulate: Simulate, tmp_path: Path) -> None:
    (tmp_path / "adder.sv").write_text(ADDER.replace("always_ff", "always_fff"))
    with pytest.raises(runner.SimulationError, match=r"cannot build adder[\s\S]*adder\.sv"):
        simulate()


@pytest.mark.rtl
def test_no_test_is_a_failure(simulate: Simulate) -> None:
    with pytest.raises(runner.SimulationError):
        simulate(testcase="nothing_of_this_name")


@pytest.mark.parametrize(
    ("simulator", "names"), [("icarus", "iverilog"), ("verilator", "g.. make")]
)
def test_missing_simulator_is_named(
    monkeypatch: pytest.MonkeyPatch, simulator: str, names: str
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UserError, match=rf"missing {names}.*: run 'make setup', or 'apt install"):
        env.require(simulator)


def test_unknown_simulator_is_named() -> None:
    with pytest.raises(UserError, match="no simulator 'vcs'; there are: icarus, verilator"):
        env.require("vcs")


def test_port_names() -> None:
    assert runner.port_names(ADDER, "adder") == ["clk_i", "a_i", "b_i", "sum_o"]
    header = "module m #(parameter int W = 2) (input wire [$clog2(W)-1:0][3:0] x_i /* y */, // z\n"
    assert runner.port_names(header + "output logic signed [W-1:0] q_o); endmodule", "m") == [
        "x_i",
        "q_o",
    ]


@pytest.mark.rtl
def test_registers_begin_unknown(simulate: Simulate, request: pytest.FixtureRequest) -> None:
    """X in Icarus, random bits that follow the seed in Verilator: never a comfortable zero."""
    logs = [
        simulate(width=30, testcase="begins", seed=seed, random_registers=True).log.read_text()
        for seed in (1, 2, 1)
    ]
    first = [re.findall(r"begins with (\w+)", log) for log in logs]
    if "icarus" in request.node.name:
        assert first == [["X" * 31]] * 3
    else:
        assert first[0] == first[2] != first[1]
