"""The specification of the vector unit on Python integers, for its bench: random steps and results.

A step is what a program word says; a tile is one of its tiles with sums and parameters of every
lane. Nothing here knows of cycles, except the residual stream, which is a sequence of additions.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from sim.bench import pick, round_shift, saturate

OPERAND, RESIDUAL, QUERY, KEY, VALUE, SCORE, LOGIT = range(7)
QKV = (QUERY, KEY, VALUE)
NONE, NORM, RECIP = range(3)
Params = dict[str, int]


@dataclass(frozen=True)
class Step:
    """Fields of the program, named as the ports f_<name>_i."""

    number: int
    tiles: int
    fields: dict[str, int]

    def __getitem__(self, name: str) -> int:
        return self.fields[name]


@dataclass
class Tile:
    """One tile of a step: operands by lane, and what comes out."""

    step: Step
    tile: int
    acc: list[int]
    shift: list[int]
    bias: list[int]
    norm: tuple[int, int]  # mantissa, exponent
    recip: list[tuple[int, int]]  # of every head slot
    position: int
    cos: list[int]
    sin: list[int]
    z: list[int] = field(default_factory=list)
    h: list[int] = field(default_factory=list)  # after the activation
    result: list[int] = field(default_factory=list)

    @property
    def final(self) -> bool:
        return self.tile == self.step.tiles - 1


def draw_step(p: Params) -> Step:
    """A random program word."""
    dest = random.choice((OPERAND, RESIDUAL, RESIDUAL, QUERY, KEY, VALUE, SCORE, LOGIT))
    limit = p["XTiles"] if dest == RESIDUAL else min(2 * p["Groups"] + 3, 1 << p["TileW"])
    whole = dest == QUERY or random.random() < 0.3
    every = (1 << p["Cols"]) - 1
    widths = [bits for bits in (8, 12, 16) if bits <= p["ActW"]]
    bits = random.choice(widths)
    if dest == RESIDUAL:
        bits = random.choice((8, p["ResidualW"]))
    elif dest in (KEY, VALUE):
        bits = random.randint(2, p["KvW"])
    elif dest in (SCORE, LOGIT):
        bits = 16
    fields = {
        "param": random.getrandbits(p["ParamW"]),
        "per_tile": random.randint(0, 1),
        "scalar": random.choice((NONE, NORM, RECIP)),
        "head": random.randrange(p["Heads"]),
        "exponent": 0,  # chosen with the scalar
        "bits": bits,
        "act": int(dest != RESIDUAL and random.random() < 0.4),
        "dest": dest,
        "lanes": every if whole else random.getrandbits(p["Cols"]),
        "dst_word": random.getrandbits(p["OpWordW"]),
        "dst_group": random.randrange(p["Groups"]),
        "dst_kv": random.getrandbits(p["KvAddrW"]),
        "dst_slot": random.getrandbits(p["SlotW"]),
        "amount": random.getrandbits(p["LenW"]),
        "final": random.randint(0, 1),
    }
    return Step(random.getrandbits(p["StepW"]), random.randint(1, limit), fields)


def scalar_of(step: Step, norm: tuple[int, int], recip: list[tuple[int, int]]) -> tuple[int, int]:
    """Mantissa and exponent that a step multiplies with."""
    return {NONE: (1 << 15, 0), NORM: norm, RECIP: recip[step["head"]]}[step["scalar"]]


def draw_scalar() -> tuple[int, int]:
    return pick((0, 1, 1 << 15, 65535), 0, 65535), random.choice((0, 3, random.randint(0, 31)))


def draw_acc(p: Params, shift: int) -> int:
    """Accumulators around the 18-bit clamp and far inside, and the ends of the format."""
    top = (1 << (p["AccW"] - 1)) - 1
    span = min(top, random.choice((1 << 18, 1 << 16, 1 << 8)) << shift)
    return pick((-top - 1, top, 0, -1), -span, span)


def draw_tiles(p: Params, step: Step, position: int) -> list[Tile]:
    """Operands of all tiles; the exponent of the step is written into its fields."""
    cols, one = p["Cols"], 1 << 14
    norm, recip = draw_scalar(), [draw_scalar() for _ in range(p["Heads"])]
    exponent = scalar_of(step, norm, recip)[1]
    wanted = random.choice((random.randint(8, 24), random.randint(0, 63)))
    step.fields["exponent"] = max(-64, wanted - exponent)
    top = 1 << (p["BiasW"] - 1)
    tiles = []
    for tile in range(step.tiles):
        shift = [random.choice((0, 31, random.randint(0, 12))) for _ in range(cols)]
        acc = [draw_acc(p, amount) for amount in shift]
        bias = [random.choice((8, random.randrange(-top, top) >> 3, -top)) for _ in range(cols)]
        cos, sin = ([pick((-one, one, 0), -one, one) for _ in range(cols // 2)] for _ in "cs")
        tiles.append(Tile(step, tile, acc, shift, bias, norm, recip, position, cos, sin))
    return tiles


def activate(z: int, p: Params, bump: list[int]) -> int:
    """ReLU, or GELU as ReLU minus a bump, from its least value on."""
    if not p["Bump"]:
        return max(z, 0)
    lifted = max(z, 0) + p["HiddenZero"] - bump[min(abs(z) >> p["BumpShift"], len(bump) - 1)]
    return min(lifted, (1 << p["HiddenW"]) - 1)


def rotate(x: list[int], cos: list[int], sin: list[int], bits: int) -> list[int]:
    """Adjacent pairs."""
    turned = []
    for pair, (c, s) in enumerate(zip(cos, sin, strict=True)):
        even, odd = x[2 * pair], x[2 * pair + 1]
        turned += [even * c - odd * s, even * s + odd * c]
    return [saturate(round_shift(value, 14), bits) for value in turned]


def finish(t: Tile, p: Params, bump: list[int]) -> None:
    """Everything but the residual sum."""
    mantissa, k = scalar_of(t.step, t.norm, t.recip)
    e = t.step["exponent"] + k
    lanes = zip(t.acc, t.shift, t.bias, strict=True)
    for acc, shift, bias in lanes:
        scaled = (saturate(round_shift(acc, shift), 18) * mantissa) >> e
        t.z.append(saturate((scaled + bias) >> 4, t.step["bits"]))
    t.h = [activate(z, p, bump) for z in t.z] if t.step["act"] else list(t.z)
    t.result = t.h
    if p["Rope"] and t.step["dest"] in (QUERY, KEY):
        t.result = rotate(t.h, t.cos, t.sin, t.step["bits"])
