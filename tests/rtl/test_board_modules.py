"""The static modules of the board top: serial line, frames, queues, reset, lights."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

# 25 MHz and 3 Mbit/s, and 8 cycles a bit; 115200 bit/s at 25 MHz is 217 cycles a bit.
RATES = ({"Step": 2013266}, {"Step": 2097152}, {"Step": 77309})
HELLO = {"Vocab": 300, "Context": 7, "Model": 0x12345678, "ClockHz": 25000000}
SETS: dict[str, tuple[dict[str, int], ...]] = {
    "fifo": ({"W": 5, "LogDepth": 2}, {"W": 16, "LogDepth": 4}, {"W": 1, "LogDepth": 1}),
    "round_robin": ({"N": 3, "IndexW": 2}, {"N": 1, "IndexW": 1}, {"N": 10, "IndexW": 4}),
    "crc32": ({},),
    "uart_rx": RATES,
    "uart_tx": RATES,
    "deframer": ({"MaxLength": 20, "Timeout": 9}, {"MaxLength": 40, "Timeout": 30}),
    "framer": ({"Gap": 11}, {"Gap": 100}),
    "prompt_buffer": ({"LogDepth": 3}, {"LogDepth": 5}),
    "commands": ({"Streams": 2, "LogPrompt": 3}, {"Streams": 1, "LogPrompt": 2}),
    "stream_port": ({"LogPrompt": 3, "LogAnswer": 2}, {"LogPrompt": 1, "LogAnswer": 4}),
    "reporter": (
        {"Streams": 2, "LogAnswer": 2, "Counters": 2, **HELLO},
        {"Streams": 1, "LogAnswer": 4, "Counters": 1, **HELLO},
    ),
    "reset_sync": ({},),
    "status_leds": ({"LogHold": 3},),
}
# Built alone for Verilator in the default tier too; the whole board runs there anyway (tests/e2e).
ALONE = ("uart_rx", "deframer")


def marks(module: str, simulator: object) -> list[pytest.MarkDecorator]:
    return [pytest.mark.slow] if simulator == "verilator" and module not in ALONE else []


CASES = [
    pytest.param(module, *c.values, id=f"{module}-{c.id}", marks=marks(module, c.values[0]))
    for module, sets in SETS.items()
    for c in cases(*sets)
]


@pytest.mark.parametrize(("module", "simulator", "parameters"), CASES)
def test_module(module: str, simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate(module, simulator, sim_build, parameters)


@pytest.mark.parametrize("module", SETS)
def test_checker_fails(module: str, sim_build: Path) -> None:
    check_fails(module, sim_build, SETS[module][0])
