"""Contents of every ROM: words of packed lanes, in the order in which the machine reads them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from export import program
from export.geometry import Geometry, width
from quant.qmodel import QuantModel

SHIFT_W = 5
EXPONENT_W = 7
BITS_W = 5


@dataclass(frozen=True)
class Rom:
    """One ROM: `words` are unsigned integers below 2^width."""

    name: str
    width: int
    words: tuple[int, ...]
    about: str

    @property
    def addr_width(self) -> int:
        return width(len(self.words))

    def hex(self) -> str:
        """The $readmemh file: one word a line."""
        digits = -(-self.width // 4)
        return "".join(f"{word:0{digits}x}\n" for word in self.words)


@dataclass(frozen=True)
class Field:
    """A named slice of a program word."""

    name: str
    lsb: int
    width: int


def pack(lanes: Iterable[int], bits: int) -> int:
    """Lane 0 in the lowest bits; negative numbers in two's complement."""
    mask, word = (1 << bits) - 1, 0
    for index, lane in enumerate(lanes):
        value = int(lane)
        if not -(1 << (bits - 1)) <= value <= mask:
            raise ValueError(f"{value} does not fit {bits} bits")
        word |= (value & mask) << (index * bits)
    return word


def pack_rows(rows: np.ndarray, bits: int) -> tuple[int, ...]:
    """One word for each row of an integer array [words, lanes]."""
    return tuple(pack(row, bits) for row in rows.tolist())


def signed_bits(values: np.ndarray) -> int:
    """Bits of a two's complement format that holds all values."""
    return max(int(np.abs(values).max()).bit_length() + 1, 2)


def weight_roms(builder: program.Builder, g: Geometry, bits: int) -> list[Rom]:
    """One ROM per row: the words of all steps, tile by tile, wave by wave."""
    banks: list[list[int]] = [[] for _ in range(g.rows)]
    for step in builder.steps:
        if step.matrix is None:
            continue
        tiles = step.matrix.reshape(step.outer + 1, g.cols, step.inner + 1, g.rows)
        words = tiles.transpose(3, 0, 2, 1).reshape(g.rows, -1, g.cols)  # [row, wave, col]
        for row in range(g.rows):
            banks[row].extend(pack_rows(words[row], bits))
    return [
        Rom(f"rom_weights_{row}", g.cols * bits, tuple(words), f"weights of array row {row}")
        for row, words in enumerate(banks)
    ]


def parameters(builder: program.Builder, g: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """Shifts and biases of all steps: two arrays [words, cols]."""
    shifts = [step.shifts.reshape(-1, g.cols) for step in builder.steps if step.shifts is not None]
    biases = [step.biases.reshape(-1, g.cols) for step in builder.steps if step.biases is not None]
    return np.concatenate(shifts), np.concatenate(biases)


def field_widths(g: Geometry, addr_w: int, param_w: int, slot_w: int) -> dict[str, int]:
    """Bits of every program field."""
    return {
        "slot": slot_w,
        "clear": slot_w,
        "gate": slot_w,
        "prob": 1,
        "word": g.op_word_w,
        "sub": width(g.sub),
        "inner": g.count_w,
        "inner_pos": 1,
        "outer": g.tile_w,
        "outer_pos": 1,
        "kv": 1,
        "addr": addr_w,
        "inner_stride": addr_w,
        "outer_stride": addr_w,
        "sample_only": 1,
        "last": 1,
        "score": 1,
        "sticky": 1,
        "attended": 1,
        "next_slot": slot_w,
        "next_gate": slot_w,
        "next_layer": 1,
        "next_sample": 1,
        "param": param_w,
        "per_tile": 1,
        "scalar": 2,
        "head": g.head_w,
        "exponent": EXPONENT_W,
        "bits": BITS_W,
        "act": 1,
        "dest": 3,
        "lanes": g.cols,
        "dst_word": g.op_word_w,
        "dst_group": width(g.groups),
        "dst_kv": width(g.streams * g.kv_depth),
        "dst_slot": slot_w,
        "amount": g.len_w,
        "final": 1,
    }


def program_rom(
    name: str, about: str, names: Iterable[str], steps: list[program.Step], widths: dict[str, int]
) -> tuple[Rom, list[Field]]:
    """A program ROM, and where its fields lie in a word."""
    fields: list[Field] = []
    lsb = 0
    for name_of_field in names:
        fields.append(Field(name_of_field, lsb, widths[name_of_field]))
        lsb += widths[name_of_field]
    words = []
    for step in steps:
        word = 0
        for field in fields:
            try:
                word |= pack([getattr(step, field.name)], field.width) << field.lsb
            except ValueError as error:
                raise ValueError(f"step {step.stage}, field {field.name}: {error}") from None
        words.append(word)
    return Rom(name, lsb, tuple(words), about), fields


def embedding_words(table: np.ndarray, g: Geometry, bits: int) -> tuple[int, ...]:
    """Rows of d_model entries, padded to whole tiles of lanes of `bits` bits."""
    tiles = g.tiles(g.d_model)
    padded = np.zeros((len(table), tiles * g.cols), np.int64)
    padded[:, : g.d_model] = table
    return pack_rows(padded.reshape(-1, g.cols), bits)


def rotary_words(table: np.ndarray, g: Geometry) -> tuple[int, ...]:
    """Per position and tile of one period, the factors of the cols // 2 adjacent pairs.

    Pads get the factor of the last pair: they multiply zeros.
    """
    pairs = np.full(g.rope_period * g.cols, table.shape[1] - 1)
    for head in range(len(pairs) // g.head_stride):
        places = [lane for lane in g.head_places(head) if lane < len(pairs)]
        pairs[places] = np.arange(len(places)) // 2
    of_tiles = pairs.reshape(-1, g.cols)[:, : g.cols // 2 * 2 : 2]
    rows = table[:, of_tiles.ravel()]  # [context, period * (cols // 2)]
    return pack_rows(rows.reshape(-1, g.cols // 2), 16)


def table_rom(name: str, about: str, table: np.ndarray, bits: int) -> Rom:
    return Rom(name, bits, tuple(pack([value], bits) for value in table.tolist()), about)


def table_roms(qm: QuantModel, bump_bits: int) -> list[Rom]:
    """The function tables, one entry a word."""
    tables = {key: table for key, table in qm.tables.items() if table is not None}
    roms = [
        table_rom("rom_rsqrt", "1/sqrt of a normalised sum of squares", tables["rsqrt"], 16),
        table_rom("rom_recip", "1/x of a normalised sum", tables["recip"], 16),
        table_rom("rom_exp2", "2^-x of a fraction", tables["exp2"], qm.quant["prob_bits"]),
        table_rom("rom_gumbel", "Gumbel noise of a uniform draw, Q5.10", tables["gumbel"], 16),
    ]
    if "bump" in tables:
        roms.append(table_rom("rom_bump", "ReLU minus GELU", tables["bump"], bump_bits))
    return roms
