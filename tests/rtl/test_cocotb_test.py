"""The benches are ordinary cocotb modules: they also run under cocotb-test, as many people do."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from cocotb_test.simulator import run

from tests.rtl.modules import sources

pytestmark = pytest.mark.rtl
PARAMETERS = {"AW": 5, "BW": 4}


def test_bench_runs_under_cocotb_test(sim_build: Path) -> None:
    results = run(
        toplevel="mul",
        module="sim.tb_mul",
        verilog_sources=[str(path) for path in sources("mul")],
        parameters=PARAMETERS,
        simulator="icarus",
        compile_args=["-g2012"],
        sim_build=str(sim_build / "cocotb-test"),
        extra_env={"PARAMETERS": json.dumps(PARAMETERS), "COCOTB_RANDOM_SEED": "1"},
        timescale="1ns/1ps",
    )
    cases = list(ElementTree.parse(results).iter("testcase"))
    assert [case.get("name") for case in cases] == ["products"]
    assert not list(ElementTree.parse(results).iter("failure"))
