"""operand_port: writes of all three sources in random order, dense and apart; a reset."""

import random
from typing import Any

import cocotb

from sim.bench import Checker, Timeline, parameters, play

WRITES, RESETS = 300, 3
SOURCES = ("embed", "tile", "query")
OUTPUTS = ("we_o", "ctx_o", "word_o", "group_o", "lanes_o", "data_o")


@cocotb.test()
async def writes(dut: Any) -> None:
    p = parameters()
    fields = {"ctx": p["CtxW"], "word": p["WordW"], "group": p["GroupW"]}
    fields |= {"data": p["Lanes"] * p["W"]}
    data = {f"{source}_{name}": fields[name] for source in SOURCES for name in fields}
    data["tile_lanes"] = p["Lanes"]
    timeline = Timeline([f"{source}_valid" for source in SOURCES], data)
    expected: dict[int, dict[str, int]] = {}
    resets = set(random.sample(range(WRITES), RESETS))
    for number in range(WRITES):
        source, now = random.choice(SOURCES), timeline.now
        here = {name: random.getrandbits(width) for name, width in fields.items()}
        lanes = random.getrandbits(p["Lanes"]) if source == "tile" else (1 << p["Lanes"]) - 1
        if source == "tile":
            timeline.at(now, tile_lanes=lanes)
        timeline.at(now, **{f"{source}_valid": 1})
        timeline.at(now, **{f"{source}_{name}": value for name, value in here.items()})
        expected[now + 1] = {f"{name}_o": value for name, value in here.items()}
        expected[now + 1] |= {"we_o": 1, "lanes_o": lanes}
        if number in resets:
            timeline.reset(expected)
        else:
            timeline.now += random.choice((1, 1, 1, 2, 4))
    record = await play(dut, timeline, OUTPUTS, timeline.now + 3)
    check = Checker("operand_port")
    for cycle in range(2, timeline.now + 3):
        for name, value in expected.get(cycle, {"we_o": 0}).items():
            check.equal(f"{name} {cycle}", value, record[name][cycle])
    check.finish()
