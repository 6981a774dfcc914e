"""The multipliers of FPGA families: the bench of hdl/prim/mul.sv, with a model of the block."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sim import runner

pytestmark = pytest.mark.rtl

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = {"ecp5": "MULT18X18D", "ice40": "SB_MAC16", "xilinx7": "DSP48E1"}
SETS = ({"AW": 18, "BW": 17}, {"AW": 4, "BW": 3}, {"AW": 16, "BW": 16}, {"AW": 18, "BW": 18})
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
