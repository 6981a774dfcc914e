"""Follows the elements of a program through every memory; writers and readers follow the headers in
hdl/, not `export`.

Each element that a step writes is a label; each wave must then meet the labels that the matrix
product needs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from export.memory import Field
from export.spec import Spec
from quant.qmodel import QuantModel
from tests.export.helpers import Case, artefact, build
from tests.export.reader import Wave, cut, sequence, signed
from tests.export.test_roms import lane_of

Place = tuple[int, int]  # word, place in the word
Operands = dict[Place, tuple[str, int]]  # label: vector, element
SOURCES = {"q": "x", "k": "x", "v": "x", "attn_residual": "attn", "ffn_hidden": "x"}
SOURCES |= {"ffn_residual": "hidden", "logits": "x"}


@dataclass(frozen=True)
class Program:
    """A machine's program, cut out of the words of its ROMs."""

    spec: Spec
    qm: QuantModel
    steps: list[dict[str, int]]
    stages: list[str]

    @classmethod
    def of(cls, what: Case) -> Program:
        qm = artefact(what)
        spec = build(what, qm)
        roms = {rom.name: rom for rom in spec.roms}

        def table(fields: list[Field]) -> dict[str, tuple[int, int]]:
            return {field.name: (field.lsb, field.width) for field in fields}

        issue, finish = table(spec.issue_fields), table(spec.finish_fields)
        words = zip(roms["rom_issue"].words, roms["rom_finish"].words, strict=True)
        steps = [cut(a, issue) | cut(b, finish) for a, b in words]
        for step in steps:
            step["exponent"] = signed(step["exponent"], 7)
        return cls(spec, qm, steps, [step.stage for step in spec.builder.steps])

    @property
    def rows(self) -> int:
        return self.spec.params["Rows"]

    @property
    def cols(self) -> int:
        return self.spec.params["Cols"]

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows, self.cols

    def layer(self, number: int) -> Iterator[tuple[str, dict[str, int]]]:
        """Kind and fields of the steps of a layer."""
        for stage, step in zip(self.stages, self.steps, strict=True):
            if stage.startswith(f"layers.{number}."):
                yield stage.split(".")[2], step

    def waves(self, step: dict[str, int], position: int) -> Iterator[Wave]:
        """The waves of a step, see `reader.sequence`."""
        return sequence(step, self.rows, self.cols, position)

    def operand_place(self, word: int, sub: int, row: int) -> Place:
        """What operand_bank of a row reads."""
        return word, sub * self.rows + row


def write_tiles(
    program: Program, step: dict[str, int], labels: dict[int, tuple], into: dict
) -> None:
    """The tiles of a step, one after the other, into the operand memory; `labels`: by lane."""
    groups = math.lcm(program.rows, program.cols) // program.cols
    word, group = step["dst_word"], step["dst_group"]
    for tile in range(step["outer"] + 1):
        for lane in range(program.cols):
            if step["lanes"] >> lane & 1:
                place = word, group * program.cols + lane
                into[place] = labels.get(tile * program.cols + lane, ("padding", 0))
        group += 1
        if group == groups:
            word, group = word + 1, 0


def operands(program: Program, number: int) -> Operands:
    """The operand memory after layer `number`."""
    memory: Operands = {}
    parts = {"q": "q", "attn_residual": "x", "ffn_hidden": "hidden"}
    sizes = {"q": "d_model", "attn_residual": "d_model", "ffn_hidden": "d_ff"}
    out = iter(range(program.qm.config["d_model"]))
    for kind, step in program.layer(number):
        if kind in parts:
            count = program.qm.config[sizes[kind]]
            places = [lane_of(kind, i, program.qm, *program.shape) for i in range(count)]
            labels = {lane: (parts[kind], i) for i, lane in enumerate(places)}
            before = set(memory)
            fresh: Operands = {}
            write_tiles(program, step, labels, fresh)
            assert before.isdisjoint(fresh), f"{kind} overwrites another vector"
            memory |= fresh
        if kind == "attn_out":
            wanted = [lane for lane in range(program.cols) if step["lanes"] >> lane & 1]
            assert step["amount"] == len(wanted)
            write_tiles(program, step, {lane: ("attn", next(out)) for lane in wanted}, memory)
    assert next(out, None) is None, "heads leave channels out"
    return memory


def check_operands(program: Program, number: int) -> None:
    """Each wave of a step with weights meets its vector; what lies beyond meets zero weights."""
    memory = operands(program, number)
    assert max(word for word, _ in memory) < program.spec.params["OpWords"]
    for kind, step in program.layer(number):
        if kind not in SOURCES:
            continue
        source = SOURCES[kind]
        size = program.qm.config["d_ff" if source == "hidden" else "d_model"]
        seen = set()
        for _, wave, word, sub, _ in program.waves(step, 0):
            assert word < program.spec.params["OpWords"]
            for row in range(program.rows):
                element = wave * program.rows + row
                place = program.operand_place(word, sub, row)
                if element < size:
                    assert memory[place] == (source, element), f"{kind}, wave {wave}, row {row}"
                    seen.add(element)
        assert seen == set(range(size))


def write_keys(program: Program, step: dict[str, int], position: int, cache: dict) -> None:
    """What kv_writer.sv does with the tiles of a key step."""
    d_model, params = program.qm.config["d_model"], program.spec.params
    channels = {lane_of("k", i, program.qm, *program.shape): i for i in range(d_model)}
    for lane in range((step["outer"] + 1) * program.cols):
        wave, row = divmod(lane, program.rows)
        addr = step["dst_kv"] + wave * params["KStride"] + position // program.cols
        cache[addr, row, position % program.cols] = ("k", channels.get(lane, -1), position)


def write_values(program: Program, step: dict[str, int], position: int, cache: dict) -> None:
    """What kv_writer.sv does with the tiles of a value step."""
    rows, cols = program.rows, program.cols
    base = step["dst_kv"] + position // rows * program.spec.params["VStride"]
    for tile in range(step["outer"] + 1):
        for col in range(cols):
            place = base + tile, position % rows, col
            cache[place] = ("v", tile * cols + col, position)


def filled_cache(program: Program, number: int) -> dict[tuple[int, int, int], tuple]:
    """The KV cache of a layer when the context is full; no write touches another."""
    cache: dict[tuple[int, int, int], tuple] = {}
    writers = {"k": write_keys, "v": write_values}
    for position in range(program.qm.config["context"]):
        for kind, step in program.layer(number):
            if kind in writers:
                fresh: dict[tuple[int, int, int], tuple] = {}
                writers[kind](program, step, position, fresh)
                assert cache.keys().isdisjoint(fresh), f"{kind} at {position} overwrites"
                cache |= fresh
    return cache


def check_attention(program: Program, number: int, position: int, cache: dict) -> None:
    """Scores meet the head's queries and keys, outputs its probabilities and values."""
    config, rows, cols = program.qm.config, program.rows, program.cols
    d_head, memory = program.qm.d_head, operands(program, number)
    channels = iter(range(config["d_model"]))
    head, pending = 0, {}
    for kind, step in program.layer(number):
        if kind == "attn_scores":
            pending[step["head"]] = head
            products = {
                (memory[program.operand_place(word, sub, row)], cache[addr, row, col])
                for tile, _, word, sub, addr in program.waves(step, position)
                for row in range(rows)
                for col in range(cols)
                if tile * cols + col <= position
                if memory[program.operand_place(word, sub, row)][0] != "padding"
            }
            want = {
                (("q", head * d_head + i), ("k", head * d_head + i, t))
                for i in range(d_head)
                for t in range(position + 1)
            }
            assert products == want, f"scores of head {head}"
            head += 1
        if kind == "attn_out":
            base = step["head"] << program.spec.params["ProbWordsW"]
            wanted = [lane for lane in range(cols) if step["lanes"] >> lane & 1]
            outputs = [next(channels) for _ in wanted]
            assert {channel // d_head for channel in outputs} == {pending[step["head"]]}
            seen = set()
            for _, wave, word, sub, addr in program.waves(step, position):
                assert word < program.spec.params["ProbWords"]
                for row in range(rows):
                    place = program.operand_place(word, sub, row)
                    t = (place[0] - base) * math.lcm(rows, cols) + place[1]
                    assert t == wave * rows + row, "probability of another position"
                    if t <= position:
                        got = [cache[addr, row, lane] for lane in wanted]
                        assert got == [("v", channel, t) for channel in outputs]
                        seen.add(t)
            assert seen == set(range(position + 1))
    assert head == config["n_heads"]


def check_caches(program: Program) -> None:
    """Caches of the layers are disjoint and inside the memory, also their padding."""
    used: set[tuple[int, int, int]] = set()
    for number in range(len(program.qm.layers)):
        cache = filled_cache(program, number)
        assert used.isdisjoint(cache), "layers share cache words"
        used |= cache.keys()
        for position in {0, program.qm.config["context"] // 2, program.qm.config["context"] - 1}:
            check_attention(program, number, position, cache)
    assert max(addr for addr, _, _ in used) < program.spec.params["KvDepth"]
