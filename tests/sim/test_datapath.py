"""The datapath benchmark: its cases are possible machines, and what it reads off a run is right."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from configs import schema
from configs.cli import UserError
from sim import datapath

STAT = """
=== core ===

       12   CCU2C
        6   DP16KD
      100   LUT4
       29   MULT18X18D
        5   TRELLIS_DPR16X4
       70   TRELLIS_FF
"""


@pytest.mark.parametrize("case", datapath.CASES, ids=lambda case: case.name)
def test_cases_are_machines(case: datapath.Case) -> None:
    config = schema.parse("case", tomllib.loads(datapath.config_text(case)))
    hardware = config.hardware
    assert f"{hardware.rows}x{hardware.cols}" == case.array
    assert hardware.streams == case.streams
    assert case.tokens is None or case.tokens <= config.model.context
    assert len({one.name for one in datapath.CASES}) == len(datapath.CASES)


def test_cycles_of_a_trace(tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    trace.write_text("S 7 0 0 0 22 1\nE 11 0 0 ff\nT 106 0 3\nS 107 0 0 1 5 1\nT 249 0 4\n")
    assert datapath.measured(trace) == (121.5, [100, 143])


def test_cells_of_a_report() -> None:
    expected = {"LUT": 100 + 2 * 12 + 4 * 5, "FF": 70, "mult.": 29, "RAM": 6}
    assert datapath.cells(STAT) == expected
    swapped = "\n".join(" ".join(["     ", *line.split()[::-1]]) for line in STAT.splitlines())
    assert datapath.cells(swapped) == expected
    with pytest.raises(UserError, match="no cells"):
        datapath.cells("nothing")


def test_the_table() -> None:
    entry = {"model": "microGPT", "array": "2x8", "streams": 8, "prompt": False}
    entry |= {"mean": 258.7, "floor": 236.0, "utilisation": 0.9124, "bound": "<= 260 cycles"}
    entry |= {"simulated": 128, "cells": None}
    host = {"processor": "P", "cores": 2, "memory_gib": 8.0, "load_before": 0.1, "load_after": 1.0}
    result = {"command": "c", "seed": 1, "host": host, "versions": {}, "cases": [entry]}
    line = datapath.table(result).splitlines()[-1]
    assert "| 2 x 8 | 8 | written | 258.7 | 236.0 | 91.2 % | <= 260 cycles | 128 | - |" in line
    result["cases"] = [entry | {"cells": datapath.cells(STAT)}]
    head, _, line = datapath.table(result).splitlines()[-3:]
    assert head.count("|") == line.count("|")
    assert line.endswith("| 144 | 70 | 29 | 6 |")
