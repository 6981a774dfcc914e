"""What came out, as JSON and as a table."""

from __future__ import annotations

from typing import Any

from configs.boards import Board
from export.synth import families, tools
from export.synth.fit import Sum


def build(
    manifest: dict, board: Board, sums: dict[str, list[Sum]], result: dict[str, Any]
) -> dict[str, Any]:
    """Everything of one run."""
    device, seeds = board.fpga, result["seeds"]
    routed = [seed for seed in seeds if seed["status"] == "routed"]
    best = max(routed, key=lambda seed: seed["fmax_mhz"], default=None)
    target = round(result["clock_hz"] / 1e6, 2)
    cycles = manifest["cycles_per_token"]
    if not seeds:
        status = "synthesised"
    elif best is None:
        status = "unroutable"
    else:
        status = "met" if best["fmax_mhz"] >= target else "too slow"
    use = dict(result["netlist"]["use"])
    if best and device.family in families.CELLS:
        use["luts"] = best["use"][families.CELLS[device.family]][0]
    used = ["yosys", *([families.ROUTER[device.family]] if seeds else [])]
    available = {"luts": device.luts, "flip_flops": device.flip_flops}
    available |= {"multipliers": device.multipliers, "blocks": device.blocks}
    return {
        "config": manifest["config"],
        "artefact": manifest["source"],
        "array": manifest["array"],
        "streams": manifest["streams"],
        "board": board.name,
        "top": result["top"],
        "device": {"name": device.name, "family": device.family, "part": device.part},
        "tools": {tools.WHEELS[tool]: tools.version(tool) for tool in used},
        "expected": {what: {one.part: one.count for one in parts} for what, parts in sums.items()},
        "use": use,
        "available": available,
        "netlist": result["netlist"],
        "floorplan": result.get("floorplan"),
        "target_mhz": target,
        "seeds": seeds,
        "best_seed": best["seed"] if best else None,
        "fmax_mhz": best["fmax_mhz"] if best else None,
        "cycles_per_token": round(cycles, 1),
        "tokens_per_second": round(best["fmax_mhz"] * 1e6 / cycles) if best else None,
        "status": status,
    }


def _row(label: str, *values: str) -> str:
    return f"{label:<12}" + "".join(f"{value:>12}" for value in values)


def table(report: dict[str, Any]) -> str:
    """The same for reading."""
    lines = [
        f"{report['config']} on {report['board']} ({report['device']['part']}), top "
        f"{report['top']}, array "
        f"{report['array']['rows']} x {report['array']['cols']}",
        ", ".join(f"{wheel} {version}" for wheel, version in report["tools"].items()),
        "",
        _row("", "used", "available", "of it"),
    ]
    names = {"luts": "LUT", "flip_flops": "FF", "multipliers": "DSP", "blocks": "block RAM"}
    for key, name in names.items():
        used, there = report["use"][key], report["available"][key]
        share = f"{100 * used / there:.0f} %" if there else "-"
        lines.append(_row(name, f"{used:g}", f"{there}", share))
    if (planned := report["floorplan"]) and planned["fixed"]:
        lines.append(
            f"planned: places of {planned['fixed']} blocks, {planned['copies']} copies of registers"
        )
    netlist = report["netlist"]
    lines += ["", _row("", "MHz", "CPU s", "MiB")]
    lines.append(_row("yosys", "-", f"{netlist['cpu_seconds']:.0f}", f"{netlist['memory_mib']}"))
    for seed in report["seeds"]:
        cost = (f"{seed['cpu_seconds']:.0f}", f"{seed['memory_mib']}")
        clock = f"{seed['fmax_mhz']:.1f}" if seed["status"] == "routed" else seed["status"]
        lines.append(_row(f"seed {seed['seed']}", clock, *cost))
        if twins := seed.get("twins"):
            lines[-1] += (
                f"   {twins['count']} twins of registers, longest way by estimate "
                f"{twins['before']:.1f} -> {twins['after']:.1f} ns"
            )
    if report["tokens_per_second"]:
        lines += [
            "",
            f"{report['cycles_per_token']:,} cycles per token on average over the context, "
            f"{report['streams']} stream{'s' if report['streams'] > 1 else ''}: "
            f"{report['tokens_per_second']:,} tokens/s at the best clock",
        ]
    for seed in report["seeds"]:
        path = seed.get("critical_path")
        if path:
            lines += [
                "",
                f"critical path of seed {seed['seed']}: {path['delay']} ns, logic {path['logic']}, "
                f"routing {path['routing']}",
                f"  from  {path['start']}",
                *(f"        {module}" for module in path["through"]),
                f"  to    {path['end']}",
            ]
    for seed in report["seeds"]:
        if "why" in seed:
            lines += ["", f"seed {seed['seed']}: {seed['why']}"]
    return "\n".join(lines) + "\n"
