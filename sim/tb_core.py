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
from cocotb.triggers import Event, FallingEdge, First, Timer, with_timeout

from sim.axis import Beat, ProtocolError, Sink, Source

PERIOD_NS = 10
RESET_CYCLES = 3
STOP_FILE = "stop"  # appears when the rest need not be simulated
ANSWERS = "answers.json"


class Stopped(Exception):
    """The comparing process has seen enough."""


class Stream:
    """One pair of streams with its settings; `suffix` is in its signals' names."""

    def __init__(self, dut: Any, suffix: str, watchdog: int) -> None:
        self.dut, self.suffix, self.watchdog = dut, suffix, watchdog
        self.progress, self.inputs = Event(), 0
        self.beats: list[Beat] = []
        self.broken: str | None = None  # rule of the stream
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.source = Source(dut, "s_axis", dut.clk_i, self.took, suffix)
        self.sink = Sink(dut, "m_axis", dut.clk_i, self.gave, suffix)
        for name in ("max_tokens", "stop_token", "stop_enable", "temperature", "seed"):
            self.setting(name, 0)

    def setting(self, name: str, value: int) -> None:
        getattr(self.dut, f"{name}{self.suffix}_i").value = value

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

    async def run(self, request: dict) -> dict:
        """One request: its beats, and whether it ended by its closing beat."""
        self.beats, self.inputs = [], 0
        self.sink.ready.value = 1
        self.setting("max_tokens", request["max_tokens"])
        self.setting("stop_token", request["stop"] or 0)
        self.setting("stop_enable", int(request["stop"] is not None))
        self.setting("temperature", request["temperature"])
        self.setting("seed", request["seed"])
        tasks = [cocotb.start_soon(self.collect())]
        if request["stall"]:
            tasks.append(cocotb.start_soon(self.sink.wobble(request["stall"], self.rng)))
        if request["hold"]:
            tasks.append(cocotb.start_soon(self.sink.hold(request["hold"])))
        sending = self.source.send(request["prompt"], request["idle"], self.rng)
        tasks.append(cocotb.start_soon(sending))
        try:
            if request["reset"]:
                await self.until_moment(request["reset"])
                return {}
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

    async def until_moment(self, reset: dict) -> None:
        """Wait until the reset is to come."""
        while self.inputs < reset["inputs"] or len(self.beats) < reset["outputs"]:
            self.progress.clear()
            await with_timeout(self.progress.wait(), self.watchdog * PERIOD_NS, "ns")
        if reset["cycles"]:
            await Timer(reset["cycles"] * PERIOD_NS, "ns")


class Bench:
    """The design with its clock and all streams; `answers` has a place for every request."""

    def __init__(self, dut: Any, job: dict, answers: list[dict | None]) -> None:
        self.dut, self.requests, self.answers = dut, job["requests"], answers
        suffixes = [f"_{n}" if job["streams"] > 1 else "" for n in range(job["streams"])]
        self.streams = [Stream(dut, suffix, job["watchdog"]) for suffix in suffixes]

    async def start(self) -> None:
        self.dut.counters_clear_i.value = 0
        self.dut.rst_i.value = 1
        Clock(self.dut.clk_i, PERIOD_NS, "ns", impl="gpi").start(start_high=False)
        await self.reset()

    async def reset(self) -> None:
        await FallingEdge(self.dut.clk_i)
        for stream in self.streams:
            stream.source.quiet()
        self.dut.rst_i.value = 1
        for _ in range(RESET_CYCLES):
            await FallingEdge(self.dut.clk_i)
        self.dut.rst_i.value = 0
        for stream in self.streams:
            for name in (f"m_axis_tvalid{stream.suffix}", f"busy{stream.suffix}_o"):
                if str(getattr(self.dut, name).value) != "0":
                    raise ProtocolError(f"{name} is not 0 after reset")

    async def play(self) -> None:
        """All requests, in rounds: each ends with a reset, or with the last request."""
        queues: list[list[int]] = [[] for _ in self.streams]
        for number, request in enumerate(self.requests):
            queues[request["stream"]].append(number)
        while any(queues):
            runs: list[list[int]] = [[] for _ in self.streams]
            for run, queue in zip(runs, queues, strict=True):
                while queue and not self.requests[queue[0]]["reset"]:
                    run.append(queue.pop(0))
            pairs = zip(self.streams, runs, strict=True)
            tasks = [cocotb.start_soon(self.run(*pair)) for pair in pairs]
            if not all([await task for task in tasks]):
                return
            last = {stream: queue.pop(0) for stream, queue in enumerate(queues) if queue}
            if last:
                await self.until_reset(last)

    async def run(self, stream: Stream, numbers: list[int]) -> bool:
        """Requests of one stream, one after the other; False after a problem or an early end."""
        for number in numbers:
            try:
                answer = await stream.run(self.requests[number])
            except Stopped:
                self.answers[number] = {"beats": stream.beats, "problem": None, "reset": True}
                return False
            self.answers[number] = answer
            if answer["problem"]:
                return False
        return True

    async def until_reset(self, last: dict[int, int]) -> None:
        """A request on each of some streams, until the moment of the first reset."""
        tasks = {
            stream: cocotb.start_soon(self.streams[stream].run(self.requests[number]))
            for stream, number in last.items()
        }
        await First(*(task.complete for task in tasks.values()))
        for task in tasks.values():
            if task.done():
                task.result()
            else:
                task.cancel()
        await FallingEdge(self.dut.clk_i)
        for stream, number in last.items():
            beats = self.streams[stream].beats
            self.answers[number] = {"beats": beats, "problem": None, "reset": True}
        await self.reset()


@cocotb.test()
async def plays_the_requests(dut: Any) -> None:
    """Run the job; `answers.json` has one entry per request, null if it was not begun."""
    job = json.loads(Path(os.environ["SIM_JOB"]).read_text())
    answers: list[dict | None] = [None] * len(job["requests"])
    result = {"started": time.time(), "answers": answers, "problem": None, "counters": None}
    try:
        bench = Bench(dut, job, answers)
        await bench.start()
        await bench.play()
        await Timer(job["drain"] * PERIOD_NS, "ns")  # whatever is still written is recorded
        result["counters"] = str(bench.dut.counters_o.value)
    except ProtocolError as error:
        result["problem"] = str(error)
    finally:
        result["ended"] = time.time()
        Path(ANSWERS).write_text(json.dumps(result))
