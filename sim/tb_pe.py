"""pe: new operands and a new partial sum every cycle; all products of narrow operands."""

import itertools
import random

import cocotb
from cocotb.handle import HierarchyObject

from sim.bench import Checker, Timeline, parameters, play, signed
from sim.stimuli import words

LATENCY = 4  # of the operands; that of the partial sum is 1


@cocotb.test()
async def accumulates(dut: HierarchyObject) -> None:
    act_width, weight_width, acc_width = (
        parameters()[name] for name in ("ActW", "WeightW", "AccW")
    )
    pairs = list(itertools.product(words(act_width, 10), words(weight_width, 10)))
    random.shuffle(pairs)
    timeline = Timeline(data={"act": act_width, "weight": weight_width, "psum": acc_width})
    psums = [random.choice(words(acc_width)) for _ in pairs]
    for cycle, (act, weight) in enumerate(pairs):
        timeline.at(cycle, act=act, weight=weight)
        timeline.at(cycle + LATENCY - 1, psum=psums[cycle])
    record = await play(dut, timeline, ["psum_o"], len(pairs) + LATENCY)
    check = Checker("pe")
    for cycle, (act, weight) in enumerate(pairs):
        total = psums[cycle] + signed(act, act_width) * signed(weight, weight_width)
        where = f"psum_o of {psums[cycle]} + {act} * {weight}"
        check.lanes(where, [total], record["psum_o"][cycle + LATENCY], acc_width)
    check.finish()
