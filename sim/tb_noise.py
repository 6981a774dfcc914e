"""noise: seeding, draws in order, every kind of temperature, requests while busy, resets.

busy_o is compared in every cycle, the memory after every finished draw; the generator's state runs
on over the draws, so one draw too many or too few shows in all that follow.
"""

import random

import cocotb
from cocotb.handle import HierarchyObject

from sim.bench import Checker, Table, Timeline, parameters, play, round_shift

ROUNDS = 40
GOLDEN_RATIO = 0x9E3779B9
WORD = 0xFFFFFFFF


def step(state: int) -> int:
    """Marsaglia's xorshift."""
    state ^= state << 13 & WORD
    state ^= state >> 17
    return state ^ (state << 5 & WORD)


def unstep(state: int) -> int:
    """The state before `state`."""
    for shift, left in ((5, True), (17, False), (13, True)):
        mixed = state
        for _ in range(32 // shift):
            state = mixed ^ (state << shift & WORD if left else state >> shift)
    return state


def rare_seed() -> int:
    """A seed whose third draw has at least 16 leading zeros."""
    state = random.getrandbits(16) | 1
    for _ in range(16 + 3):
        state = unstep(state)
    return state ^ GOLDEN_RATIO


def cell(value: int) -> int:
    """Octave and the six bits after its leading one, read from the value's binary digits."""
    digits = f"{value:032b}"
    zeros = min(len(digits) - len(digits.lstrip("0")), 15)
    return zeros * 64 + int(digits[zeros + 1 : zeros + 7], 2)


class Requests:
    """Builds the timeline, and what the generator does with it."""

    def __init__(self, gumbel: list[int]) -> None:
        self.lanes, self.vocab = parameters()["C"], parameters()["Vocab"]
        self.tiles = -(-self.vocab // self.lanes)
        self.gumbel, self.state = gumbel, 0
        data = {"seed": 32, "temp": 16, "read_tile": max(1, (self.tiles - 1).bit_length())}
        self.timeline = Timeline(["load", "draw"], data)
        self.free = 0  # first cycle without work, apart from a waiting draw
        self.busy: set[int] = set()
        self.reads: dict[int, list[int]] = {}

    def load(self, seed: int) -> None:
        """Seeds in the cycle `now`; takes back what is not finished."""
        now = self.timeline.now
        self.timeline.at(now, load=1, seed=seed)
        self.busy = {cycle for cycle in self.busy if cycle <= now} | set(range(now + 1, now + 17))
        self.free = now + 17
        self.state = (seed ^ GOLDEN_RATIO) or GOLDEN_RATIO
        for _ in range(16):
            self.state = step(self.state)

    def draw(self, temp: int) -> list[int]:
        """Asks for a draw in the cycle `now`, which begins when the generator is free."""
        now = self.timeline.now
        self.timeline.at(now, draw=1, temp=temp)
        begin = max(now + 1, self.free)
        self.free = begin + (self.vocab + 10 if temp else 1)
        self.busy |= set(range(now + 1, self.free))
        if not temp:
            return [0] * self.vocab
        values = []
        for _ in range(self.vocab):
            self.state = step(self.state)
            values.append(round_shift(self.gumbel[cell(self.state)] * temp, 12))
        return values

    def read(self, values: list[int]) -> None:
        """Reads all tiles in random order once nothing is busy."""
        self.timeline.now = max(self.timeline.now + 1, self.free)
        for tile in random.sample(range(self.tiles), self.tiles):
            self.timeline.at(self.timeline.now, read_tile=tile)
            row = values[tile * self.lanes : (tile + 1) * self.lanes]
            self.reads[self.timeline.now + 1] = row + [0] * (self.lanes - len(row))
            self.timeline.now += 1


def temperature() -> int:
    """Greedy, the smallest, 1.0 of a logit unit, the largest, any."""
    return random.choice((0, 1, 4096, 65535, random.getrandbits(16)))


def scenario(requests: Requests) -> None:
    """One seeding and what follows it until all is read."""
    timeline = requests.timeline
    seed = random.choice((0, GOLDEN_RATIO, WORD, random.getrandbits(32), rare_seed()))
    requests.load(seed)
    timeline.now += random.choice((0, 1, 16, 17, 40))  # the draw waits, or comes with the seeding
    values = requests.draw(temperature())
    if random.random() < 0.3:  # thought better of
        timeline.now = max(timeline.now, requests.free - random.randint(1, requests.vocab))
        requests.load(random.getrandbits(32))
        values = requests.draw(temperature())
    requests.read(values)
    for _ in range(random.randint(0, 3)):
        values = requests.draw(temperature())
        if random.random() < 0.3:  # a second one waits behind it
            timeline.now = random.randint(timeline.now + 2, max(timeline.now + 2, requests.free))
            values = requests.draw(temperature())
        requests.read(values)
        timeline.now += random.choice((0, 0, 5))
    if random.random() < 0.2:
        requests.draw(65535)
        timeline.now += random.randint(1, requests.vocab + 12)
        timeline.reset()
        requests.busy = {cycle for cycle in requests.busy if cycle < timeline.now}
        requests.free = timeline.now


@cocotb.test()
async def draws(dut: HierarchyObject) -> None:
    width = parameters().get("NoiseW", 20)
    top = 32768 if width == 20 else 16383
    corners = [-top, top - 1, 0, -1, 1]
    gumbel = [random.choice((*corners, *[random.randrange(-top, top)] * 9)) for _ in range(1024)]
    requests = Requests(gumbel)
    for _ in range(ROUNDS):
        scenario(requests)
    cycles = requests.timeline.now + 1
    tables = [Table("gumbel", gumbel, 10, 16)]
    record = await play(dut, requests.timeline, ["busy_o", "noise_o"], cycles, tables)
    check = Checker("noise")
    for cycle in range(1, cycles):
        check.equal(f"busy_o {cycle}", int(cycle in requests.busy), record["busy_o"][cycle])
        if cycle in requests.reads:
            row = requests.reads[cycle]
            check.lanes(f"noise_o {cycle}", row, record["noise_o"][cycle], width)
    check.finish()
