"""Places for a large array, and copies of registers: by definitions, on small netlists, and on the
netlist of a module under the module's own bench."""

from __future__ import annotations

import itertools
import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from configs import boards, devices
from export.synth import copies, families, floorplan, flow, netlist, tools
from export.synth.floorplan import BLOCK, MULTIPLIER, Site
from sim import gates
from sim.runner import SimulationError
from tests.rtl.test_gates import SETS

ULX3S = boards.load("ulx3s-85f")


# -- sites


def test_the_sites_of_a_device_are_as_many_as_its_data_sheet_says(sim_build: Path) -> None:
    folder = sim_build / "sites"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "filler.json").write_text(json.dumps(floorplan.filler(ULX3S.fpga)))
    options = families.place(ULX3S, "filler.json", "sites.json")
    result = tools.run("nextpnr-ecp5", options, folder, folder / "sites.log", print)
    assert result.status == 0
    sites = floorplan.sites(json.loads((folder / "sites.json").read_text()))
    assert len(set(sites[MULTIPLIER])) == ULX3S.fpga.multipliers == 156
    assert len(set(sites[BLOCK])) == ULX3S.fpga.blocks == 208
    assert len({site.y for site in sites[MULTIPLIER]}) > 1


# -- who goes where


@pytest.mark.parametrize("seed", range(8))
def test_the_order_is_kept_at_the_least_distance(seed: int) -> None:
    generator = random.Random(seed)
    places = np.array(sorted(generator.sample(range(40), 8)), float)
    wanted = np.array(sorted(generator.uniform(-5, 45) for _ in range(generator.randint(1, 8))))
    chosen = floorplan.in_order(wanted, places)
    assert all(a < b for a, b in itertools.pairwise(chosen))
    best = min(
        np.abs(places[list(some)] - wanted).sum()
        for some in itertools.combinations(range(8), len(wanted))
    )
    assert np.abs(places[chosen] - wanted).sum() == pytest.approx(best)


def grid(rows: int, columns: int) -> list[Site]:
    return sorted(
        Site(10 * y, 4 * x, f"X{4 * x}/Y{10 * y}/M") for y in range(rows) for x in range(columns)
    )


def test_each_cell_gets_a_site_of_its_own_near_its_point() -> None:
    wanted = {"a": (0.0, 9.0), "b": (1.0, 11.0), "c": (30.0, 0.0), "d": (1.0, 10.0)}
    chosen = floorplan.assign(wanted, grid(3, 4))
    assert len(set(chosen.values())) == 4
    assert chosen["c"].point == (12, 0)
    assert {chosen[name].y for name in "abd"} == {10}
    assert sorted(chosen[name].x for name in "abd") == [0, 4, 8]


@pytest.mark.parametrize(("rows", "columns"), [(8, 16), (4, 24), (3, 5)])
def test_a_column_of_the_array_is_a_strip_with_its_lane_on_top(rows: int, columns: int) -> None:
    names = [f"u_row_{r}.g_col[{c}].u_pe.u_mul" for r in range(rows) for c in range(columns)]
    names += [f"g_lane[{c}].u_requant.u_mul" for c in range(columns)]
    points = floorplan.strips([*names, "u_noise.u_mul"], grid(3, 52))
    assert set(points) == set(names)
    sites = floorplan.assign(points, grid(3, 52))
    assert len(set(sites.values())) == len(names)
    for column in range(columns):
        heights = [points[f"u_row_{r}.g_col[{column}].u_pe.u_mul"][1] for r in range(rows)]
        assert heights == sorted(heights)
        assert points[f"g_lane[{column}].u_requant.u_mul"][1] >= heights[-1]
    if (rows + 1) * columns <= 3 * (52 // columns) * columns:  # whole rows fit
        for row in range(rows):
            places = [sites[f"u_row_{row}.g_col[{c}].u_pe.u_mul"] for c in range(columns)]
            assert len({site.y for site in places}) == 1
            assert [site.x for site in places] == sorted(site.x for site in places)


def cell(kind: str, **wires: int) -> dict[str, Any]:
    outputs = ("Q", "Z")
    return {
        "type": kind,
        "attributes": {},
        "parameters": {},
        "port_directions": {p: "output" if p in outputs else "input" for p in wires},
        "connections": {port: [bit] for port, bit in wires.items()},
    }


def test_springs_pull_a_chain_apart_evenly() -> None:
    chain = {"left": cell("DSP", Q=2), "right": cell("DSP", D=5)}
    chain |= {f"ff{n}": cell("TRELLIS_FF", DI=2 + n, Q=3 + n) for n in range(3)}
    found = floorplan.pulled({"cells": chain}, {"left": (0.0, 0.0), "right": (40.0, 80.0)})
    for n in range(3):
        assert found[f"ff{n}"] == pytest.approx((10 * (n + 1), 20 * (n + 1)), abs=0.01)


@pytest.mark.parametrize(
    ("name", "count", "large"),
    [
        ("u_row_0.g_col[{}].u_pe.u_mul", 60, False),
        ("u_row_0.g_col[{}].u_pe.u_mul", 100, True),
        ("u_filter.g_tap[{}].u_mul", 100, False),
    ],
)
def test_only_an_array_that_fills_the_device_is_planned(name: str, count: int, large: bool) -> None:
    module = {"cells": {name.format(n): cell(MULTIPLIER) for n in range(count)}}
    assert floorplan.is_large(module, devices.load("ulx3s-85f")) == large


# -- copies


def fan(count: int = 8, logic: int = 0) -> tuple[dict[str, Any], dict[str, floorplan.Point]]:
    """A register behind `logic` tables that feeds `count` others from left to right."""
    cells, at = {"source": cell(MULTIPLIER, Z=2)}, {"source": (0.0, 0.0)}
    net = 2
    for n in range(logic):
        cells[f"table{n}"] = cell("LUT4", A=net, Z=net + 1)
        at[f"table{n}"], net = (0.0, 0.0), net + 1
    cells["far"] = cell("TRELLIS_FF", DI=net, Q=20)
    for n in range(count):
        cells[f"end{n}"] = cell("TRELLIS_FF", DI=20, Q=30 + n)
        at[f"end{n}"] = (100.0 * n / (count - 1), 0.0)
    return {"cells": cells, "ports": {}}, at | {"far": (50.0, 0.0)}


def test_a_register_that_reaches_far_is_copied_for_each_part() -> None:
    module, at = fan()
    before = netlist.cells(module)["TRELLIS_FF"]
    count = copies.spread(module, at)
    assert count == 3
    assert netlist.cells(module)["TRELLIS_FF"] == before + count
    cells = module["cells"]
    feeds = {c["connections"].get("Q", [0])[0]: name for name, c in cells.items()}
    reach: dict[str, list[float]] = {}
    for n in range(8):
        owner = feeds[cells[f"end{n}"]["connections"]["DI"][0]]
        assert owner.split("$")[0] == "far"
        assert cells[owner]["connections"]["DI"] == [2]
        reach.setdefault(owner, []).append(at[f"end{n}"][0])
    assert len(reach) == 4
    assert all(max(spots) - min(spots) <= copies.REACH for spots in reach.values())


def test_few_readers_near_readers_and_deep_logic_are_left_alone() -> None:
    assert copies.spread(*fan(count=3)) == 0
    assert copies.spread(*fan(logic=2)) == 0
    assert copies.spread(*fan(logic=1)) == 3
    module, at = fan()
    assert copies.spread(module, dict.fromkeys(at, (0.0, 0.0))) == 0


@pytest.mark.rtl
def test_a_netlist_with_copies_does_what_the_module_does(sim_build: Path) -> None:
    """And a copy that takes another value is seen."""
    folder = sim_build / "copies"
    files = gates.netlist("kv_bank", gates.static_modules(), folder, SETS["kv_bank"])
    design = netlist.load(folder / "netlist.json")
    top, generator = netlist.top(design), random.Random(1)
    at = {name: (generator.uniform(0, 126), generator.uniform(0, 95)) for name in top["cells"]}
    assert copies.spread(top, at) > 10

    def simulate() -> None:
        (folder / "copied.json").write_text(json.dumps(design))
        script = "read_json copied.json; write_verilog -noattr netlist.v"
        subprocess.run([gates.program(), "-q", "-p", script], cwd=folder, check=True)
        gates.simulate("kv_bank", "icarus", folder, SETS["kv_bank"], files)

    simulate()
    for name, one in top["cells"].items():
        if "$copy" in name:
            one["connections"]["DI"] = ["0"]
    with pytest.raises(SimulationError):
        simulate()


def test_a_large_array_is_planned_once(
    sim_build: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What nextpnr is given: a place for every block, and copies; kept while nothing changes."""
    monkeypatch.setattr(floorplan, "LARGE", 0.0)
    folder = sim_build / "plan"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = {f"u.u_row_{r}.g_col[{c}].u_pe.u_mul": (r, c) for r in range(2) for c in range(4)}
    module, _ = fan()
    module["cells"] |= {name: cell(MULTIPLIER, Z=100 + n) for n, name in enumerate(names)}
    module["cells"] |= {"rom": cell(BLOCK, Z=200), "u.g_lane[3].u_requant.u_mul": cell(MULTIPLIER)}
    design = {"modules": {"top": module | {"attributes": {"top": "1"}}}}
    (folder / "netlist.json").write_text(json.dumps(design))
    told: list[str] = []
    job = flow.Job(tmp_path, ULX3S, folder, (1,), told.append)
    result = flow.plan(job, "key")
    assert result["file"] == "planned.json"
    blocks = floorplan.of_type(module, MULTIPLIER) + floorplan.of_type(module, BLOCK)
    assert result["fixed"] == len(blocks)
    planned = netlist.load(folder / "planned.json")["modules"]["top"]["cells"]
    places = [planned[name]["attributes"]["BEL"] for name in blocks]
    assert len(set(places)) == len(blocks)
    assert len(planned) == len(module["cells"]) + result["copies"]
    flow.plan(job, "key")
    assert "kept" in told[-1]
    monkeypatch.setattr(floorplan, "LARGE", 1.0)
    assert flow.plan(job, "another key")["file"] == "netlist.json"
