"""Twins of registers in a placed netlist: what they are for, and that they change nothing else."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest

from export.synth import placed, slots, twins

Module = dict[str, Any]
DIRECTION = dict.fromkeys(("Q", "F", "OFX", "P0"), "output")


def cell(kind: str, place: str, **nets: int) -> dict[str, Any]:
    return {
        "type": kind,
        "parameters": {"SD": "1 "},
        "attributes": {"NEXTPNR_BEL": place},
        "port_directions": {port: DIRECTION.get(port, "input") for port in nets},
        "connections": {port: [net] for port, net in nets.items()},
    }


def register(column: int, row: int, **nets: int) -> dict[str, Any]:
    return cell(placed.REGISTER, f"X{column}/Y{row}/SLICEA.FF0", CLK=1, **nets)


def module(cells: dict[str, dict[str, Any]]) -> Module:
    """With a table in every fourth tile, beside which registers find a place."""
    for column in range(0, 126, 4):
        for row in (10, 40):
            name = f"table {column} {row}"
            cells[name] = cell(placed.TABLE, f"X{column}/Y{row}/SLICED.K0")
    return {"cells": cells, "netnames": {}, "ports": {}}


def chain(length: int = 4) -> Module:
    """Registers in one place behind a block, and a block far away that the last of them feeds."""
    cells = {"begin": cell("MULT18X18D", "X2/Y10/MULT18_0", P0=10)}
    for n in range(length):
        cells[f"r{n}"] = register(4 + n, 11, M=10 + n, Q=11 + n)
    cells["end"] = cell("MULT18X18D", "X120/Y40/MULT18_0", A0=10 + length)
    return module(cells)


def origin(name: str) -> str:
    return name.split("$twin")[0]


def check_the_same(before: Module, after: Module) -> int:
    """Every twin is fed as its origin, and every cell reads what it read, from one of the twins.

    Returns the number of twins."""
    data = ("DI", "M")
    value = {}  # net -> net of the origin
    for name, one in after["cells"].items():
        old = before["cells"][origin(name)]["connections"]
        for output in ("Q", "F", "OFX"):
            if one["connections"].get(output):
                value[one["connections"][output][0]] = old[output][0]
    count = 0
    for name, one in after["cells"].items():
        old = before["cells"][origin(name)]
        now = {p: [value.get(b, b) for b in bits] for p, bits in one["connections"].items()}
        then = dict(old["connections"])
        if "$twin" in name:
            count += 1
        if "$twin" in name and one["type"] == placed.REGISTER:
            for wires in (now, then):
                wires["data"] = next(wires[port] for port in data if wires.get(port))
                for port in data:
                    wires.pop(port, None)
        assert now == then, name
    gone = before["cells"].keys() - after["cells"].keys()
    kinds = {before["cells"][name]["type"] for name in gone}
    assert kinds <= {placed.REGISTER, placed.TABLE}
    places = [one["attributes"]["NEXTPNR_BEL"] for one in after["cells"].values()]
    assert len(set(places)) == len(places)
    return count


def test_a_chain_is_spread_over_its_way() -> None:
    design = chain()
    before = copy.deepcopy(design)
    relief = twins.relieve(design, 4.0)
    assert relief.count == check_the_same(before, design) > 0
    assert relief.before > 12.0
    assert relief.after < 5.0
    assert sum(one["type"] == placed.REGISTER for one in design["cells"].values()) == 4


def test_a_register_that_is_read_everywhere_has_a_twin_in_each_part() -> None:
    cells = {"begin": cell("MULT18X18D", "X60/Y10/MULT18_0", P0=10)}
    cells["r"] = register(61, 11, M=10, Q=11)
    for n in range(30):
        cells[f"end{n}"] = cell("MULT18X18D", f"X{4 * n}/Y41/MULT18_0", A0=11)
    design = module(cells)
    before = copy.deepcopy(design)
    relief = twins.relieve(design, 5.0)
    assert relief.count == check_the_same(before, design) >= 2
    assert relief.after < relief.before


def test_a_table_of_registers_follows_what_it_feeds() -> None:
    """A decoder in the middle, read by both ends: each gets one of its own, with a register."""
    cells = {"begin": cell("MULT18X18D", "X60/Y10/MULT18_0", P0=10)}
    cells["r"] = register(61, 11, M=10, Q=11)
    cells["decoder"] = cell(placed.TABLE, "X62/Y11/SLICEA.K0", A=11, F=12)
    for n, column in enumerate((2, 120)):
        cells[f"logic{n}"] = cell(placed.TABLE, f"X{column}/Y11/SLICEA.K0", A=12, F=20 + n)
        cells[f"end{n}"] = cell("MULT18X18D", f"X{column}/Y41/MULT18_0", A0=20 + n)
    design = module(cells)
    before = copy.deepcopy(design)
    relief = twins.relieve(design, 5.0)
    assert relief.count == check_the_same(before, design) >= 4
    assert relief.after < relief.before - 2.0
    assert any(one["type"] == placed.TABLE and "$twin" in n for n, one in design["cells"].items())


def far_table(levels: int) -> Module:
    """A block on the left, tables and a register on the right, in the middle what they feed."""
    cells = {"begin": cell("MULT18X18D", "X2/Y10/MULT18_0", P0=10)}
    for n in range(levels):
        place = f"X{118 - n}/Y11/SLICEB.K1"
        cells[f"t{n}"] = cell(placed.TABLE, place, A=10 + n, F=11 + n)
    place = f"X{119 - levels}/Y11/SLICEB.FF1"
    cells["r"] = cell(placed.REGISTER, place, CLK=1, DI=10 + levels, Q=30)
    cells["end"] = cell("MULT18X18D", "X60/Y10/MULT18_0", A0=30)
    return module(cells)


def pieces(place: str) -> tuple[str, str, str]:
    """Tile, slice, and place in it."""
    tile, part = place.rsplit("/", 1)
    return tile, *part.split(".")  # type: ignore[return-value]


def test_a_register_takes_the_table_that_feeds_it_along() -> None:
    design = far_table(1)
    before = copy.deepcopy(design)
    relief = twins.relieve(design, 5.0)
    assert check_the_same(before, design) == relief.count == 2
    assert relief.before > 9.0
    assert relief.after < 6.5
    bels = {origin(name): one["attributes"]["NEXTPNR_BEL"] for name, one in design["cells"].items()}
    table, register = pieces(bels["t0"]), pieces(bels["r"])
    assert table == (*register[:2], register[2].replace("FF", "K"))
    assert design["cells"].keys().isdisjoint({"t0", "r"})  # nothing reads the old ones


def test_tables_before_that_one_come_along_as_well() -> None:
    design = far_table(3)
    before = copy.deepcopy(design)
    relief = twins.relieve(design, 5.0)
    assert check_the_same(before, design) == relief.count == 4
    assert relief.before > 10.0
    assert relief.after < 8.0


@pytest.mark.parametrize("taken", [False, True])
def test_tables_with_a_multiplexer_stay_beside_each_other(taken: bool) -> None:
    """Two of them and the register; not where another register has its place."""
    cells = {"begin": cell("MULT18X18D", "X2/Y10/MULT18_0", P0=10)}
    low = cell(placed.TABLE, "X118/Y11/SLICEC.K0", A=10, M=10, F1=11, F=12, OFX=13)
    high = cell(placed.TABLE, "X118/Y11/SLICEC.K1", B=10, F=11)
    cells |= {"low": low, "high": high}
    cells["r"] = cell(placed.REGISTER, "X118/Y11/SLICEC.FF0", CLK=1, DI=13, Q=30)
    cells["end"] = cell("MULT18X18D", "X60/Y10/MULT18_0", A0=30)
    design = module(cells)
    if taken:  # every other slice has something
        for name in [n for n in design["cells"] if n.startswith("table")]:
            tile = design["cells"][name]["attributes"]["NEXTPNR_BEL"].split("/SLICE")[0]
            for part in "ABCD":
                place = f"{tile}/SLICE{part}.FF0"
                design["cells"][place] = cell(
                    placed.REGISTER, place, CLK=1, M=10, Q=100 + len(cells)
                )
    before = copy.deepcopy(design)
    relief = twins.relieve(design, 5.0)
    assert check_the_same(before, design) == relief.count == (0 if taken else 3)
    if taken:
        return
    bels = {origin(name): one["attributes"]["NEXTPNR_BEL"] for name, one in design["cells"].items()}
    tile, part, _ = pieces(bels["r"])
    assert tile != "X118/Y11"
    assert (bels["low"], bels["high"], bels["r"]) == tuple(
        f"{tile}/{part}.{place}" for place in ("K0", "K1", "FF0")
    )
    assert relief.after < 6.5


@pytest.mark.parametrize(("taken", "fits"), [("SLICEB.FF0", False), ("SLICEB.FF1", True)])
def test_a_multiplexer_needs_the_way_into_the_register_beside_it(taken: str, fits: bool) -> None:
    """Four tables in two slices: that of slice B is chosen by a wire that its FF0 would come by."""
    shape = (("A", "K1", True), ("A", "K0", True), ("B", "K0", True), ("B", "K1", False))
    tables = [slots.Beside("A", "FF1", "AB".index(p), bel, mux) for p, bel, mux in shape]
    place = f"X10/Y10/{taken}"
    free = slots.Slots({"r": cell(placed.REGISTER, place, CLK=1, M=2, Q=3)})
    index = free.number[10, 10, "A", "FF1"]
    numbers = free.around(index, tables)
    assert (numbers is not None) == fits
    if numbers is not None:
        names = [free.close_table(n, t.is_mux) for n, t in zip(numbers, tables, strict=True)]
        assert names == [f"X10/Y10/SLICE{part}.{bel}" for part, bel, _ in shape]
        assert not free.open[free.number[10, 10, "B", "FF0"]]
        assert free.around(index, tables) is None
    assert free.around(free.number[10, 10, "C", "FF1"], tables) is None  # two slices keep theirs


def test_a_table_whose_other_output_goes_elsewhere_stays() -> None:
    """Its multiplexer would have two drivers."""
    design = far_table(1)
    design["cells"]["t0"]["connections"] |= {"OFX": [40]}
    design["cells"]["other"] = cell("MULT18X18D", "X118/Y10/MULT18_0", A0=40)
    design["cells"]["t0"]["port_directions"]["OFX"] = "output"
    before = copy.deepcopy(design)
    twins.relieve(design, 5.0)
    check_the_same(before, design)
    assert "t0" in design["cells"]
    assert not any(name.startswith("t0$") for name in design["cells"])


def test_short_ways_are_left_alone() -> None:
    design = chain()
    before = copy.deepcopy(design)
    assert twins.relieve(design, 20.0).count == 0
    assert design == before


def test_registers_that_may_not_share_a_tile_do_not() -> None:
    """Twins with four resets: no tile has two of them."""
    cells = {}
    for n in range(4):
        cells[f"begin{n}"] = cell("MULT18X18D", f"X2/Y{10 + n}/MULT18_0", P0=10 + n)
        cells[f"reset{n}"] = cell("MULT18X18D", f"X2/Y{20 + n}/MULT18_0", P0=20 + n)
        cells[f"r{n}"] = register(4, 10 + n, M=10 + n, LSR=20 + n, Q=30 + n)
        cells[f"end{n}"] = cell("MULT18X18D", f"X120/Y{10 + n}/MULT18_0", A0=30 + n)
    design = module(cells)
    before = copy.deepcopy(design)
    assert twins.relieve(design, 4.0).count == check_the_same(before, design) >= 4
    resets: dict[str, set[int]] = {}
    for one in design["cells"].values():
        if "LSR" in one["connections"]:
            tile = one["attributes"]["NEXTPNR_BEL"].rpartition("/")[0]
            resets.setdefault(tile, set()).add(one["connections"]["LSR"][0])
    assert all(len(nets) == 1 for nets in resets.values())


def test_registers_agree_with_those_beside_them_when_their_reset_has_twins() -> None:
    cells = {"block": cell("MULT18X18D", "X2/Y10/MULT18_0", P0=9)}
    cells["reset"] = register(3, 11, M=9, Q=10)
    rng = random.Random(1)
    for n in range(60):
        begin, end = (f"X{rng.randrange(126)}/Y{row}/MULT18_{n}" for row in (9, 41))
        cells[f"begin{n}"] = cell("MULT18X18D", begin, P0=100 + n)
        cells[f"r{n}"] = register(2 * n, 12, M=100 + n, LSR=10, Q=200 + n)
        cells[f"end{n}"] = cell("MULT18X18D", end, A0=200 + n)
    design = module(cells)
    before = copy.deepcopy(design)
    relief = twins.relieve(design, 2.0)
    assert relief.count == check_the_same(before, design) > 30
    resets: dict[str, set[int]] = {}
    for one in design["cells"].values():
        if one["type"] == placed.REGISTER and "LSR" in one["connections"]:
            tile = one["attributes"]["NEXTPNR_BEL"].split("/SLICE")[0]
            resets.setdefault(tile, set()).update(one["connections"]["LSR"])
    assert len(set.union(*resets.values())) > 1
    assert all(len(nets) == 1 for nets in resets.values())


def test_the_check_sees_a_twin_that_is_fed_by_another_net() -> None:
    design = chain()
    before = copy.deepcopy(design)
    twins.relieve(design, 4.0)
    twin = next(name for name in design["cells"] if "$twin" in name)
    design["cells"][twin]["connections"]["M"] = [14]
    with pytest.raises(AssertionError):
        check_the_same(before, design)


def test_a_cell_without_a_place_is_named() -> None:
    design = chain()
    del design["cells"]["r1"]["attributes"]["NEXTPNR_BEL"]
    with pytest.raises(ValueError, match="r1 has no place"):
        twins.relieve(design, 4.0)
