"""select_word: every number, words of random bits; a number without a word gives 0."""

import random
from typing import Any

import cocotb
from cocotb.triggers import Timer

from sim.bench import Checker, pack, parameters, read

ROUNDS = 50


@cocotb.test()
async def selects(dut: Any) -> None:
    p, check = parameters(), Checker("select_word")
    for _ in range(ROUNDS):
        words = [random.getrandbits(p["W"]) for _ in range(p["N"])]
        dut.words_i.value = pack(words, p["W"])
        for index in range(1 << p["IndexW"]):
            dut.index_i.value = index
            await Timer(1, "ns")
            expected = words[index] if index < p["N"] else 0
            check.equal(f"word {index} of {words}", expected, read(dut.word_o))
    check.finish()
