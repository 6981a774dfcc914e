"""The multipliers of FPGA families: the bench of hdl/prim/mul.sv, with a model of the block."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sim import core, runner
from sim.requests import Request
from tests.rtl import machines

pytestmark = pytest.mark.rtl

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = {"ecp5": "MULT18X18D", "ice40": "SB_MAC16", "xilinx7": "DSP48E1"}
SETS = (
    {"AW": 18, "BW": 17},
    {"AW": 4, "BW": 3},
    {"AW": 16, "BW": 16},
    {"AW": 16, "BW": 17},
    {"AW": 17, "BW": 12},
    {"AW": 18, "BW": 18},
)
WIDE = {"AW": 30, "BW": 20}  # left to synthesis


def multiply(family: str, simulator: str, build: Path, parameters: dict, **extra: str) -> None:
    sources = [
        ROOT / "hdl" / "prim" / "sign_extend.sv",
        ROOT / "sim" / "cells" / f"{BLOCKS[family]}.v",
        ROOT / "export" / "primitives" / family / "mul.sv",
    ]
    runner.run(
        "mul",
        sources,
        "sim.tb_mul",
        simulator=simulator,
        build_dir=build / "primitives" / family,
        parameters=parameters,
        env={"PARAMETERS": json.dumps(parameters), **extra},
    )


@pytest.mark.parametrize("family", BLOCKS)
@pytest.mark.parametrize("parameters", [*SETS, WIDE], ids=lambda p: f"{p['AW']}x{p['BW']}")
def test_the_block_multiplies_as_its_twin(family: str, parameters: dict, sim_build: Path) -> None:
    multiply(family, "icarus", sim_build, parameters)


ELEMENTS = (
    {"ActW": 13, "WeightW": 8, "AccW": 24},
    {"ActW": 16, "WeightW": 16, "AccW": 32},
    {"ActW": 3, "WeightW": 2, "AccW": 16},
    {"ActW": 16, "WeightW": 8, "AccW": 36},  # left to synthesis
)


def accumulate(simulator: str, build: Path, parameters: dict, pe: Path | None = None) -> None:
    own = ROOT / "export" / "primitives" / "ice40"
    runner.run(
        "pe",
        [
            *(ROOT / "hdl" / "prim" / f"{name}.sv" for name in ("sign_extend", "resize")),
            ROOT / "sim" / "cells" / "SB_MAC16.v",
            own / "mul.sv",
            pe or own / "pe.sv",
        ],
        "sim.tb_pe",
        simulator=simulator,
        build_dir=build / "primitives" / ("broken" if pe else "ice40"),
        parameters=parameters,
        env={"PARAMETERS": json.dumps(parameters)},
    )


@pytest.mark.parametrize("parameters", ELEMENTS, ids=lambda p: "x".join(map(str, p.values())))
def test_the_block_adds_as_the_element(parameters: dict, sim_build: Path) -> None:
    accumulate("icarus", sim_build, parameters)


def test_verilator_adds_as_well(sim_build: Path) -> None:
    accumulate("verilator", sim_build, ELEMENTS[0])


def test_an_upper_half_without_the_partial_sum_is_seen(sim_build: Path, tmp_path: Path) -> None:
    text = (ROOT / "export" / "primitives" / "ice40" / "pe.sv").read_text()
    assert text.count(".C(psum[31:16])") == 1
    (tmp_path / "pe.sv").write_text(text.replace(".C(psum[31:16])", ".C(16'd0)"))
    with pytest.raises(runner.SimulationError, match="mismatches"):
        accumulate("icarus", sim_build, ELEMENTS[0], tmp_path / "pe.sv")


@pytest.mark.parametrize("norm", ["rmsnorm", "layernorm"])
def test_a_machine_of_blocks_has_the_same_bits(norm: str, sim_build: Path) -> None:
    """The whole core with the multipliers of iCE40, in the model of the block."""
    folder = sim_build / "primitives" / f"machine-{norm}"
    model = {"norm": norm, "bias": norm == "layernorm", "d_model": 8, "d_ff": 12}
    machine = machines.machine(machines.config("blocks", model, 2, 2), 7, folder)
    block = (ROOT / "sim" / "cells" / "SB_MAC16.v").read_text()
    own = ROOT / "export" / "primitives" / "ice40"
    (machine.rtl / "mul.sv").write_text(
        f"`default_nettype wire\n{block}{(own / 'mul.sv').read_text()}"
    )
    (machine.rtl / "pe.sv").write_text((own / "pe.sv").read_text())
    warm = machine.qm.temperature_register(0.9)
    request = Request((1, 2, 3), max_tokens=3, temperature=warm, seed=5)
    outcome = core.simulate(machine, [request], simulator="icarus", out=folder / "sim")
    assert outcome.passed, outcome.mismatches[:3]


@pytest.mark.parametrize("family", BLOCKS)
def test_verilator_agrees(family: str, sim_build: Path) -> None:
    multiply(family, "verilator", sim_build, SETS[0])


def test_the_checker_fails(sim_build: Path) -> None:
    with pytest.raises(runner.SimulationError, match="1 mismatches"):
        multiply("ecp5", "icarus", sim_build, SETS[0], CORRUPT="7")


def test_a_register_less_is_seen(sim_build: Path, tmp_path: Path) -> None:
    family, path = "ecp5", tmp_path / "mul.sv"
    text = (ROOT / "export" / "primitives" / family / "mul.sv").read_text()
    assert text.count('.REG_PIPELINE_CLK("CLK0")') == 1
    path.write_text(text.replace('.REG_PIPELINE_CLK("CLK0")', '.REG_PIPELINE_CLK("NONE")'))
    sources = [
        ROOT / "hdl" / "prim" / "sign_extend.sv",
        ROOT / "sim" / "cells" / "MULT18X18D.v",
        path,
    ]
    with pytest.raises(runner.SimulationError, match="mismatches"):
        runner.run(
            "mul",
            sources,
            "sim.tb_mul",
            simulator="icarus",
            build_dir=sim_build / "primitives" / "broken",
            parameters=SETS[0],
            env={"PARAMETERS": json.dumps(SETS[0])},
        )
