"""The SoC top: its modules alone, and the whole with a core, by cocotbext-axi."""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path

import pytest

from export import registers, render, soc, spec
from quant.golden import GoldenModel
from quant.random import random_model
from sim import core, gates, runner
from sim.requests import GoldenRun, Request
from tests.rtl.machines import config, opened
from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SOURCE = "89abcdef" * 8  # digest of an artefact
SETS: dict[str, tuple[dict[str, int], ...]] = {
    "axil_slave": ({"AddrW": 6}, {"AddrW": 10}),
    "axis_mux": ({"Streams": 3}, {"Streams": 1}, {"Streams": 8}),
    "axis_demux": ({"Streams": 2}, {"Streams": 1}, {"Streams": 8}),
}
SLOW = {"icarus": [], "verilator": [pytest.mark.slow]}  # where the whole SoC runs anyway
CASES = [
    pytest.param(module, *case.values, id=f"{module}-{case.id}", marks=SLOW[str(case.values[0])])
    for module, sets in SETS.items()
    for case in cases(*sets)
    if module != "axis_demux" or case.values[0] == "icarus"  # no state
]


@pytest.mark.parametrize(("module", "simulator", "parameters"), CASES)
def test_module(module: str, simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate(module, simulator, sim_build, parameters)


@pytest.mark.parametrize("module", SETS)
def test_checker_fails(module: str, sim_build: Path) -> None:
    check_fails(module, sim_build, SETS[module][0])


def small(sim_build: Path, streams: int) -> core.Machine:
    """A core of a few multipliers."""
    folder = sim_build / f"soc{streams}"
    settings = config("soc", {"d_model": 8, "d_ff": 8, "context": 9}, 2, 4, streams=streams)
    qm = random_model(settings, 20, 13)
    render.render(spec.build(qm, 2, 4, streams), folder / "rtl", "soc", SOURCE)
    return opened(folder, qm)


def job(machine: core.Machine) -> dict:
    """What the bench must find: registers, and the golden model's answers."""
    model, requests = GoldenModel(machine.qm), []
    warm = machine.qm.temperature_register(0.8)
    manifest = machine.manifest
    streams = int(manifest["parameters"]["Streams"])
    for number, request in enumerate(
        (
            Request((3, 1, 4), 4),
            Request((5,), 0, warm, 77),
            Request((1, 2, 12), 2, warm, 2**32 - 1),
            Request((2, 13, 1), 5),  # a token outside the vocabulary
            Request(tuple(range(10)), 5),  # longer than the context
            Request(tuple(range(9)), 5, warm, 6),  # as long as the context
        )
    ):
        run = GoldenRun(model, request)
        deque(run.steps(), maxlen=0)
        entry = request.job() | {
            "stream": number % streams,
            "tokens": run.tokens,
            "status": run.status,
        }
        requests.append(entry)
    counters = len(manifest.get("counters", {}).get("names", ()))
    shape = {"streams": streams, "counters": max(1, counters)}
    limits = manifest["parameters"]["Vocab"] | manifest["parameters"]["Context"] << 16
    constants = {
        "id": registers.ID,
        "version": registers.VERSION,
        "model": 0x89ABCDEF,
        "shape": shape["streams"] | shape["counters"] << 8,
        "limits": limits,
    }
    places = [
        {
            "name": place.name,
            "address": place.address,
            "access": place.register.access,
            "mask": place.mask,
            "value": constants.get(place.name, 0),
        }
        for place in registers.places(shape["streams"], shape["counters"])
    ]
    return {
        **shape,
        "requests": requests,
        "places": places,
        "size": 1 << registers.ADDR_W,
        "cycles": 600,
    }


def rendered(machine: core.Machine) -> list[Path]:
    """The Verilog of the SoC."""
    out = machine.rtl.parent / "top"
    return [out / name for name in soc.render(machine.rtl, out)]


def run(machine: core.Machine, where: Path, simulator: str, **env: str) -> None:
    """The bench on the rendered SoC."""
    where.mkdir(parents=True, exist_ok=True)
    for image in machine.rtl.glob("*.hex"):
        (where / image.name).write_bytes(image.read_bytes())
    (where / "job.json").write_text(json.dumps(job(machine)))
    runner.run(
        soc.TOP,
        rendered(machine),
        "sim.tb_soc",
        simulator=simulator,
        build_dir=machine.rtl.parent / "build",
        env={"SOC_JOB": str((where / "job.json").resolve()), **env},
        test_dir=where,
    )


@pytest.mark.parametrize(
    ("simulator", "streams"),
    [
        ("verilator", 2),
        pytest.param("verilator", 1, marks=pytest.mark.slow),
        pytest.param("icarus", 2, marks=pytest.mark.slow),
    ],
)
def test_the_soc_answers_as_the_golden_model(
    simulator: str, streams: int, sim_build: Path, tmp_path: Path
) -> None:
    run(small(sim_build, streams), tmp_path, simulator)


def test_the_soc_checker_fails(sim_build: Path, tmp_path: Path) -> None:
    with pytest.raises(runner.SimulationError, match="1 mismatches"):
        run(small(sim_build, 2), tmp_path, "verilator", CORRUPT="200")


@pytest.mark.slow
def test_the_soc_is_synthesised(sim_build: Path) -> None:
    machine = small(sim_build, 2)
    folder = machine.rtl.parent / "netlist"
    folder.mkdir(exist_ok=True)
    for image in machine.rtl.glob("*.hex"):
        (folder / image.name).write_bytes(image.read_bytes())
    sources = [path for path in rendered(machine) if path.name != "mul.sv"]
    gates.netlist(soc.TOP, [*sources, gates.MULTIPLIER], folder)
    kinds = json.loads((folder / "netlist.json").read_text())["modules"][soc.TOP]["cells"]
    assert {"MULT18X18D", "DP16KD", "TRELLIS_FF"} <= {cell["type"] for cell in kinds.values()}
