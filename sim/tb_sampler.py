"""sampler: many ties, corners, lanes beyond the vocabulary that would win, idle cycles, resets."""

import random

import cocotb
from cocotb.handle import HierarchyObject

from sim.bench import Checker, Timeline, pack, parameters, play

TOKENS = 150


def draw(width: int) -> tuple[int, int]:
    """Range of values: none, few distinct ones, the whole format, one of its ends."""
    top = (1 << (width - 1)) - 1
    return random.choice(((0, 0), (-1, 1), (-top, top), (top - 1, top), (-top, 1 - top)))


@cocotb.test()
async def samples(dut: HierarchyObject) -> None:
    lanes, vocab = parameters()["C"], parameters()["Vocab"]
    noise_width = parameters().get("NoiseW", 20)
    tiles, levels = -(-vocab // lanes), ((lanes - 1).bit_length() + 1) // 2
    data = {"logit": lanes * 16, "noise": lanes * noise_width, "logit_last": 1}
    data["logit_tile"] = max(1, (tiles - 1).bit_length())
    timeline = Timeline(["logit_valid"], data)
    tokens: dict[int, int] = {}
    starts: list[int] = []
    for _ in range(TOKENS):
        columns = []
        for width in (16, noise_width):
            low, high = draw(width)
            columns.append([random.randint(low, high) for _ in range(vocab)])
            columns[-1] += [(1 << (width - 1)) - 1] * (tiles * lanes - vocab)
        logits, noise = columns
        sums = [a + b for a, b in zip(logits[:vocab], noise, strict=False)]
        starts.append(timeline.now)
        for tile in range(tiles):
            here, now = slice(tile * lanes, (tile + 1) * lanes), timeline.now
            timeline.at(now, logit_valid=1, logit_tile=tile, logit_last=int(tile == tiles - 1))
            timeline.at(now, logit=pack(logits[here], 16), noise=pack(noise[here], noise_width))
            timeline.now += random.choice((1, 1, 1, 2, 6))
            last = now
        tokens[last + levels + 2] = sums.index(max(sums))
        if random.random() < 0.04:
            timeline.reset(tokens)
    cycles = timeline.now + levels + 3
    record = await play(dut, timeline, ["token_valid_o", "token_o"], cycles)
    check = Checker("sampler")
    for cycle in range(1, cycles):
        check.equal(f"token_valid_o {cycle}", int(cycle in tokens), record["token_valid_o"][cycle])
        if cycle in tokens:
            following = [start for start in starts if start + levels + 2 > cycle]
            held = min(following[0] + levels + 2, cycles) if following else cycles
            for later in range(cycle, held):
                check.equal(f"token_o {later}", tokens[cycle], record["token_o"][later])
    check.finish()
