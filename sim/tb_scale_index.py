"""scale_index: every index times the constant."""

from typing import Any

import cocotb
from cocotb.triggers import Timer

from sim.bench import Checker, parameters, read


@cocotb.test()
async def scales(dut: Any) -> None:
    check = Checker("scale_index")
    for index in range(1 << parameters()["InW"]):
        dut.index_i.value = index
        await Timer(1, "ns")
        expected = index * parameters()["Factor"] % (1 << parameters()["OutW"])
        check.equal(f"index {index}", expected, read(dut.product_o))
    check.finish()
