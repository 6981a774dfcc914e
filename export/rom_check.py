"""Are the ROMs of a netlist what the .hex files say? No ROM may come out empty or constant.

`python -m export.rom_check NETLIST.json RTL_FOLDER` reads a netlist of `yosys synth_ecp5` or
`synth_ice40`, flat or not. Each ROM is evaluated where it stands: from the net `addr` of its
module, through tables and multiplexers and one row of block RAM and registers, to its net `data_q`,
for all addresses at once. So the place of every bit follows from the netlist, whatever form the ROM
took.

Synthesis may draw on what the address is made of, instead of the address. Then the registers and
ports behind it take random values, address and data both follow, and every address must occur.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from configs import cli
from configs.cli import UserError
from export.netlist import Bits, Later, Netlist, Reader, Sampler, Unreadable

FAMILIES = ("ecp5", "ice40")
INSTANCE = re.compile(r"(?:^|\.)u_(rom_\w+?)(?:_\d+)?$")


def words_of(path: Path) -> list[int]:
    """The words of a .hex file."""
    return [int(word, 16) for word in path.read_text().split()]


def numbers(columns: Sequence[Bits]) -> list[int]:
    """The numbers whose bits, lowest first, are `columns`."""
    packed = np.packbits(np.stack(columns, 1), axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


def read_rom(netlist: Netlist, where: str) -> dict[int, set[int]]:
    """What a ROM answers to each address; raises Unreadable."""
    address, data = netlist.names[f"{where}addr"], netlist.names[f"{where}data_q"]
    count = 1 << len(address)
    every = {
        net: (np.arange(count) >> i & 1).astype(bool)
        for i, net in enumerate(address)
        if isinstance(net, int)
    }
    reader = Reader(netlist, every, count)
    later = Later(reader)
    try:
        columns = [later.read(net) for net in data]
        return {a: {word} for a, word in enumerate(numbers(columns))}
    except Unreadable:
        reader = Sampler(netlist)
        later = Later(reader)
        columns = [later.read(net) for net in data]
    found: dict[int, set[int]] = {}
    addresses = numbers([reader.read(net) for net in address])
    for a, word in zip(addresses, numbers(columns), strict=True):
        found.setdefault(a, set()).add(word)
    return found


def problem_of(netlist: Netlist, where: str, words: list[int]) -> str:
    """What is wrong with the ROM whose module stands at `where` (a prefix of names), or ''."""
    try:
        found = read_rom(netlist, where)
    except Unreadable as error:
        return f"cannot be read: {error}"
    if missing := [a for a in range(len(words)) if a not in found]:
        return f"cannot be read: {len(missing)} addresses do not occur, the first is {missing[0]}"
    wrong = [a for a, word in enumerate(words) if found[a] != {word}]
    if not wrong:
        return ""
    read = set.union(*(found[a] for a in range(len(words))))
    if len(read) == 1:
        return f"every word reads {read.pop():#x}; {len(wrong)} of {len(words)} should not"
    first = wrong[0]
    return (
        f"{len(wrong)} of {len(words)} words differ, "
        f"first word {first}: {min(found[first]):#x} instead of {words[first]:#x}"
    )


def places(modules: Mapping[str, Any]) -> dict[str, tuple[str, str, str]]:
    """Every ROM in a netlist: its name there, and module, prefix of names, name of its .hex."""
    found = {}
    for module, content in modules.items():
        for name in content["netnames"]:
            where, _, last = name.rpartition(".")
            if last != "data_q":
                continue
            if not where and module.startswith("rom_"):
                found[module] = (module, "", module)
            elif match := INSTANCE.search(where):
                found[where] = (module, f"{where}.", match[1])
    return found


def check(netlist_json: Path, rtl: Path) -> list[str]:
    """Problems of the ROMs in a netlist, one line each; `rtl` is the folder with the .hex files.

    Every .hex file of the folder must be found in the netlist at least once.
    """
    modules = json.loads(netlist_json.read_text())["modules"]
    images = {path.stem: words_of(path) for path in sorted(rtl.glob("rom_*.hex"))}
    if not images:
        raise UserError(f"no rom_*.hex in {rtl}: render the design first")
    netlists: dict[str, Netlist] = {}
    problems, seen = [], set()
    for name, (module, where, stem) in places(modules).items():
        file = next((s for s in (where.rpartition("u_")[2][:-1], stem) if s in images), "")
        if not file:
            problems.append(f"{name}: no .hex file in {rtl}")
            continue
        seen.add(file)
        netlist = netlists.setdefault(module, Netlist(modules[module]))
        if what := problem_of(netlist, where, images[file]):
            problems.append(f"{name}: {what}")
    return problems + [f"{file}: not in the netlist" for file in images if file not in seen]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m export.rom_check",
        description="Compare the ROMs of a netlist for ECP5 or iCE40 (JSON) with the .hex files.",
    )
    parser.add_argument("netlist", type=Path)
    parser.add_argument("rtl", type=Path, help="folder with rom_*.hex")
    args = parser.parse_args()
    problems = check(args.netlist, args.rtl)
    for problem in problems:
        print(problem)
    print(f"ROMs: {len(problems) or 'no'} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    cli.run(main)
