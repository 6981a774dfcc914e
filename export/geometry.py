"""The one place where widths, depths and addresses of the machine are derived.

Everything here follows from the artefact's shapes and the array R x C; templates and static modules
receive the numbers, and nothing computes them twice. `docs/architecture.md` has the pictures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from configs import lanes
from configs.cli import UserError
from quant.qmodel import QuantModel

MIN_ACC_W = 24  # what requant_lane needs at least
SERIAL_PASSES = 4  # cycles that the squares or the rotation of a tile may take
EMBED_PASSES = 2  # the squares, with several streams
SOFTMAX_SLOTS = 8  # heads in flight at most: the scores of the next run during a softmax

# Scoreboard slots; heads follow from FIRST_HEAD_SLOT on.
SLOT_NONE, SLOT_NOISE, SLOT_X, SLOT_Q, SLOT_K, SLOT_V, SLOT_ATTN, SLOT_HIDDEN = range(8)
FIRST_HEAD_SLOT = 8


def width(values: int) -> int:
    """Bits that count `values` different values, at least one."""
    return max(1, (values - 1).bit_length())


def ceil_div(a: int, b: int) -> int:
    return -(-a // b)


def divisor_at_most(number: int, limit: int) -> int:
    """The largest divisor of `number` that is <= limit (at least 1)."""
    return max(d for d in range(1, number + 1) if number % d == 0 and d <= max(1, limit))


@dataclass(frozen=True)
class Geometry:
    """Shape of one machine: array rows x cols, and the model that it runs."""

    rows: int
    cols: int
    d_model: int
    n_heads: int
    d_ff: int
    n_layers: int
    context: int
    vocab: int
    rotary: bool
    streams: int = 1

    @classmethod
    def of(cls, qm: QuantModel, rows: int, cols: int, streams: int = 1) -> Geometry:
        if rows < 2 or cols < 2:
            raise UserError(f"array of {rows} rows x {cols} cols: both must be at least 2")
        c = qm.config
        return cls(
            rows=rows,
            cols=cols,
            d_model=c["d_model"],
            n_heads=c["n_heads"],
            d_ff=c["d_ff"],
            n_layers=c["n_layers"],
            context=c["context"],
            vocab=qm.vocab_size,
            rotary=c["positions"] == "rotary",
            streams=streams,
        )

    # ---- contexts: tokens in flight, as many as streams, each with a place of its own
    @property
    def ctx_w(self) -> int:
        """Bits of the number of a context or stream."""
        return width(self.streams)

    # ---- waves, tiles, words
    def waves(self, n: int) -> int:
        """Waves of `rows` elements that n elements take."""
        return ceil_div(n, self.rows)

    def tiles(self, n: int) -> int:
        """Tiles of `cols` elements that n elements take."""
        return ceil_div(n, self.cols)

    def words(self, n: int) -> int:
        """Operand memory words that n elements take."""
        return ceil_div(n, self.word)

    @property
    def word(self) -> int:
        """Elements of an operand word: whole waves and whole tiles."""
        return math.lcm(self.rows, self.cols)

    @property
    def sub(self) -> int:
        """Waves in an operand word."""
        return self.word // self.rows

    @property
    def groups(self) -> int:
        """Tiles in an operand word."""
        return self.word // self.cols

    def row_lanes(self) -> list[list[int]]:
        """For each row the lane of a tile that each of its memories stores, the last one first."""
        return [
            [(s * self.rows + row) % self.cols for s in reversed(range(self.sub))]
            for row in range(self.rows)
        ]

    @property
    def d_head(self) -> int:
        return self.d_model // self.n_heads

    @cached_property
    def head_waves(self) -> int:
        """Waves of one head's query; queries and keys are padded to whole waves."""
        return lanes.head_waves(self.d_head, self.n_heads, self.rows, self.cols, rotary=self.rotary)

    @property
    def head_stride(self) -> int:
        """Channels that a head takes in the padded layout of queries and keys."""
        return self.head_waves * self.rows

    def head_places(self, head: int) -> list[int]:
        """The place of each channel of a head in that layout."""
        return lanes.head_places(
            head * self.head_stride, self.d_head, self.cols, rotary=self.rotary
        )

    @property
    def padded_channels(self) -> int:
        return self.n_heads * self.head_stride

    # ---- serial units: how many cycles they may take between tiles
    @property
    def norm_passes(self) -> int:
        """Cycles in which a tile is squared: few multipliers, but ready when they are needed.

        With several streams nothing else happens in the cycles of the embedding's tiles."""
        serial = SERIAL_PASSES if self.streams == 1 else EMBED_PASSES
        limit = min(serial, self.waves(self.d_model))
        fitting = [
            passes
            for passes in range(1, limit + 1)
            if self.cols % passes == 0 and self.norm_latency(passes) <= self.dependent_latency
        ]
        return max(fitting, default=1)

    def norm_latency(self, passes: int) -> int:
        """Cycles from the last residual tile to the norm scalar (sum_squares and scalar_lut, behind
        a register)."""
        return 1 + passes + 3 + (width(self.cols // passes) + 1) // 2 * (self.cols > passes) + 4

    @property
    def dependent_latency(self) -> int:
        """Cycles from a write to the choice of a scalar for the first wave that may read it."""
        return self.rows + 6 + self.seen

    @property
    def seen(self) -> int:
        """Cycles from an event to the first wave that may follow it. The scoreboard of one stream
        answers a cycle ahead; with several a step waits for all of its operand before it begins."""
        return 2 if self.streams == 1 else 1

    @property
    def norm_wait(self) -> int:
        """Cycles by which a residual write is announced late, so that its scalar is there."""
        return max(0, self.norm_latency(self.norm_passes) - self.dependent_latency)

    @property
    def rope_passes(self) -> int:
        return divisor_at_most(self.cols, min(SERIAL_PASSES, self.waves(self.d_model)))

    @property
    def rope_latency(self) -> int:
        return self.rope_passes + 5 if self.rotary else 0

    @property
    def value_waves(self) -> int:
        """Waves of a tile in the value step: the last keys are still being written. With several
        contexts a foreign tile may follow it, which must not meet a rotated query on its way."""
        rope = self.rope_passes if self.rotary else 1
        waves = max(self.key_waves, rope)
        if self.streams > 1:
            keys = self.tiles(self.padded_channels) * waves
            waves = max(waves, ceil_div(self.rope_latency - keys, self.tiles(self.d_model)))
        return waves

    @property
    def rope_period(self) -> int:
        """Tiles after which the lanes' places in their heads repeat."""
        return math.lcm(self.head_stride, self.cols) // self.cols

    @property
    def key_waves(self) -> int:
        """Waves of a tile in the key step: a tile is written to several addresses, one a cycle."""
        return max(self.waves(self.d_model), lanes.most_key_writes(self.rows, self.cols))

    # ---- operand memory
    @cached_property
    def operand_words(self) -> dict[str, int]:
        """First word of each vector, and under 'end' the depth."""
        sizes = {
            "x": self.d_model,
            "q": self.tiles(self.padded_channels) * self.cols,
            "attn": self.d_model,
            "hidden": self.d_ff,
        }
        place, result = 0, {}
        for name, size in sizes.items():
            result[name] = place
            place += self.words(size)
        # steps padded to more waves than their vector has read on into the following words
        result["end"] = place + self.words(self.value_waves * self.rows)
        return result

    @property
    def slots(self) -> int:
        """Heads whose softmax may be in flight."""
        return max(2, min(SOFTMAX_SLOTS, self.n_heads))

    @property
    def head_w(self) -> int:
        return width(self.slots)

    @property
    def prob_words_w(self) -> int:
        """Address bits of one head's probabilities."""
        return width(self.words(self.context))

    @property
    def prob_words(self) -> int:
        return self.slots << self.prob_words_w

    # ---- KV cache
    @property
    def k_stride(self) -> int:
        """Words between two waves of keys: tiles of positions."""
        return self.tiles(self.context)

    @property
    def v_stride(self) -> int:
        """Words between two row groups of values: tiles of channels."""
        return self.tiles(self.d_model)

    @property
    def k_words(self) -> int:
        waves = ceil_div(self.tiles(self.padded_channels) * self.cols, self.rows)
        return waves * self.k_stride

    @property
    def v_words(self) -> int:
        return self.waves(self.context) * self.v_stride

    def k_base(self, layer: int) -> int:
        return layer * (self.k_words + self.v_words)

    def v_base(self, layer: int) -> int:
        return self.k_base(layer) + self.k_words

    @property
    def kv_depth(self) -> int:
        """Words of one stream."""
        return self.n_layers * (self.k_words + self.v_words)

    # ---- counters
    @property
    def count_w(self) -> int:
        """Wave counter of a tile."""
        longest = max(self.d_model, self.d_ff, self.head_stride, self.context)
        return width(max(self.waves(longest), self.key_waves, self.value_waves))

    @property
    def tile_w(self) -> int:
        longest = max(self.d_model, self.d_ff, self.padded_channels, self.context, self.vocab)
        return width(self.tiles(longest))

    @property
    def len_w(self) -> int:
        """Element counts of the scoreboard, with room for the padding of a wave and a tile."""
        longest = max(self.d_model, self.d_ff, self.padded_channels, self.context)
        return (longest + self.rows + self.cols + self.value_waves * self.rows).bit_length()

    @property
    def op_word_w(self) -> int:
        return width(max(self.operand_words["end"], self.prob_words))

    @property
    def score_slots(self) -> int:
        """Scoreboard slots."""
        return FIRST_HEAD_SLOT + self.slots

    # ---- the floor
    def weight_macs(self) -> int:
        """Multiply-accumulates of a sampled token with constant weights, no padding."""
        per_layer = 4 * self.d_model**2 + 2 * self.d_model * self.d_ff
        return self.n_layers * per_layer + self.d_model * self.vocab

    def macs(self, position: int, *, sampled: bool = True) -> int:
        """Multiply-accumulates of the token at `position`, attention included, no padding."""
        head = 0 if sampled else self.d_model * self.vocab
        return self.weight_macs() - head + self.n_layers * 2 * self.d_model * (position + 1)
