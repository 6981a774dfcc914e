"""cocotb bench of a whole board: its serial pins are bridged, bit by bit, to a pseudo-terminal.

Whatever opens the terminal talks to the simulated board as to a real one. Noise can be put on both
directions of the line. The job comes from `sim.board`.
"""

from __future__ import annotations

import json
import os
import random
import select
import tty
from contextlib import suppress
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import Timer

from sim.serial_line import PS, Receiver, Sender

LOOK_BITS = 20  # between two looks at the terminal
REST_SECONDS = 0.01  # for which an idle board waits for the host
READY, STOP, PORT = "ready", "stop", "port"
BUSY_LED = 1


class Bridge:
    """A pseudo-terminal on one side, the board's pins on the other."""

    def __init__(self, dut: Any, job: dict) -> None:
        self.dut, self.noise = dut, float(job["noise"])
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)  # kept open: the terminal lives on when a host leaves
        os.set_blocking(self.master, False)
        self.bit = float(job["bit_ns"])
        self.sender = Sender(dut.uart_rx, self.bit)
        self.receiver = Receiver(dut.uart_tx, self.bit, self.to_host)
        self.quiet = 0  # looks since the last byte
        self.lost = self.spoilt = 0

    def to_host(self, byte: int) -> None:
        """A byte of the board, or what noise makes of it."""
        self.quiet = 0
        data = bytes([byte])
        if self.rng.random() < self.noise:
            self.spoilt += 1
            flipped = bytes([byte ^ 1 << self.rng.randrange(8)])
            data = self.rng.choice((b"", flipped, data + flipped))
        try:
            os.write(self.master, data)
        except BlockingIOError:  # nobody reads: as with a real line, it is gone
            self.lost += 1

    async def to_board(self, data: bytes) -> None:
        """Bytes of the host, some of them hit by noise."""
        for byte in data:
            if self.rng.random() < self.noise:
                self.spoilt += 1
                await self.sender.noise(self.rng.uniform(1, 12))
            else:
                await self.sender.byte(byte)

    def working(self) -> bool:
        """The board computes or sends."""
        leds = str(self.dut.leds.value)
        return self.quiet < 4 or leds[len(leds) - 1 - BUSY_LED] != "0"

    async def run(self, where: Path) -> None:
        """Until the file `stop` appears."""
        receiving = cocotb.start_soon(self.receiver.run())
        while not (where / STOP).exists():
            wait = 0.0 if self.working() else REST_SECONDS
            data = b""
            if select.select([self.master], [], [], wait)[0]:
                with suppress(BlockingIOError):
                    data = os.read(self.master, 256)
            if data:
                self.quiet = 0
                await self.to_board(data)
            else:
                self.quiet += 1
                await Timer(round(LOOK_BITS * self.bit * PS), "ps")
        receiving.cancel()


@cocotb.test()
async def serves(dut: Any) -> None:
    """Play the board until told to stop."""
    job = json.loads(Path(os.environ["BOARD_JOB"]).read_text())
    where = Path(job["folder"])
    dut.rst_n.value = 0
    bridge = Bridge(dut, job)
    Clock(dut.clk, job["period_ns"], "ns", impl="gpi").start(start_high=False)
    await Timer(10 * job["period_ns"], "ns")
    dut.rst_n.value = 1
    await Timer(20 * job["period_ns"], "ns")
    link = where / PORT
    link.unlink(missing_ok=True)
    link.symlink_to(os.ttyname(bridge.slave))
    (where / READY).touch()
    try:
        await bridge.run(where)
    finally:
        link.unlink(missing_ok=True)
    cocotb.log.info("%d bytes spoilt, %d bytes not read by a host", bridge.spoilt, bridge.lost)
