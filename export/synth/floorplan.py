"""Where the multipliers and block RAMs of a large array go, from the shape of the array.

nextpnr begins with everything in one spot and spreads it; with nearly all multipliers of a device
in use, the spreading decides where they end, and not what they are connected to. So they get their
places before. Column c of the array is a vertical strip of the device, in which the rows of the
array lie from the bottom to the top, and the lane of the requantiser above them. Every block RAM is
as near as can be to where springs, in the place of its nets, would pull it. All other cells are
placed by nextpnr.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from configs.devices import Device

MULTIPLIER, BLOCK = "MULT18X18D", "DP16KD"
ELEMENT = re.compile(r"u_row_(\d+)\.g_col\[(\d+)\]\.u_pe\.")
LANE = re.compile(r"g_lane\[(\d+)\]\.u_requant\.")
BEL = re.compile(r"X(\d+)/Y(\d+)/\w+")
LARGE = 0.5  # of the device's multipliers: a smaller array is placed well without
WIDE_NET = 16  # pins; what goes everywhere pulls nowhere
SWEEPS = 400

Array = np.ndarray
Point = tuple[float, float]  # column and row of the device


@dataclass(frozen=True, order=True)
class Site:
    """A place for a block: row and column of the device, nextpnr's name."""

    y: int
    x: int
    bel: str

    @property
    def point(self) -> Point:
        return self.x, self.y


def filler(device: Device) -> dict[str, Any]:
    """A netlist with as many blocks as the device has: where nextpnr puts them are the sites."""
    counts = {MULTIPLIER: device.multipliers, BLOCK: device.blocks}
    empty = ("parameters", "attributes", "port_directions", "connections")
    cells: dict[str, dict[str, Any]] = {
        f"{kind}_{index}": {"type": kind} | {part: {} for part in empty}
        for kind, count in counts.items()
        for index in range(count)
    }
    top = {"attributes": {"top": "1"}, "ports": {}, "cells": cells, "netnames": {}}
    return {"creator": "fixformer", "modules": {"top": top}}


def sites(placed: Mapping[str, Any]) -> dict[str, list[Site]]:
    """The sites by type of cell, in order, of a netlist that nextpnr has placed."""
    result: dict[str, list[Site]] = {MULTIPLIER: [], BLOCK: []}
    for cell in placed["modules"]["top"]["cells"].values():
        match = BEL.fullmatch(cell["attributes"].get("NEXTPNR_BEL", ""))
        if match and cell["type"] in result:
            result[cell["type"]].append(Site(int(match[2]), int(match[1]), match[0]))
    return {kind: sorted(found) for kind, found in result.items()}


def of_type(module: Mapping[str, Any], kind: str) -> list[str]:
    """Names of the cells of one type."""
    return [name for name, cell in module["cells"].items() if cell["type"] == kind]


def is_large(module: Mapping[str, Any], device: Device) -> bool:
    """Whether there is an array that takes so much of the device that it needs a plan."""
    names = of_type(module, MULTIPLIER)
    return len(names) > LARGE * device.multipliers and any(map(ELEMENT.search, names))


def in_order(wanted: Array, places: Array) -> Array:
    """Index of a place for each of `wanted`, both ascending: order kept, least total distance."""
    count, slots = len(wanted), len(places)
    cost = np.full((count + 1, slots + 1), np.inf)
    cost[0] = 0.0
    for index in range(count):
        taken = cost[index, :-1] + np.abs(places - wanted[index])
        cost[index + 1, 1:] = np.minimum.accumulate(taken)
    result, slot = np.empty(count, int), slots
    for index in range(count, 0, -1):
        while slot > 1 and cost[index, slot - 1] == cost[index, slot]:
            slot -= 1
        slot -= 1
        result[index - 1] = slot
    return result


def assign(wanted: Mapping[str, Point], places: list[Site]) -> dict[str, Site]:
    """A site for each cell, near the point that it wants: first the row of sites, then the place in
    the row."""
    rows = np.array([site.y for site in places])
    names = sorted(wanted, key=lambda name: wanted[name][1])
    chosen = in_order(np.array([wanted[name][1] for name in names]), rows)
    by_row: dict[int, list[str]] = {}
    for name, place in zip(names, chosen, strict=True):
        by_row.setdefault(places[place].y, []).append(name)
    result: dict[str, Site] = {}
    for y, members in by_row.items():
        members.sort(key=lambda name: wanted[name][0])
        row = [site for site in places if site.y == y]
        columns = np.array([site.x for site in row])
        chosen = in_order(np.array([wanted[name][0] for name in members]), columns)
        result |= {name: row[place] for name, place in zip(members, chosen, strict=True)}
    return result


def strips(names: list[str], places: list[Site]) -> dict[str, Point]:
    """Where the multipliers of the array, and those of the lanes behind it, want to be."""
    found: dict[str, tuple[int, int]] = {}  # row and column of the array
    lanes: dict[str, int] = {}
    for name in names:
        if match := ELEMENT.search(name):
            found[name] = int(match[1]), int(match[2])
        elif match := LANE.search(name):
            lanes[name] = int(match[1])
    above = 1 + max((row for row, _ in found.values()), default=-1)
    found |= {name: (above, lane) for name, lane in lanes.items()}
    columns = 1 + max((column for _, column in found.values()), default=0)
    # rows of the array in each row of sites: as many as fit beside each other in a strip
    beside = {y: max(1, count // columns) for y, count in Counter(s.y for s in places).items()}
    levels = [(y, place) for y in sorted(beside) for place in range(beside[y])]
    left, right = min(s.x for s in places), max(s.x for s in places)
    result = {}
    for name, (row, column) in found.items():
        y, place = levels[row * len(levels) // max(above + 1, len(levels))]
        offset = column + (place + 0.5) / beside[y]
        result[name] = left + offset * (right - left) / columns, float(y)
    return result


def pulled(module: Mapping[str, Any], fixed: Mapping[str, Point]) -> dict[str, Point]:
    """Where every cell would lie if narrow nets were springs and only `fixed` had a place."""
    index = {name: number for number, name in enumerate(module["cells"])}
    members: dict[int, list[int]] = {}
    for name, cell in module["cells"].items():
        for bits in cell["connections"].values():
            for bit in bits:
                if isinstance(bit, int):
                    members.setdefault(bit, []).append(index[name])
    nets = [pins for pins in members.values() if 1 < len(pins) <= WIDE_NET]
    pin = np.array([cell for pins in nets for cell in pins], int)
    net = np.repeat(np.arange(len(nets)), [len(pins) for pins in nets])
    degree = np.bincount(net, minlength=len(nets))
    weight = 1.0 / (degree - 1)[net]
    total = np.bincount(pin, weights=weight, minlength=len(index))
    held, at = np.array([index[name] for name in fixed]), np.array(list(fixed.values()))
    place = np.tile(at.mean(axis=0), (len(index), 1))
    for _ in range(SWEEPS):
        place[held] = at
        for axis in range(2):
            middle = np.bincount(net, weights=place[pin, axis], minlength=len(nets)) / degree
            moved = np.bincount(pin, weights=weight * middle[net], minlength=len(index))
            np.divide(moved, total, out=place[:, axis], where=total > 0)
    place[held] = at
    return {name: (float(place[n, 0]), float(place[n, 1])) for name, n in index.items()}


def plan(
    module: Mapping[str, Any], places: Mapping[str, list[Site]]
) -> tuple[dict[str, Site], dict[str, Point]]:
    """Sites of all multipliers and block RAMs, and about where all cells are drawn by them."""
    multipliers, blocks = of_type(module, MULTIPLIER), of_type(module, BLOCK)
    wanted = strips(multipliers, places[MULTIPLIER])
    free = pulled(module, wanted)
    chosen = assign({n: wanted.get(n, free[n]) for n in multipliers}, places[MULTIPLIER])
    about = pulled(module, {name: site.point for name, site in chosen.items()})
    chosen |= assign({name: about[name] for name in blocks}, places[BLOCK])
    return chosen, pulled(module, {name: site.point for name, site in chosen.items()})


def fix(module: dict[str, Any], chosen: Mapping[str, Site]) -> None:
    """Tell nextpnr, by an attribute of each cell."""
    for name, site in chosen.items():
        module["cells"][name].setdefault("attributes", {})["BEL"] = site.bel
