"""softmax: heads of 1..Tiles tiles in all slots, as close as allowed or with idle cycles.

Every output is compared in the cycle that the latencies name. Absent lanes carry random scores,
so that one that is not masked is seen. The reciprocal table is random: an index is right or not.
"""

import random
from dataclasses import dataclass, field

import cocotb
from cocotb.handle import HierarchyObject

from sim.bench import Checker, Record, Table, Timeline, pack, parameters, play, round_shift

HEADS = 120
TOP = 32767


@dataclass
class Expected:
    """What is to come out, by cycle."""

    probs: dict[int, tuple[int, int, int, list[int]]] = field(default_factory=dict)
    recips: dict[int, tuple[int, int, int]] = field(default_factory=dict)


def head_scores(count: int) -> list[int]:
    """Scores of one head: equal ones, close ones, ends of the range, the largest last or first."""
    kind = random.randrange(5)
    if kind == 0:
        return [random.choice((-TOP, 0, TOP))] * count
    low, high = ((-TOP, TOP), (-200, 200), (-TOP, -TOP + 3), (-3000, 3000))[kind - 1]
    scores = [random.choice((low, high, random.randint(low, high))) for _ in range(count)]
    scores[random.choice((0, -1, random.randrange(count)))] = high
    return scores


def probabilities(scores: list[int], exp2: list[int], frac_bits: int) -> list[int]:
    """The specification."""
    mask, largest = (1 << frac_bits) - 1, max(scores)
    gaps = [largest - score for score in scores]
    return [round_shift(exp2[gap & mask], min(gap >> frac_bits, 31)) for gap in gaps]


def reciprocal(total: int, table: list[int]) -> tuple[int, int]:
    """Mantissa and exponent."""
    k = total.bit_length() - 1
    return table[(total * len(table) >> k) - len(table)], k


def slot_bits(p: dict[str, int]) -> int:
    """Width of a slot number."""
    return (p["Slots"] - 1).bit_length()


class Heads:
    """Builds the timeline head by head."""

    def __init__(self, exp2: list[int], recip: list[int]) -> None:
        self.p = parameters()
        self.exp2, self.recip = exp2, recip
        lanes, tiles = self.p["C"], self.p["Tiles"]
        self.levels = ((lanes - 1).bit_length() + 1) // 2
        data = {"score": lanes * 16, "score_slot": slot_bits(self.p), "score_last": 1}
        data |= {"score_tile": max(1, (tiles - 1).bit_length()), "score_present": lanes}
        self.timeline, self.expected = Timeline(["score_valid"], data), Expected()
        self.last, self.last_tiles, self.slot = 0, 0, 0

    def add(self, idle: bool) -> None:
        """One head; `idle`: with pauses between its tiles and before it."""
        lanes, tiles = self.p["C"], random.choice((1, self.p["Tiles"], 0))
        tiles = tiles or random.randint(1, self.p["Tiles"])
        count = random.choice((1, lanes, random.randint(1, lanes)))  # of the last tile
        scores = head_scores((tiles - 1) * lanes + count)
        self.slot = (self.slot + random.randint(1, self.p["Slots"] - 1)) % self.p["Slots"]
        for tile in range(tiles):
            self.timeline.now += random.choice((0, 0, 1, 4)) if idle else 0
            last = tile == tiles - 1
            if last:
                self.timeline.now = max(self.timeline.now, self.last + self.last_tiles)
            row = scores[tile * lanes : (tile + 1) * lanes]
            row += [random.randint(-TOP, TOP) for _ in range(lanes - len(row))]
            here = {"score_slot": self.slot, "score_tile": tile, "score_last": int(last)}
            if last:
                here["score_present"] = (1 << count) - 1
            self.timeline.at(self.timeline.now, score_valid=1, score=pack(row, 16), **here)
            self.timeline.now += 1
        self.last, self.last_tiles = self.timeline.now - 1, tiles
        self.expect(scores, tiles)

    def expect(self, scores: list[int], tiles: int) -> None:
        """The outputs of the head whose last tile is in the cycle `self.last`."""
        lanes = self.p["C"]
        probs = probabilities(scores, self.exp2, self.p["FracBits"])
        padded = probs + [0] * (tiles * lanes - len(probs))
        first = self.last + self.levels + 4
        for tile in range(tiles):
            row = padded[tile * lanes : (tile + 1) * lanes]
            self.expected.probs[first + tile] = (self.slot, tile, int(tile == tiles - 1), row)
        ready = first + tiles - 1 + self.levels + 6
        self.expected.recips[ready] = (self.slot, *reciprocal(sum(probs), self.recip))


def compare(check: Checker, record: Record, stimuli: Heads) -> None:
    """Every cycle: valid bits; in their cycle the data; the held reciprocals of all slots."""
    expected, prob_bits = stimuli.expected, stimuli.p["ProbBits"]
    held: dict[int, tuple[int, int]] = {}
    for cycle in range(1, len(record["prob_valid_o"])):
        now = {name: values[cycle] for name, values in record.items()}
        if cycle - 1 in stimuli.timeline.cycles["rst"]:
            held = {}
        check.equal(f"prob_valid_o {cycle}", int(cycle in expected.probs), now["prob_valid_o"])
        check.equal(f"recip_valid_o {cycle}", int(cycle in expected.recips), now["recip_valid_o"])
        if cycle in expected.probs:
            slot, tile, last, row = expected.probs[cycle]
            check.equal(f"prob_slot_o {cycle}", slot, now["prob_slot_o"])
            check.equal(f"prob_tile_o {cycle}", tile, now["prob_tile_o"])
            check.equal(f"prob_last_o {cycle}", last, now["prob_last_o"])
            check.lanes(f"prob_o {cycle}", row, now["prob_o"], prob_bits)
        if cycle in expected.recips:
            slot, mantissa, exponent = expected.recips[cycle]
            check.equal(f"recip_slot_o {cycle}", slot, now["recip_slot_o"])
            held[slot] = (mantissa, exponent)
        if len(held) == stimuli.p["Slots"]:
            slots = range(stimuli.p["Slots"])
            mantissas, exponents = zip(*(held[slot] for slot in slots), strict=True)
            check.lanes(f"recip_mant_o {cycle}", mantissas, now["recip_mant_o"], 16)
            check.lanes(f"recip_exp_o {cycle}", exponents, now["recip_exp_o"], 6)


@cocotb.test()
async def heads(dut: HierarchyObject) -> None:
    p = parameters()
    top, octave = (1 << p["ProbBits"]) - 1, 1 << p["FracBits"]
    exp2 = [round(top * 2 ** (-f / octave)) for f in range(octave)]
    bits = parameters().get("RecipBits", 6)
    recip = [random.getrandbits(16) for _ in range(1 << bits)]
    stimuli = Heads(exp2, recip)
    for head in range(HEADS):
        stimuli.add(idle=head % 40 >= 20)
        if random.random() < 0.04:
            stimuli.timeline.reset(stimuli.expected.probs, stimuli.expected.recips)
    ports = ["prob_valid_o", "prob_slot_o", "prob_tile_o", "prob_last_o", "prob_o"]
    ports += ["recip_valid_o", "recip_slot_o", "recip_mant_o", "recip_exp_o"]
    tables = [Table("exp2", exp2, p["FracBits"], p["ProbBits"], p["C"])]
    tables += [Table("recip", recip, bits, 16)]
    cycles = stimuli.timeline.now + p["Tiles"] + 20
    record = await play(dut, stimuli.timeline, ports, cycles, tables)
    check = Checker("softmax")
    compare(check, record, stimuli)
    check.finish()
