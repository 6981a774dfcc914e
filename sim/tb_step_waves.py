"""step_waves: random steps, loaded whenever one may be, always ready and not; resets.

The reference unrolls the two loops of a step; every output is compared in every cycle.
"""

import random
from collections import deque
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from sim.bench import RESET_CYCLES, Checker, parameters, read
from sim.tb_sequencer import Step, Wave, draw_step, next_need, unroll

CYCLES = 1500
FIELDS = "slot gate prob word sub inner inner_pos outer outer_pos kv addr inner_stride".split()
FIELDS += ["outer_stride", "last"]


class Bench:
    """One simulation."""

    def __init__(self, dut: Any) -> None:
        self.dut, self.p, self.check, self.cycle = dut, parameters(), Checker("step_waves"), 0
        self.step: Step = {}
        self.waves: deque[Wave] = deque()
        self.issued: Wave | None = None

    def equal(self, port: str, expected: int) -> None:
        actual = read(getattr(self.dut, f"{port}_o"))
        self.check.equal(f"{port}_o, cycle {self.cycle}", int(expected), actual)

    async def tick(self, ready: bool, load: float, *, reset: bool = False) -> None:
        """One cycle; `load`: how often a step is loaded when one may be."""
        dut, p = self.dut, self.p
        await FallingEdge(dut.clk_i)
        issues = bool(self.waves) and ready
        leaving = not self.waves or (issues and len(self.waves) == 1)
        step = draw_step(0, random.randint(1, 2), p)
        number, position = random.getrandbits(p["StepW"]), random.randrange(8 * p["Rows"])
        position = min(position, (p["Rows"] * p["Sub"] << p["TileW"]) - 1)
        begins = leaving and not reset and random.random() < load
        values = {f"f_{name}": step[name] for name in FIELDS}
        values |= {"rst": int(reset), "load": int(begins), "step": number, "ready": int(ready)}
        values |= {"pos_waves": position // p["Rows"]}
        values |= {"pos_tiles": position // (p["Rows"] * p["Sub"])}
        for name, value in values.items():
            getattr(dut, f"{name}_i").value = value
        await Timer(1, "ns")
        if self.cycle >= RESET_CYCLES:
            self.compare(issues, leaving)
        self.issued = self.waves.popleft() if issues and not reset else None
        if reset:
            self.waves.clear()
        if begins:
            self.step, self.waves = step, deque(unroll(number, step, position, p))
        self.cycle += 1

    def compare(self, issues: bool, leaving: bool) -> None:
        """All outputs of this cycle; the wave was issued in the cycle before."""
        self.equal("wave_valid", self.issued is not None)
        for name, value in (self.issued or {}).items():
            if name != "need":
                self.equal(f"wave_{name}", value)
        self.equal("valid", bool(self.waves))
        self.equal("issue", issues)
        self.equal("leaving", leaving)
        if self.waves:
            step, wave = self.step, self.waves[0]
            values = {"last": step["last"], "ending": wave["final"], "step": wave["step"]}
            values |= {"outer": self.waves[-1]["tile"], "need": next_need(self.waves, issues)}
            for name, value in (values | {"slot": step["slot"], "gate_slot": step["gate"]}).items():
                self.equal(name, value)


@cocotb.test()
async def issues_waves(dut: Any) -> None:
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    bench = Bench(dut)
    for share, load in ((1.0, 1.0), (0.6, 1.0), (0.9, 0.3)):
        for _ in range(RESET_CYCLES):
            await bench.tick(True, 0.0, reset=True)
        for _ in range(CYCLES // 3):
            reset = random.random() < 0.005
            await bench.tick(random.random() < share, load, reset=reset)
    bench.check.finish()
