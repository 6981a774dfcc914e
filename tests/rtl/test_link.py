"""The link between a serial line and the core: every command, with noise, on several streams."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from configs.protocol import FIELDS, HEADER_SIZE, PROBLEMS, VERSION, Kind, Problem, size
from tests.rtl.modules import HDL, cases, check_fails, simulate

pytestmark = pytest.mark.rtl

COMMON = {"LogAnswer": 4, "Timeout": 60, "Gap": 3, "ClockHz": 25000000, "Model": 0x12345678}
SETS = (
    {"Streams": 2, "LogPrompt": 3, "Context": 7, "Vocab": 300, "Counters": 3, **COMMON},
    {"Streams": 1, "LogPrompt": 4, "Context": 16, "Vocab": 60, "Counters": 1, **COMMON},
)
EIGHT = {"Streams": 8, "LogPrompt": 3, "Context": 5, "Vocab": 60, "Counters": 1, **COMMON}


def test_link_of_two_streams(sim_build: Path) -> None:
    simulate("link", "icarus", sim_build, SETS[0])


@pytest.mark.slow
@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_link(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("link", simulator, sim_build, parameters)


@pytest.mark.slow
def test_link_of_eight_streams(sim_build: Path) -> None:
    simulate("link", "icarus", sim_build, EIGHT)


def test_link_checker_fails(sim_build: Path) -> None:
    check_fails("link", sim_build, SETS[0])


def constants(module: str) -> dict[str, int]:
    """The localparams of a module that are a literal."""
    text = (HDL / "board" / f"{module}.sv").read_text()
    found = re.findall(r"localparam logic \[\d+:0\] (\w+) = \d+'([hd])([0-9A-F]+);", text)
    return {name: int(digits, 16 if base == "h" else 10) for name, base, digits in found}


def test_the_modules_know_the_protocol() -> None:
    """The numbers in the Verilog are those of configs/protocol.py."""
    deframer, commands, reporter = (constants(m) for m in ("deframer", "commands", "reporter"))
    names = {"BAD_CRC": Problem.CRC, "BAD_LENGTH": Problem.LENGTH, "TOO_LONG": Problem.TOO_LONG}
    names |= {"STOPPED": Problem.STOPPED, "BAD_LINE": Problem.LINE}
    assert {name: deframer[name] for name in names} == names
    names = {"UNKNOWN": Problem.UNKNOWN, "NO_STREAM": Problem.STREAM, "BUSY": Problem.BUSY}
    names |= {"BAD_FORMAT": Problem.FORMAT, "OVERRUN": Problem.OVERRUN}
    assert {name: commands[name] for name in names} == names
    assert commands["PROMPT"] == Kind.PROMPT
    assert commands["LAST_COMMAND"] == Kind.RESET
    assert commands["HEADER_SIZE"] == HEADER_SIZE
    assert commands["PROMPT_SIZE"] == HEADER_SIZE + size(FIELDS[Kind.PROMPT])
    kinds = ("HELLO", "STATE", "CLEARED", "RESTARTED", "TOKENS", "DONE", "ERROR")
    assert {name: reporter[name] for name in kinds} == {name: Kind[name] for name in kinds}
    assert reporter["VERSION"] == VERSION
    assert set(PROBLEMS) == set(Problem)
