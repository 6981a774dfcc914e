"""Reads a rendered machine as the hardware would: plain Python, written from the headers in hdl/.

Knows neither `export` nor the artefact. The widths come from the rendered Verilog, so a field that
is packed at one place and wired to another is found.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

Field = tuple[int, int]  # lowest bit, width
Wave = tuple[int, int, int, int, int]  # tile, wave, operand word, sub, weight address


def signed(value: int, bits: int) -> int:
    """Two's complement."""
    return value - (1 << bits) if value >> (bits - 1) else value


def lanes(word: int, bits: int, count: int) -> list[int]:
    """Signed lanes of a word, lane 0 lowest."""
    assert word >> (bits * count) == 0, f"{word:x} has more than {count} lanes of {bits} bits"
    return [signed(word >> (i * bits) & ((1 << bits) - 1), bits) for i in range(count)]


def cut(word: int, fields: dict[str, Field]) -> dict[str, int]:
    """Fields of a program word, unsigned."""
    return {name: word >> lsb & ((1 << width) - 1) for name, (lsb, width) in fields.items()}


def sequence(step: dict[str, int], rows: int, cols: int, position: int) -> Iterator[Wave]:
    """The waves that sequencer.sv issues for a step of the token at `position`."""
    sub_count = math.lcm(rows, cols) // rows
    inner = position // rows if step["inner_pos"] else step["inner"]
    outer = position // cols if step["outer_pos"] else step["outer"]
    tile_addr = step["addr"]
    for tile in range(outer + 1):
        addr, word, sub = tile_addr, step["word"], step["sub"]
        for wave in range(inner + 1):
            yield tile, wave, word, sub, addr
            addr += step["inner_stride"]
            sub += 1
            if sub == sub_count:
                word, sub = word + 1, 0
        tile_addr += step["outer_stride"]


class Machine:
    """A folder that `export` wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = json.loads((folder / "manifest.json").read_text())
        parameters = self.manifest["parameters"]
        self.rows, self.cols = parameters["Rows"], parameters["Cols"]
        self.core = (folder / "core.sv").read_text()
        self.stages: list[str] = [step["stage"] for step in self.manifest["trace"]["steps"]]

    def rom(self, name: str) -> tuple[list[int], int]:
        """Words and width of a ROM; its Verilog must agree with its image."""
        text = (self.folder / f"{name}.sv").read_text()
        memory = re.search(r"reg \[(\d+):0\] mem\[0:(\d+)\];", text)
        address = re.search(r"input +wire \[(\d+):0\] addr_i", text)
        assert memory is not None
        assert address is not None
        assert f'$readmemh("{name}.hex", mem)' in text
        width, depth = int(memory[1]) + 1, int(memory[2]) + 1
        lines = (self.folder / f"{name}.hex").read_text(encoding="ascii").splitlines()
        assert len(lines) == depth, f"{name}: {len(lines)} words for a depth of {depth}"
        assert 2 ** (int(address[1]) + 1) >= depth
        words = [int(line, 16) for line in lines]
        for line, word in zip(lines, words, strict=True):
            assert re.fullmatch("[0-9a-f]+", line)
            assert word >> width == 0, f"{name}: {line} has more than {width} bits"
        return words, width

    def lane_rom(self, name: str, count: int) -> list[list[int]]:
        """Words of a ROM as signed lanes."""
        words, width = self.rom(name)
        assert width % count == 0
        return [lanes(word, width // count, count) for word in words]

    def fields(self, source: str) -> dict[str, Field]:
        """Where core.sv takes the fields of `source` (issue_word or finish_word) from."""
        found = re.findall(rf"\.f_(\w+)_i\({source}\[(\d+)\+:(\d+)\]\)", self.core)
        return {name: (int(lsb), int(width)) for name, lsb, width in found}

    def program(self) -> list[dict[str, int]]:
        """Fields of both program ROMs, step by step."""
        issue, finish = self.fields("issue_word"), self.fields("finish_word")
        steps = []
        for a, b in zip(self.rom("rom_issue")[0], self.rom("rom_finish")[0], strict=True):
            step = cut(a, issue) | cut(b, finish)
            step["exponent"] = signed(step["exponent"], finish["exponent"][1])
            steps.append(step)
        return steps

    def banks(self) -> list[list[list[int]]]:
        """Weights [row][address][column]."""
        return [self.lane_rom(f"rom_weights_{row}", self.cols) for row in range(self.rows)]

    def matrix(self, step: dict[str, int], banks: Sequence) -> list[list[int]]:
        """What the array multiplies with in a step: [tiles * cols][waves * rows]."""
        size = (step["outer"] + 1) * self.cols
        result = [[0] * ((step["inner"] + 1) * self.rows) for _ in range(size)]
        for tile, wave, _, _, addr in sequence(step, self.rows, self.cols, 0):
            for row in range(self.rows):
                for col, weight in enumerate(banks[row][addr]):
                    result[tile * self.cols + col][wave * self.rows + row] = weight
        return result

    def channels(self, step: dict[str, int], table: list[list[int]]) -> list[int]:
        """Shift or bias of every output lane of a step, from the words of its ROM."""
        if not step["per_tile"]:
            return table[step["param"]]
        words = table[step["param"] : step["param"] + step["outer"] + 1]
        return [value for word in words for value in word]
