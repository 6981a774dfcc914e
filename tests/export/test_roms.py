"""Every ROM image, decoded by code that knows only the headers, holds the artefact: no bit more or
less. `differences` names the first one of each tensor."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from quant.qmodel import Linear, QuantModel
from quant.random import random_model
from tests.export.helpers import CASES, Case, artefact, rendered
from tests.export.reader import Machine, signed

SCALARS = {"q": 1, "k": 1, "v": 1, "attn_residual": 0, "ffn_hidden": 1, "ffn_residual": 0}
DESTS = {"q": 2, "k": 3, "v": 4, "attn_residual": 1, "ffn_hidden": 0, "ffn_residual": 1}
TABLES = {"rom_rsqrt": "rsqrt", "rom_recip": "recip", "rom_exp2": "exp2", "rom_gumbel": "gumbel"}


def linears(qm: QuantModel) -> dict[str, Linear]:
    """Steps with constant weights, by stage."""
    names = dict(zip(SCALARS, ("q", "k", "v", "o", "up", "down"), strict=True))
    result = {
        f"layers.{index}.{stage}": getattr(layer, name)
        for index, layer in enumerate(qm.layers)
        for stage, name in names.items()
    }
    return result | {"logits": qm.head}


def lane_of(stage: str, channel: int, qm: QuantModel, rows: int, cols: int) -> int:
    """Output lane of a channel: heads of queries and keys begin at whole waves, and rotary pairs at
    even lanes of a tile, never in the last one of an odd tile."""
    if stage.rpartition(".")[2] not in ("q", "k"):
        return channel
    rotary = qm.config["positions"] == "rotary"
    for waves in count(-(-qm.d_head // rows)):
        if lanes := head_lanes(qm.config["n_heads"], qm.d_head, waves * rows, cols * rotary):
            return lanes[channel]
    raise AssertionError


@cache
def head_lanes(heads: int, d_head: int, stride: int, cols: int) -> list[int]:
    """Lanes of all channels, or none if a head is too wide; `cols`: 0 without rotation."""
    lanes: list[int] = []
    for head in range(heads):
        lane = head * stride
        for _ in range(0, d_head, 2 if cols else 1):
            while cols and (lane % cols % 2 or lane % cols == cols - 1):
                lane += 1
            lanes += range(lane, lane + (2 if cols else 1))
            lane = lanes[-1] + 1
        if lane > (head + 1) * stride:
            return []
    return lanes


def first(name: str, want: list, got: list) -> Iterator[str]:
    """The first difference of two lists."""
    if len(want) != len(got):
        yield f"{name}: {len(got)} entries, expected {len(want)}"
        return
    for index, (a, b) in enumerate(zip(want, got, strict=True)):
        if a != b:
            yield f"{name}[{index}]: {b}, expected {a}"
            return


def linear_differences(machine: Machine, qm: QuantModel) -> Iterator[str]:
    """Weights, shifts, biases and fields of the steps with constant weights."""
    banks = machine.banks()
    shifts, biases = shift_words(machine), machine.lane_rom("rom_bias", machine.cols)
    program, expected = machine.program(), linears(qm)
    used: Counter[int] = Counter()
    for number, stage in enumerate(machine.stages):
        step = program[number]
        if step["kv"]:
            continue
        linear, what = expected.pop(stage), stage.rpartition(".")[2]
        n_out, n_in = linear.weight.shape
        matrix = machine.matrix(step, banks)
        want = np.zeros((len(matrix), len(matrix[0])), np.int64)
        want_shift, want_bias = [0] * len(matrix), [8] * len(matrix)
        for channel in range(n_out):
            lane = lane_of(stage, channel, qm, machine.rows, machine.cols)
            want[lane, :n_in] = linear.weight[channel]
            want_shift[lane] = int(linear.shift[channel])
            want_bias[lane] = int(linear.bias[channel])
        for lane in range(len(matrix)):
            yield from first(f"{stage}.weight[{lane}]", want[lane].tolist(), matrix[lane])
        yield from first(f"{stage}.shift", want_shift, machine.channels(step, shifts))
        yield from first(f"{stage}.bias", want_bias, machine.channels(step, biases))
        fields = {
            "exponent": linear.exponent,
            "bits": linear.out_bits,
            "scalar": SCALARS.get(what, 1),
            "dest": DESTS.get(what, 6),
            "act": int(what == "ffn_hidden"),
            "last": int(what == "logits"),
            "sample_only": int(what == "logits"),
            "lanes": 2**machine.cols - 1,
        }
        yield from first(stage, list(fields.items()), [(name, step[name]) for name in fields])
        waves = (step["outer"] + 1) * step["outer_stride"]
        used.update(range(step["addr"], step["addr"] + waves))
    if expected:
        yield f"no step of {sorted(expected)}"
    if used != Counter(range(len(banks[0]))):
        yield "weight words are read twice or never"


def shift_words(machine: Machine) -> list[list[int]]:
    """Shifts are unsigned: 5 bits a lane."""
    words, width = machine.rom("rom_shift")
    assert width == 5 * machine.cols
    return [[word >> (5 * c) & 31 for c in range(machine.cols)] for word in words]


def cache_differences(machine: Machine, qm: QuantModel) -> Iterator[str]:
    """Steps whose matrix is the KV cache: their one parameter word, and their fields."""
    shifts, biases = shift_words(machine), machine.lane_rom("rom_bias", machine.cols)
    heads: Counter[str] = Counter()
    for stage, step in zip(machine.stages, machine.program(), strict=True):
        if not step["kv"]:
            continue
        layer = qm.layers[int(stage.split(".")[1])]
        if stage.endswith(".attn_scores"):
            shift, exponent, bits = layer.scores_shift, layer.scores_exponent, 16
            heads[stage] += 1
        else:
            shift, exponent = layer.out_shift, layer.out_exponent
            bits = qm.formats[stage].bits
        is_out = int(stage.endswith(".attn_out"))
        want = [exponent, bits, 2 * is_out, 5 - 5 * is_out, is_out]
        got = [step[name] for name in ("exponent", "bits", "scalar", "dest", "prob")]
        yield from first(stage, want, got)
        yield from first(f"{stage}.shift", [shift] * machine.cols, machine.channels(step, shifts))
        yield from first(f"{stage}.bias", [8] * machine.cols, machine.channels(step, biases))
    wanted = {f"layers.{i}.attn_scores": qm.config["n_heads"] for i in range(len(qm.layers))}
    if heads != wanted:
        yield f"scores of {heads} heads, expected {wanted}"


def table_differences(machine: Machine, qm: QuantModel) -> Iterator[str]:
    """Embeddings, function tables, rotation."""
    d_model, cols = qm.config["d_model"], machine.cols
    tiles = -(-d_model // cols)
    for name, table in (("rom_tok", qm.embed_tok), ("rom_pos", qm.embed_pos)):
        if table is None:
            continue
        words = machine.lane_rom(name, cols)
        want = np.zeros((len(table), tiles * cols), np.int64)
        want[:, :d_model] = table
        yield from first(name, want.reshape(-1, cols).tolist(), words)
    tables = TABLES | ({"rom_bump": "bump"} if qm.tables["bump"] is not None else {})
    for rom, name in tables.items():
        words, width = machine.rom(rom)
        table = qm.tables[name]
        assert table is not None
        got = [signed(word, width) if name == "gumbel" else word for word in words]
        yield from first(rom, table.tolist(), got)
    if qm.config["positions"] == "rotary":
        for name in ("cos", "sin"):
            yield from rotary_differences(machine, qm, name)


def rotary_differences(machine: Machine, qm: QuantModel, name: str) -> Iterator[str]:
    """The factor that meets each pair of each head, at every position."""
    words = machine.lane_rom(f"rom_{name}", machine.cols // 2)
    table, period = qm.tables[name], machine.manifest["parameters"]["RopePeriod"]
    assert table is not None
    yield from first(f"rom_{name}.depth", [qm.config["context"] * period], [len(words)])
    for position in range(qm.config["context"]):
        for channel in range(0, qm.config["d_model"], 2):
            lane = lane_of("q", channel, qm, machine.rows, machine.cols)
            tile, place = divmod(lane, machine.cols)
            got = words[position * period + tile % period][place // 2]
            want = int(table[position, channel % qm.d_head // 2])
            yield from first(f"rom_{name}[{position}] of channel {channel}", [want], [got])


def differences(machine: Machine, qm: QuantModel) -> list[str]:
    """All that differs between rendered ROMs and the artefact."""
    parts = (linear_differences, cache_differences, table_differences)
    return [text for part in parts for text in part(machine, qm)]


def roms_of(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.hex"))


@pytest.mark.parametrize("name", CASES)
def test_roms_hold_the_artefact(tmp_path: Path, name: str) -> None:
    qm = artefact(CASES[name], seed=len(name))
    assert differences(Machine(rendered(tmp_path / "rtl", CASES[name], qm)), qm) == []


@pytest.mark.parametrize("name", ["rotary-8x4", "narrow-heads-4x12"])
def test_roms_hold_a_quantised_model(tmp_path: Path, name: str) -> None:
    what = CASES[name]
    qm = random_model(what.config(), seed=5, vocab_size=what.vocab)
    assert differences(Machine(rendered(tmp_path / "rtl", what, qm)), qm) == []


@pytest.mark.parametrize("name", ["rotary-8x4", "narrow-heads-4x12"])
def test_each_rom_is_instantiated_and_listed(tmp_path: Path, name: str) -> None:
    machine = Machine(rendered(tmp_path / "rtl", CASES[name]))
    text = machine.core + (machine.folder / "array.sv").read_text()
    listed = (machine.folder / "files.f").read_text().split()
    for rom in roms_of(machine.folder):
        assert f"  {rom} u_{rom}" in text
        assert f"{rom}.sv" in listed


def flip(path: Path, line: int, bit: int) -> None:
    """Invert a bit of a word of an image."""
    lines = path.read_text().splitlines()
    lines[line] = f"{int(lines[line], 16) ^ 1 << bit:0{len(lines[line])}x}"
    path.write_text("\n".join(lines) + "\n")


def flips(what: Case, folder: Path) -> Iterator[tuple[str, int, int]]:
    """Bits to invert: the first of every ROM, and some anywhere in weights, shifts and biases."""
    rng = random.Random(3)
    machine = Machine(folder)
    for rom in roms_of(folder):
        words, width = machine.rom(rom)
        yield rom, 0, 0
        if rom.startswith(("rom_weights", "rom_shift", "rom_bias", "rom_tok")):
            for _ in range(3):
                yield rom, rng.randrange(len(words)), rng.randrange(width)


@pytest.mark.parametrize("name", ["gelu-4x4", "rotary-2x16"])
def test_a_flipped_bit_is_found(tmp_path: Path, name: str) -> None:
    qm = artefact(CASES[name])
    folder = rendered(tmp_path / "rtl", CASES[name], qm)
    count = 0
    for rom, line, bit in list(flips(CASES[name], folder)):
        if rom in ("rom_issue", "rom_finish"):
            continue  # scoreboard and address fields: test_program.py
        path = folder / f"{rom}.hex"
        before = path.read_text()
        flip(path, line, bit)
        found = differences(Machine(folder), qm)
        assert len(found) == 1, f"{rom} line {line} bit {bit}: {found}"
        path.write_text(before)
        count += 1
    assert count > 20
    assert differences(Machine(folder), qm) == []
