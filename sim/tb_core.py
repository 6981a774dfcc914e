"""cocotb bench of the whole core: plays a list of requests and writes down the answers.

The job comes as a file, because it is made by the process that compares (sim.core). Nothing is
compared here: the design runs freely, and its own trace writer records what it writes.
"""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import Event, FallingEdge, Timer, with_timeout

from sim.axis import Beat, ProtocolError, Sink, Source

PERIOD_NS = 10
RESET_CYCLES = 3
STOP_FILE = "stop"  # appears when the rest need not be simulated
ANSWERS = "answers.json"


class Stopped(Exception):
    """The comparing process has seen enough."""


class Bench:
    """The design with its clock, streams and settings."""

    def __init__(self, dut: Any, watchdog: int) -> None:
        self.dut, self.watchdog = dut, watchdog
        self.progress, self.inputs = Event(), 0
        self.beats: list[Beat] = []
        self.broken: str | None = None  # rule of the stream
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.source = Source(dut, "s_axis", dut.clk_i, self.took)
        self.sink = Sink(dut, "m_axis", dut.clk_i, self.gave)

    def took(self) -> None:
        self.inputs += 1
        self.progress.set()

    def gave(self, beat: Beat) -> None:
        self.beats.append(beat)
        self.progress.set()

    async def collect(self) -> None:
        try:
            await self.sink.collect()
        except ProtocolError as error:
            self.broken = str(error)
            self.progress.set()

    async def start(self) -> None:
        for name in ("max_tokens_i", "stop_token_i", "stop_enable_i", "temperature_i", "seed_i"):
            getattr(self.dut, name).value = 0
        self.dut.counters_clear_i.value = 0
        self.dut.rst_i.value = 1
        Clock(self.dut.clk_i, PERIOD_NS, "ns", impl="gpi").start(start_high=False)
        await self.reset()

    async def reset(self) -> None:
        await FallingEdge(self.dut.clk_i)
        self.dut.rst_i.value = 1
        for _ in range(RESET_CYCLES):
            await FallingEdge(self.dut.clk_i)
        self.dut.rst_i.value = 0
        for name in ("m_axis_tvalid", "busy_o"):
            if str(getattr(self.dut, name).value) != "0":
                raise ProtocolError(f"{name} is not 0 after reset")

    async def run(self, request: dict) -> dict:
        """One request: its beats, and whether it ended by its closing beat."""
        self.beats, self.inputs = [], 0
        self.sink.ready.value = 1
        self.dut.max_tokens_i.value = request["max_tokens"]
        self.dut.stop_token_i.value = request["stop"] or 0
        self.dut.stop_enable_i.value = int(request["stop"] is not None)
        self.dut.temperature_i.value = request["temperature"]
        self.dut.seed_i.value = request["seed"]
        tasks = [cocotb.start_soon(self.collect())]
        if request["stall"]:
            tasks.append(cocotb.start_soon(self.sink.wobble(request["stall"], self.rng)))
        if request["hold"]:
            tasks.append(cocotb.start_soon(self.sink.hold(request["hold"])))
        sending = self.source.send(request["prompt"], request["idle"], self.rng)
        tasks.append(cocotb.start_soon(sending))
        try:
            if request["reset"]:
                await self.until_reset(request["reset"])
                return {"beats": self.beats, "problem": None, "reset": True}
            problem = await self.until_closed(request["hold"])
            return {"beats": self.beats, "problem": problem, "reset": False}
        finally:
            for task in tasks:
                if not task.done():
                    task.cancel()

    async def until_closed(self, extra: int) -> str | None:
        """Wait for the closing beat; a message when nothing moves for too long."""
        limit = self.watchdog + extra
        while not (self.beats and self.beats[-1][2]):
            self.progress.clear()
            try:
                await with_timeout(self.progress.wait(), limit * PERIOD_NS, "ns")
            except cocotb.triggers.SimTimeoutError:
                return (
                    f"no beat for {limit} cycles, after {self.inputs} prompt tokens taken and "
                    f"{len(self.beats)} beats given"
                )
            if self.broken:
                return self.broken
            if Path(STOP_FILE).exists():
                raise Stopped
        await FallingEdge(self.dut.clk_i)
        return None

    async def until_reset(self, reset: dict) -> None:
        while self.inputs < reset["inputs"] or len(self.beats) < reset["outputs"]:
            self.progress.clear()
            await with_timeout(self.progress.wait(), self.watchdog * PERIOD_NS, "ns")
        if reset["cycles"]:
            await Timer(reset["cycles"] * PERIOD_NS, "ns")
        await FallingEdge(self.dut.clk_i)
        self.source.quiet()
        await self.reset()


@cocotb.test()
async def plays_the_requests(dut: Any) -> None:
    """Run the job; `answers.json` has one entry per request that was begun."""
    job = json.loads(Path(os.environ["SIM_JOB"]).read_text())
    answers: list[dict] = []
    result = {"started": time.time(), "answers": answers, "problem": None, "counters": None}
    try:
        bench = Bench(dut, job["watchdog"])
        await bench.start()
        for request in job["requests"]:
            answers.append(await bench.run(request))
            if answers[-1]["problem"]:
                break
        await Timer(job["drain"] * PERIOD_NS, "ns")  # whatever is still written is recorded
        result["counters"] = str(bench.dut.counters_o.value)
    except Stopped:
        answers.append({"beats": bench.beats, "problem": None, "reset": True})
    except ProtocolError as error:
        result["problem"] = str(error)
    finally:
        result["ended"] = time.time()
        Path(ANSWERS).write_text(json.dumps(result))
