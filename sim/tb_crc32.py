"""crc32: messages against zlib, and the residue behind a message with its CRC."""

import random
import zlib
from collections.abc import Iterable
from typing import Any

import cocotb
from cocotb.triggers import Timer

from configs.protocol import RESIDUE
from sim.bench import Checker, read

BEGIN = 0xFFFFFFFF


async def register(dut: Any, data: Iterable[int]) -> int:
    """The register behind the bytes `data`."""
    crc = BEGIN
    for byte in data:
        dut.crc_i.value, dut.data_i.value = crc, byte
        await Timer(1, "ns")
        crc = int(read(dut.crc_o))
    return crc


@cocotb.test()
async def checks(dut: Any) -> None:
    check = Checker("crc32")
    check.equal(
        "the catalogue's check value", 0xCBF43926, await register(dut, b"123456789") ^ BEGIN
    )
    messages = [bytes([byte]) for byte in range(256)]
    messages += [random.randbytes(random.randint(1, 40)) for _ in range(40)]
    for message in messages:
        crc = await register(dut, message)
        check.equal(f"message {message.hex()}", zlib.crc32(message), crc ^ BEGIN)
        whole = message + (crc ^ BEGIN).to_bytes(4, "little")
        check.equal(f"residue {message.hex()}", RESIDUE, await register(dut, whole))
    check.finish()
