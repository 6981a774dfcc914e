"""The large memories of the machine that `export` renders, counted before there is an artefact.

Words and widths are those of `export.memory` and `export.geometry`, as `tests/quant/test_search.py`
checks. Left out are biases, shifts, function tables, operands and the program: shallow memories,
which take logic or a few blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

from configs import lanes, widths
from configs.devices import BlockRam
from configs.schema import Config


@dataclass(frozen=True)
class Memory:
    """`copies` alike: `words` words of `width` bits."""

    name: str
    copies: int
    width: int
    words: int

    def blocks(self, device: BlockRam) -> int:
        return self.copies * device.count(self.width, self.words)


def built(config: Config) -> bool:
    """Whether there is a machine for models of this kind."""
    model = config.model
    return (
        model.kind == "decoder" and model.activation != "swiglu" and model.kv_heads == model.n_heads
    )


def memories(config: Config, vocab_size: int, weight_bits: int) -> list[Memory]:
    """Weights, embeddings and KV cache; `weight_bits`: of the widest matrix, which all others fill
    up to: one ROM per row of the array holds the words of all steps."""
    model, rows, cols = config.model, config.hardware.rows, config.hardware.cols
    d_model, bits = model.d_model, config.quant.residual_bits

    def waves(count: int) -> int:
        return -(-count // rows)

    def tiles(count: int) -> int:
        return -(-count // cols)

    rotary = model.positions == "rotary"
    head = lanes.head_waves(model.d_head, model.n_heads, rows, cols, rotary=rotary) * rows
    heads = model.n_heads * head  # channels of q and k, padded by head
    deep = waves(d_model)
    key_deep = max(deep, lanes.most_key_writes(rows, cols))
    layer = tiles(heads) * (deep + key_deep) + tiles(d_model) * (key_deep + deep)
    layer += tiles(model.d_ff) * deep
    layer += tiles(d_model) * max(waves(model.d_ff), min(4, deep))  # at least one norm's time
    words = model.n_layers * layer + tiles(vocab_size) * deep
    keys = waves(tiles(heads) * cols) * tiles(model.context)
    values = waves(model.context) * tiles(d_model)
    layers = range(model.n_layers)
    kv_bits = max(widths.width(config.quant, f"layers.{i}.{kv}") for i in layers for kv in "kv")
    found = [
        Memory("weights", rows, cols * weight_bits, words),
        Memory("token embedding", 1, cols * bits, vocab_size * tiles(d_model)),
        Memory("KV cache", rows, cols * kv_bits, model.n_layers * (keys + values)),
    ]
    if not rotary:
        found.append(Memory("positions", 1, cols * bits, model.context * tiles(d_model)))
    return found


def blocks(config: Config, vocab_size: int, weight_bits: int, device: BlockRam) -> int:
    """Blocks of a device that all of them take."""
    return sum(one.blocks(device) for one in memories(config, vocab_size, weight_bits))
