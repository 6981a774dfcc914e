"""requant_lane: a new accumulator every cycle, its operands sampled on their way.

Corners: ends of the accumulator, exact ties of every shift, both clamps, every exponent, every
output width; the reference is the specification on Python integers.
"""

import random

import cocotb
from cocotb.handle import HierarchyObject

from sim.bench import Checker, Timeline, parameters, pick, play, round_shift, saturate

LATENCY = 7
SAMPLED = {"acc": 0, "shift": 0, "mant": 1, "exp": 4, "bias": 5, "out_bits": 4}
VECTORS = 3000


def accumulator(width: int, shift: int) -> int:
    """Ends of the range, ties around multiples of 2^shift, values near the 18-bit clamp."""
    top = 1 << (width - 1)
    tie = (random.randrange(-300, 300) << shift) + (1 << shift >> 1) + random.choice((-1, 0, 1))
    clamp = random.choice((-1, 1)) * ((131071 << shift) + random.randint(-(1 << shift), 1 << shift))
    corners = (-top, -top + 1, -1, 0, 1, top - 1, tie, clamp)
    value = pick(corners, -top, top - 1) >> random.choice((0, 0, random.randrange(width)))
    return max(-top, min(top - 1, value))


def vector(acc_width: int, bias_width: int) -> dict[str, int]:
    """One set of operands; half of the exponents bring the result near the output's range."""
    shift = pick((0, 1, 31), 0, 31)
    acc = accumulator(acc_width, shift)
    mant = pick((0, 1, 1 << 15, (1 << 16) - 1), 0, (1 << 16) - 1)
    out_bits = pick((2, 8, 12, 16), 2, 16)
    product = saturate(round_shift(acc, shift), 18) * mant
    fitting = max(0, min(63, product.bit_length() - out_bits - 4 + random.randint(-2, 3)))
    top = 1 << (bias_width - 1)
    bias = pick((8, -top, top - 1, 0), -top, top - 1) >> random.randrange(bias_width)
    return {
        "acc": acc,
        "shift": shift,
        "mant": mant,
        "exp": random.choice((fitting, random.randint(0, 63))),
        "bias": random.choice((8, bias)),
        "out_bits": out_bits,
    }


def reference(v: dict[str, int]) -> int:
    """The specification."""
    reduced = saturate(round_shift(v["acc"], v["shift"]), 18)
    scaled = (reduced * v["mant"]) >> v["exp"]
    return saturate((scaled + v["bias"]) >> 4, v["out_bits"])


def at_clamp(acc_width: int, bias_width: int) -> dict[str, int]:
    """One step around the 18-bit clamp, in a result that shows the last bit of it now and then."""
    shift = random.randint(0, max(0, min(31, acc_width - 20)))
    reduced = random.choice((-1, 1)) * random.randint(131070, 131073)
    top = 1 << (acc_width - 1)
    acc = max(-top, min(top - 1, (reduced << shift) + random.randint(-1, 1) * (1 << shift >> 1)))
    bias = random.randrange(min(16, 1 << (bias_width - 1)))
    near = {"acc": acc, "shift": shift, "mant": random.randint(60000, 65000)}
    return near | {"exp": 14, "bias": bias, "out_bits": 16}


@cocotb.test()
async def requantizes(dut: HierarchyObject) -> None:
    acc_width, bias_width = parameters()["AccW"], parameters()["BiasW"]
    widths = {"acc": acc_width, "shift": 5, "mant": 16, "exp": 6, "bias": bias_width, "out_bits": 5}
    timeline, vectors = Timeline(data=widths), []
    for cycle in range(VECTORS):
        make = at_clamp if random.random() < 0.15 else vector
        vectors.append(make(acc_width, bias_width))
        for name, late in SAMPLED.items():
            timeline.at(cycle + late, **{name: vectors[-1][name] & ((1 << widths[name]) - 1)})
    record = await play(dut, timeline, ["z_o"], VECTORS + LATENCY)
    check = Checker("requant_lane")
    for cycle, operands in enumerate(vectors):
        check.lanes(f"z_o of {operands}", [reference(operands)], record["z_o"][cycle + LATENCY], 16)
    check.finish()
