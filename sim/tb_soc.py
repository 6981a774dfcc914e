"""cocotb bench of the SoC top with cocotbext-axi: registers, requests, back-pressure, resets.

What must be in which register, and what each request must answer, comes as a job from the test.
"""

import itertools
import json
import os
import random
from collections import deque
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, Event, RisingEdge, with_timeout
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiResp,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

from sim.bench import Checker
from sim.tb_axil_slave import throttle

PATIENCE_NS = 4_000_000  # of a request


class Bench:
    """The SoC with masters on its three ports."""

    def __init__(self, dut: Any, job: dict) -> None:
        self.dut, self.job, self.check = dut, job, Checker("soc_top")
        reset = {"reset": dut.aresetn, "reset_active_level": False}
        self.bus = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.aclk, **reset)
        self.source = AxiStreamSource(
            AxiStreamBus.from_prefix(dut, "s_axis"), dut.aclk, byte_size=16, **reset
        )
        self.sink = AxiStreamSink(
            AxiStreamBus.from_prefix(dut, "m_axis"), dut.aclk, byte_size=16, **reset
        )
        self.beats: list[deque[tuple[int, int, int]]] = [deque() for _ in range(job["streams"])]
        self.arrived = Event()
        self.address = {place["name"]: place["address"] for place in job["places"]}

    async def reset(self, cycles: int = 4) -> None:
        self.dut.aresetn.value = 0
        await ClockCycles(self.dut.aclk, cycles)
        self.source.clear()
        self.sink.clear()
        for beats in self.beats:
            beats.clear()
        self.dut.aresetn.value = 1
        await ClockCycles(self.dut.aclk, 2)

    async def read(self, name: str) -> int:
        got = await self.bus.read(self.address[name], 4)
        self.check.equal(f"answer to a read of {name}", AxiResp.OKAY, got.resp)
        return int.from_bytes(got.data, "little")

    async def write(self, name: str, value: int) -> None:
        got = await self.bus.write(self.address[name], value.to_bytes(4, "little"))
        self.check.equal(f"answer to a write of {name}", AxiResp.OKAY, got.resp)

    def manners(self, share: float) -> None:
        """Pauses of source and sink in a share of all cycles."""
        for port in (self.source, self.sink):
            port.set_pause_generator(random.random() < share for _ in itertools.count())
        throttle(self.bus, share)

    async def settings(self, request: dict) -> None:
        stream = request["stream"]
        await self.write(f"max_tokens_{stream}", request["max_tokens"])
        await self.write(f"temperature_{stream}", request["temperature"])
        await self.write(f"seed_{stream}", request["seed"])
        await self.write(f"stop_{stream}", 0)

    async def prompt(self, request: dict) -> None:
        frame = AxiStreamFrame(list(request["prompt"]), tdest=request["stream"])
        await self.source.send(frame)

    async def collect(self) -> None:
        """Beats by stream, for ever: those of several streams take turns within a frame."""
        while True:
            frame: Any = await self.sink.recv(compact=False)
            count = len(frame.tdata)
            ids, users = (
                values if isinstance(values, list) else [values or 0] * count
                for values in (frame.tid, frame.tuser)
            )
            for index, beat in enumerate(zip(frame.tdata, users, ids, strict=True)):
                data, user, stream = map(int, beat)
                self.beats[stream].append((data, user, int(index == count - 1)))
            self.arrived.set()

    async def answer(self, request: dict, what: str) -> None:
        """The next answer of the request's stream, compared up to its closing beat."""
        beats = self.beats[request["stream"]]
        while not any(last for _, _, last in beats):
            self.arrived.clear()
            await with_timeout(self.arrived.wait(), PATIENCE_NS, "ns")
        end = next(index for index, (_, _, last) in enumerate(beats) if last) + 1
        got = [beats.popleft() for _ in range(end)]
        expected = [*((token, 0, 0) for token in request["tokens"]), (request["status"], 1, 1)]
        self.check.equal(f"{what}: beats", len(expected), len(got))
        for index, (want, beat) in enumerate(zip(expected, got, strict=False)):
            for name, one, other in zip(("data", "user", "last"), want, beat, strict=True):
                self.check.equal(f"{what}: t{name} of beat {index}", one, other)
        status = await self.read(f"status_{request['stream']}")
        self.check.equal(f"{what}: STATUS", request["status"], status)


async def registers(bench: Bench) -> None:
    """Every register, and every address where there is none."""
    check, size = bench.check, bench.job["size"]
    there = {place["address"]: place for place in bench.job["places"]}
    for address in range(0, size, 4):
        place = there.get(address)
        got = await bench.bus.read(address, 4)
        wanted = AxiResp.OKAY if place else AxiResp.SLVERR
        check.equal(f"answer to a read at 0x{address:03x}", wanted, got.resp)
        if place and place["value"] is not None:
            value = int.from_bytes(got.data, "little")
            check.equal(f"{place['name']} after reset", place["value"], value)
        if place and place["access"] in ("pulse", "w1c"):
            continue
        data = random.randbytes(4)
        done = await bench.bus.write(address, data)
        writable = place is not None and place["access"] == "rw"
        wanted = AxiResp.OKAY if writable else AxiResp.SLVERR
        check.equal(f"answer to a write at 0x{address:03x}", wanted, done.resp)
        if place is not None and writable:
            byte = random.randrange(4)
            await bench.bus.write(address + byte, b"\xa5")
            data = data[:byte] + b"\xa5" + data[byte + 1 :]
            got = await bench.bus.read(address, 4)
            expected = int.from_bytes(data, "little") & place["mask"]
            check.equal(f"{place['name']} as written", expected, int.from_bytes(got.data, "little"))
            await bench.bus.write(address, bytes(4))


@cocotb.test()
async def serves(dut: Any) -> None:
    job = json.loads(Path(os.environ["SOC_JOB"]).read_text())
    Clock(dut.aclk, 10, "ns", impl="gpi").start(start_high=False)
    dut.aresetn.value = 0
    bench = Bench(dut, job)
    check = bench.check
    await bench.reset()
    await registers(bench)
    cocotb.start_soon(bench.collect())
    # requests on all streams at once, at any manners
    for first in range(0, len(job["requests"]), job["streams"]):
        bench.manners(random.choice((0.0, 0.2, 0.7)))
        together = job["requests"][first : first + job["streams"]]
        for request in together:
            await bench.settings(request)
        for request in together:
            await bench.prompt(request)
        for number, request in enumerate(together, first):
            await bench.answer(request, f"request {number}")
    # an interrupt, and its end
    request = job["requests"][job["streams"] - 1]
    bit = 1 << request["stream"]
    await bench.settings(request)
    await bench.write("events", 0xFFFFFFFF)
    check.equal("irq without an event", 0, int(dut.irq.value))
    await bench.write("irq_enable", bit)
    await bench.prompt(request)
    await with_timeout(RisingEdge(dut.irq), PATIENCE_NS, "ns")
    await bench.answer(request, "with interrupt")
    check.equal("EVENTS", bit, await bench.read("events"))
    await bench.write("events", bit)
    check.equal("EVENTS when cleared", 0, await bench.read("events"))
    check.equal("irq when cleared", 0, int(dut.irq.value))
    # a burst of requests with the same settings, answered in order
    for _ in range(3):
        await bench.prompt(request)
    for number in range(3):
        await bench.answer(request, f"burst {number}")
    # a beat for a stream that is not there
    await bench.source.send(AxiStreamFrame([1, 2, 3], tdest=job["streams"]))
    await bench.source.wait()
    await ClockCycles(dut.aclk, 4)
    check.equal("EVENTS, lost", 1 << 16, await bench.read("events") & 1 << 16)
    check.equal("BUSY", 0, await bench.read("busy"))
    # resets at any time, of the whole and of the core
    for number in range(6):
        bench.manners(random.choice((0.0, 0.3)))
        await bench.prompt(request)
        await ClockCycles(dut.aclk, random.randint(1, job["cycles"]))
        if number % 2:
            bench.source.clear()
            await bench.reset(random.randint(1, 4))
            check.equal("tvalid after reset", 0, int(dut.m_axis_tvalid.value))
            check.equal("SEED after reset", 0, await bench.read(f"seed_{request['stream']}"))
        else:  # the prompt must be over, else what is left of it would be another
            await bench.source.wait()
            await bench.write("control", 1)
            await ClockCycles(dut.aclk, 8)
            check.equal("BUSY after CONTROL.reset", 0, await bench.read("busy"))
            await bench.reset()
        await bench.settings(request)
        await bench.prompt(request)
        await bench.answer(request, f"after reset {number}")
    if "counter_0" in bench.address:
        counted = [await bench.read(f"counter_{n}") for n in range(job["counters"])]
        check.equal("counters: cycles", counted[0], sum(counted[1:]))
        assert counted[0] > 0
        await bench.write("control", 2)
        check.equal("cycles when cleared", 0, await bench.read("counter_0"))
    check.finish()
