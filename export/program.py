"""The program of one token: the steps that the sequencer issues and the vector unit finishes.

A step multiplies one operand vector with a matrix. `build` writes them in an order that hides
latency: queries, keys, values; then the scores of all heads that fit, so that the softmax of a head
runs during the scores of the next; then probabilities times values, and the rest of the block.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from export import geometry as geo
from export.geometry import Geometry
from quant.qmodel import Layer, Linear, QuantModel

SCALAR = {"none": 0, "norm": 1, "recip": 2}
DEST = {
    "operand": 0,
    "residual": 1,
    "query": 2,
    "key": 3,
    "value": 4,
    "score": 5,
    "logit": 6,
    "none": 7,
}
ROUND_BIAS = 8


@dataclass
class Step:
    """One step. Numbers are fields of the program ROM; see sequencer.sv and vector_unit.sv."""

    stage: str  # the golden model's name of what is written
    # issue
    slot: int
    word: int
    inner: int  # last wave of a tile
    outer: int  # last tile
    clear: int = geo.SLOT_NONE
    gate: int = geo.SLOT_NONE
    prob: int = 0
    sub: int = 0
    inner_pos: int = 0
    outer_pos: int = 0
    kv: int = 0
    addr: int = 0
    inner_stride: int = 1
    outer_stride: int = 0
    sample_only: int = 0
    last: int = 0
    # issue, with several streams: what the scheduler must know of this step and of the next one
    score: int = 0
    sticky: int = 0  # the next step needs nothing more, and follows at once
    attended: int = 0  # the last step that reads a layer's keys and values
    next_slot: int = 0
    next_gate: int = 0
    next_layer: int = 0
    next_sample: int = 0
    # finish
    param: int = 0
    per_tile: int = 1
    scalar: int = SCALAR["none"]
    head: int = 0
    exponent: int = 0
    bits: int = 16
    act: int = 0
    dest: int = DEST["operand"]
    lanes: int = 0
    dst_word: int = 0
    dst_group: int = 0
    dst_kv: int = 0
    dst_slot: int = geo.SLOT_NONE
    amount: int = 0
    final: int = 0
    # contents and trace, not in the ROM
    matrix: np.ndarray | None = None  # [tiles*cols, waves*rows] padded weights
    shifts: np.ndarray | None = None  # [tiles*cols]
    biases: np.ndarray | None = None  # [tiles*cols]
    elements: list[int] = field(default_factory=list)  # golden index per lane of every tile, -1 pad
    head_index: int | None = None  # scores: which head; the elements are positions
    norm: str | None = None  # stage of the norm scalar that follows this residual write


ISSUE_FIELDS = (
    "slot clear gate prob word sub inner inner_pos outer outer_pos kv addr inner_stride "
    "outer_stride sample_only last"
).split()
SCHEDULE_FIELDS = "score sticky attended next_slot next_gate next_layer next_sample".split()
FINISH_FIELDS = (
    "param per_tile scalar head exponent bits act dest lanes dst_word dst_group dst_kv dst_slot "
    "amount final"
).split()


class Builder:
    """Appends steps, and hands out weight and parameter addresses in program order."""

    def __init__(self, qm: QuantModel, g: Geometry) -> None:
        self.qm, self.g = qm, g
        self.steps: list[Step] = []
        self.weight_words = 0
        self.param_words = 0

    def linear(
        self,
        stage: str,
        linear: Linear,
        out_rows: np.ndarray | None = None,
        min_waves: int = 1,
        **fields: Any,
    ) -> Step:
        """A step with constant weights; `out_rows`: golden channel of each output lane, -1 pad."""
        g = self.g
        n_out, n_in = linear.weight.shape
        rows = np.arange(n_out) if out_rows is None else out_rows
        tiles = g.tiles(len(rows))
        waves = max(g.waves(n_in), min_waves)
        lanes = np.full(tiles * g.cols, -1)
        lanes[: len(rows)] = rows
        used = lanes >= 0
        matrix = np.zeros((tiles * g.cols, waves * g.rows), np.int64)
        matrix[used, :n_in] = linear.weight[lanes[used]]
        shifts = np.where(used, linear.shift[np.maximum(lanes, 0)], 0)
        biases = np.where(used, linear.bias[np.maximum(lanes, 0)], ROUND_BIAS)
        step = Step(
            stage=stage,
            inner=waves - 1,
            outer=tiles - 1,
            addr=self.weight_words,
            outer_stride=waves,
            param=self.param_words,
            exponent=linear.exponent,
            bits=linear.out_bits,
            lanes=(1 << g.cols) - 1,
            amount=g.cols,
            final=1,
            matrix=matrix,
            shifts=shifts,
            biases=biases,
            elements=lanes.tolist(),
            **fields,
        )
        self.weight_words += tiles * waves
        self.param_words += tiles
        self.steps.append(step)
        return step

    def cached(self, stage: str, shift: int, **fields: Any) -> Step:
        """A step whose matrix is the KV cache: one parameter word for all tiles."""
        step = Step(
            stage=stage,
            kv=1,
            param=self.param_words,
            per_tile=0,
            shifts=np.full(self.g.cols, shift),
            biases=np.full(self.g.cols, ROUND_BIAS),
            **fields,
        )
        self.param_words += 1
        self.steps.append(step)
        return step

    def scores(self, prefix: str, layer: Layer, index: int, head: int) -> None:
        g = self.g
        first_wave = head * g.head_waves
        self.cached(
            f"{prefix}.attn_scores",
            layer.scores_shift,
            slot=geo.SLOT_Q,
            gate=geo.SLOT_K,
            clear=geo.FIRST_HEAD_SLOT + head % g.slots,
            word=g.operand_words["q"] + first_wave // g.sub,
            sub=first_wave % g.sub,
            inner=g.head_waves - 1,
            outer=0,
            outer_pos=1,
            addr=g.k_base(index) + first_wave * g.k_stride,
            inner_stride=g.k_stride,
            outer_stride=1,
            exponent=layer.scores_exponent,
            dest=DEST["score"],
            head=head % g.slots,
            head_index=head,
        )

    def attn_out(self, prefix: str, layer: Layer, index: int, head: int) -> None:
        """Probabilities times values: one step per tile of channels that the head touches."""
        g = self.g
        begin, end = head * g.d_head, (head + 1) * g.d_head
        for tile in range(begin // g.cols, (end - 1) // g.cols + 1):
            low, high = max(begin - tile * g.cols, 0), min(end - tile * g.cols, g.cols)
            channels = range(tile * g.cols, (tile + 1) * g.cols)
            self.cached(
                f"{prefix}.attn_out",
                layer.out_shift,
                slot=geo.FIRST_HEAD_SLOT + head % g.slots,
                gate=geo.SLOT_V,
                clear=geo.SLOT_ATTN if begin == 0 and tile == 0 else geo.SLOT_NONE,
                prob=1,
                word=(head % g.slots) << g.prob_words_w,
                inner=0,
                inner_pos=1,
                outer=0,
                addr=g.v_base(index) + tile,
                inner_stride=g.v_stride,
                scalar=SCALAR["recip"],
                head=head % g.slots,
                exponent=layer.out_exponent,
                bits=self.qm.formats[f"{prefix}.attn_out"].bits,
                dest=DEST["operand"],
                lanes=((1 << (high - low)) - 1) << low,
                dst_word=g.operand_words["attn"] + tile // g.groups,
                dst_group=tile % g.groups,
                dst_slot=geo.SLOT_ATTN,
                amount=high - low,
                final=int(end == g.d_model and tile == (end - 1) // g.cols),
                elements=[c if begin <= c < end else -1 for c in channels],
            )

    def block(self, index: int) -> None:
        g, layer = self.g, self.qm.layers[index]
        prefix = f"layers.{index}"
        padded = np.full(g.padded_channels, -1)
        for head in range(g.n_heads):
            channels = np.arange(g.d_head) + head * g.d_head
            padded[g.head_places(head)] = channels
        x: dict[str, Any] = {"slot": geo.SLOT_X, "word": g.operand_words["x"]}
        x["scalar"] = SCALAR["norm"]
        rope = g.rope_passes if g.rotary else 1
        self.linear(
            f"{prefix}.q",
            layer.q,
            padded,
            rope,
            clear=geo.SLOT_Q,
            dest=DEST["query"],
            dst_word=g.operand_words["q"],
            dst_slot=geo.SLOT_Q,
            **x,
        )
        self.linear(
            f"{prefix}.k",
            layer.k,
            padded,
            max(g.key_waves, rope),
            clear=geo.SLOT_K,
            dest=DEST["key"],
            dst_kv=g.k_base(index),
            dst_slot=geo.SLOT_K,
            **x,
        )
        self.linear(
            f"{prefix}.v",
            layer.v,
            None,
            g.value_waves,
            clear=geo.SLOT_V,
            dest=DEST["value"],
            dst_kv=g.v_base(index),
            dst_slot=geo.SLOT_V,
            **x,
        )
        for head in range(g.slots):
            if head < g.n_heads:
                self.scores(prefix, layer, index, head)
        for head in range(g.n_heads):
            self.attn_out(prefix, layer, index, head)
            if head + g.slots < g.n_heads:
                self.scores(prefix, layer, index, head + g.slots)
        residual: dict[str, Any] = {"clear": geo.SLOT_X, "dst_slot": geo.SLOT_X}
        residual |= {"dest": DEST["residual"], "dst_word": g.operand_words["x"]}
        self.linear(
            f"{prefix}.attn_residual",
            layer.o,
            None,
            g.norm_passes,
            slot=geo.SLOT_ATTN,
            word=g.operand_words["attn"],
            norm=f"{prefix}.ffn_norm",
            **residual,
        )
        self.linear(
            f"{prefix}.ffn_hidden",
            layer.up,
            clear=geo.SLOT_HIDDEN,
            act=1,
            dst_word=g.operand_words["hidden"],
            dst_slot=geo.SLOT_HIDDEN,
            **x,
        )
        last = index == g.n_layers - 1
        self.linear(
            f"{prefix}.ffn_residual",
            layer.down,
            None,
            g.norm_passes,
            slot=geo.SLOT_HIDDEN,
            word=g.operand_words["hidden"],
            norm="final_norm" if last else f"layers.{index + 1}.attn_norm",
            **residual,
        )

    def head(self) -> None:
        self.linear(
            "logits",
            self.qm.head,
            slot=geo.SLOT_X,
            gate=geo.SLOT_NOISE,
            word=self.g.operand_words["x"],
            scalar=SCALAR["norm"],
            dest=DEST["logit"],
            sample_only=1,
            last=1,
        )

    def embedding(self) -> None:
        """With several streams: empty waves, whose tiles keep a place for the embedding's."""
        g = self.g
        step = Step(
            stage="embed",
            slot=geo.SLOT_NONE,
            clear=geo.SLOT_X,
            word=0,
            inner=g.norm_passes - 1,
            outer=g.tiles(g.d_model) - 1,
            inner_stride=0,
            per_tile=0,
            dest=DEST["none"],
        )
        self.steps.append(step)

    def schedule(self) -> None:
        """What the scheduler must know: see scheduler.sv."""
        for step, after in zip(self.steps, self.steps[1:], strict=False):
            step.next_slot, step.next_gate = after.slot, after.gate
            step.next_layer = int(after.dest == DEST["query"])
            step.next_sample = after.sample_only
            step.attended = int(step.kv and not after.kv)
            needed = {after.slot, after.gate} - {geo.SLOT_NONE}
            step.sticky = int(needed <= {step.slot, step.gate})
        for step in self.steps:
            step.score = int(step.dest == DEST["score"])


def build(qm: QuantModel, g: Geometry) -> Builder:
    """The whole program of `qm` on the machine `g`."""
    builder = Builder(qm, g)
    if g.streams > 1:
        builder.embedding()
    for index in range(g.n_layers):
        builder.block(index)
    builder.head()
    builder.schedule()
    return builder
