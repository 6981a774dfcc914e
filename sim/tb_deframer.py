"""deframer: good frames among everything that a line can do to them, against the host's decoder."""

import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from configs.protocol import ESCAPE, FLAG, Problem
from sim.bench import Checker, parameters, read
from sim.link import Decoder, encode

ROUNDS = 120
SILENCE, LINE_ERROR = "silence", "line error"
Item = int | str  # a byte, or what happens to the line


def content(longest: int) -> bytes:
    """Random, with many bytes that must be escaped."""
    length = random.choice((1, 2, longest, random.randint(1, longest)))
    return bytes(random.choice((FLAG, ESCAPE, random.getrandbits(8))) for _ in range(length))


def spoilt(longest: int) -> list[Item]:
    """A frame to which something happened."""
    data: list[Item] = list(encode(content(longest)))
    at = random.randrange(len(data))
    match random.choice(
        "bit drop add cut silence error flag escape long tail garbage none".split()
    ):
        case "bit":
            data[at] = int(data[at]) ^ 1 << random.randrange(8)
        case "drop":
            del data[at]
        case "add":
            data.insert(at, random.getrandbits(8))
        case "cut":
            data = data[:at]
        case "silence":
            data.insert(at, SILENCE)
        case "error":
            data[at] = LINE_ERROR
        case "flag":
            data[at] = FLAG
        case "escape":
            data[at] = ESCAPE
        case "long":
            data = list(encode(bytes(longest + random.randint(1, 20))))
        case "tail":
            data[-1:-1] = [0] * random.randint(1, 3)
        case "garbage":
            data = [random.getrandbits(8) for _ in range(random.randint(1, 20))]
    return data


def judged(items: list[Item], longest: int) -> list[bytes | Problem]:
    """What the host's decoder says."""
    decoder, result = Decoder(longest), []
    for item in items:
        if isinstance(item, int):
            result += list(decoder.feed([item]))
        elif item == LINE_ERROR:
            result.append(decoder.line_error())
        elif problem := decoder.stopped():
            result.append(problem)
    return result


@cocotb.test()
async def finds_frames(dut: Any) -> None:
    longest, timeout = parameters()["MaxLength"], parameters()["Timeout"]
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    items: list[Item] = [FLAG]
    good = 0
    for _ in range(ROUNDS):
        items += spoilt(longest)
        if random.random() < 0.5:  # a good frame behind whatever there was: it must come through
            items += encode(content(longest))
            good += 1
    items += [SILENCE]
    results: list[bytes | Problem] = []
    bytes_now = bytearray()

    def look() -> None:
        """The outputs of this cycle."""
        if str(dut.byte_valid_o.value) == "1":
            assert read(dut.index_o) in (0, len(bytes_now)), "index_o"
            if read(dut.index_o) == 0:
                bytes_now.clear()
            bytes_now.append(int(dut.byte_o.value))
        assert str(dut.good_o.value) + str(dut.bad_o.value) in ("00", "01", "10")
        if str(dut.good_o.value) == "1":
            assert read(dut.length_o) == len(bytes_now), "length_o"
            results.append(bytes(bytes_now))
        if str(dut.bad_o.value) == "1":
            results.append(Problem(int(dut.code_o.value)))

    async def tick(valid: int = 0, data: int = 0, error: int = 0) -> None:
        dut.valid_i.value, dut.data_i.value, dut.error_i.value = valid, data, error
        await FallingEdge(dut.clk_i)
        look()

    dut.rst_i.value = 1
    for _ in range(3):
        dut.valid_i.value, dut.data_i.value, dut.error_i.value = 1, FLAG, 0
        await FallingEdge(dut.clk_i)
    dut.rst_i.value = 0
    for item in items:
        for _ in range(random.choices((0, 1, timeout - 2), (40, 9, 1))[0]):
            await tick(data=random.getrandbits(8))
        if isinstance(item, int):
            await tick(1, item)
        elif item == LINE_ERROR:
            await tick(data=random.getrandbits(8), error=1)
        else:
            for _ in range(timeout + 2):
                await tick()
    await tick()
    check, expected = Checker("deframer"), judged(items, longest)
    check.equal("number of events", len(expected), len(results))
    for index, (want, got) in enumerate(zip(expected, results, strict=False)):
        check.equal(f"event {index} is a frame", isinstance(want, bytes), isinstance(got, bytes))
        numbers = [
            int.from_bytes(e, "big") if isinstance(e, bytes) else int(e) for e in (want, got)
        ]
        check.equal(f"event {index}", *numbers)
    came = [event for event in results if isinstance(event, bytes)]
    assert len(came) >= good, f"{len(came)} frames of at least {good} good ones"
    missing = [code for code in list(Problem)[:5] if code not in results]
    assert not missing, f"never seen: {missing}"
    check.finish()
