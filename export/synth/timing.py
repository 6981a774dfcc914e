"""nextpnr's report: clock, critical path in the names of our modules, use of the device."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from export.synth.netlist import owner


@dataclass(frozen=True)
class SlowPath:
    """The slowest way from register to register. Delays in nanoseconds."""

    delay: float
    logic: float
    routing: float
    start: str  # modules from the top down, then the cell
    end: str
    through: list[str]  # modules, in the order of the path


def _cell(name: str, known: dict[str, str]) -> str:
    """`modules: cell`, with the cell's name shortened to the register that it is."""
    short = name.split("_TRELLIS")[0].split("_SB_")[0].rsplit(".", 1)[-1]
    return f"{owner(name, known)}: {short}"


def _path(entry: dict[str, Any], known: dict[str, str]) -> SlowPath:
    logic = routing = 0.0
    through: list[str] = []
    for part in entry["path"]:
        if part["type"] == "routing":
            routing += part["delay"]
        else:
            logic += part["delay"]
        module = owner(part["to"]["cell"], known)
        if not through or through[-1] != module:
            through.append(module)
    first, last = entry["path"][0], entry["path"][-1]
    return SlowPath(
        delay=round(logic + routing, 2),
        logic=round(logic, 2),
        routing=round(routing, 2),
        start=_cell(first["from"]["cell"], known),
        end=_cell(last["to"]["cell"], known),
        through=through,
    )


def read(path: Path, scopes: dict[str, str]) -> dict[str, Any]:
    """Clock in MHz of the machine's clock, its critical path, use of the device."""
    report = json.loads(path.read_text(encoding="utf-8"))
    slowest = min(report["fmax"].items(), key=lambda item: item[1]["achieved"])
    name, clock = slowest
    paths = [
        entry
        for entry in report.get("critical_paths", [])
        if entry["from"] == entry["to"] == f"posedge {name}"
    ]
    return {
        "fmax_mhz": round(clock["achieved"], 2),
        "target_mhz": round(clock["constraint"], 2),
        "critical_path": asdict(_path(paths[0], scopes)) if paths else None,
        "use": {k: [v["used"], v["available"]] for k, v in report["utilization"].items()},
    }
