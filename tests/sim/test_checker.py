"""The checker passes a perfect trace, and catches and locates every single fault in one.

The traces are made from the golden model, so that every record of every kind can be spoilt in
every way in a second; tests/rtl/test_core_*.py do the same with real faults in real Verilog.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from quant.golden import GoldenModel
from sim.checker import Checker
from sim.layout import FIRST, REST
from sim.requests import Request, Reset
from tests.rtl import machines
from tests.sim import traces
from tests.sim.traces import Line

ASKED = [Request((3, 7), max_tokens=2, temperature=20000, seed=4), Request((1,), max_tokens=1)]


class Case:
    """A small machine with padding everywhere, and its perfect trace."""

    def __init__(self, folder: Path, activation: str = "relu") -> None:
        model = {"d_model": 10, "n_heads": 2, "d_ff": 6, "context": 6, "n_layers": 1}
        model |= {"activation": activation}
        machine = machines.machine(machines.config("checker", model, 4, 4), 5 + 2, folder)
        self.manifest, self.model = machine.manifest, GoldenModel(machine.qm)
        requests = [replace(r, prompt=tuple(t % 7 for t in r.prompt)) for r in ASKED]
        self.requests = requests
        self.lines = traces.lines(self.manifest, self.model, requests)

    def check(self, lines: list[Line] | str, requests: list[Request] | None = None) -> Checker:
        checker = Checker(self.model, self.manifest, requests or self.requests)
        text = lines if isinstance(lines, str) else traces.text(lines)
        for start in range(0, len(text), 777):  # in pieces, as a growing file
            checker.feed(text[start : start + 777])
        checker.finish()
        return checker


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return Case(tmp_path_factory.mktemp("checker"))


def test_a_perfect_trace_passes_and_is_covered(case: Case) -> None:
    checker = case.check(case.lines)
    assert (checker.mismatch_count, checker.covered, checker.tokens) == (0, True, 4)
    assert [len(run.tokens) for run in checker.runs] == [2, 1]
    total = sum(v.size for line in case.lines if line.kind == "S" for v in line.step.trace.values())
    assert sum(checker.elements.values()) == checker.golden == total
    assert set(checker.elements) == {name for line in case.lines for name in line.step.trace}
    assert checker.padding > 0


def test_every_changed_lane_is_located(case: Case) -> None:
    """One bit of each lane of each record: exactly that element is named, at its cycle."""
    checked = padding = 0
    for at, line in enumerate(case.lines):
        if line.kind == "S":
            continue
        for lane, place in enumerate(line.places):
            values = list(line.values)
            values[lane] ^= 1
            checker = case.check(
                [*case.lines[:at], replace(line, values=tuple(values)), *case.lines[at + 1 :]]
            )
            if place < 0:  # scores of later positions, channels of other heads
                assert checker.mismatch_count == 0
                continue
            (found,) = checker.mismatches
            assert checker.mismatch_count == 1
            assert (found.request, found.position) == (line.step.request, line.step.position)
            assert (found.cycle, found.lane, found.actual) == (at, lane, values[lane])
            assert found.expected == line.values[lane]
            if place < FIRST:
                assert found.element is None
                padding += 1
            else:
                plan = traces.plan_of(checker.layout, line.step)
                assert (found.stage, found.element) == plan.locate(place)
                assert int(line.step.trace[found.stage][found.element]) == found.expected
                checked += 1
    assert checked > 300
    assert padding > 20


@pytest.mark.parametrize("activation", ["gelu", "silu"])
def test_padding_of_the_hidden_layer_is_the_code_of_an_activated_zero(
    activation: str, tmp_path: Path
) -> None:
    case = Case(tmp_path, activation)
    assert case.manifest["parameters"]["HiddenZero"] > 0
    assert case.check(case.lines).covered
    at = next(n for n, line in enumerate(case.lines) if REST in line.places)
    values, lane = list(case.lines[at].values), case.lines[at].places.index(REST)
    assert values[lane] > 0
    values[lane] = 0  # what lanes of other stages hold
    spoilt = [
        *case.lines[:at],
        replace(case.lines[at], values=tuple(values)),
        *case.lines[at + 1 :],
    ]
    (found,) = case.check(spoilt).mismatches
    assert (found.stage, found.lane, found.element) == ("layers.0.ffn_hidden", lane, None)
    assert (found.actual, found.expected) == (0, case.lines[at].values[lane])


def missing(line: Line) -> list[Line]:
    return []


def twice(line: Line) -> list[Line]:
    return [line, line]


@pytest.mark.parametrize("fault", [missing, twice])
def test_every_missing_and_every_surplus_record(
    case: Case, fault: Callable[[Line], list[Line]]
) -> None:
    for at, line in enumerate(case.lines):
        checker = case.check([*case.lines[:at], *fault(line), *case.lines[at + 1 :]])
        assert checker.mismatch_count
        first = checker.in_time()[0]
        if line.kind != "S":
            assert (first.request, first.position) == (line.step.request, line.step.position)


def test_every_unknown_bit(case: Case) -> None:
    for at, line in enumerate(case.lines):
        if not line.bits or line.places[0] < 0:
            continue
        text = traces.text(case.lines).split("\n")
        text[at] = text[at][:-1] + "x"
        (found,) = case.check("\n".join(text)).mismatches
        assert (found.actual, found.lane, found.cycle) == ("X", 0, at)


@pytest.mark.parametrize("kind", "NRT")
def test_unknown_numbers(case: Case, kind: str) -> None:
    at = next(n for n, line in enumerate(case.lines) if line.kind == kind)
    text = traces.text(case.lines).split("\n")
    text[at] = " ".join([*text[at].split(" ")[:-1], "x"])
    (found,) = case.check("\n".join(text)).mismatches
    assert (found.actual, found.cycle) == ("X", at)


@pytest.mark.parametrize("field", [0, 1, 2])
def test_start_of_a_token(case: Case, field: int) -> None:
    at = [n for n, line in enumerate(case.lines) if line.kind == "S"][1]
    values = list(case.lines[at].values)
    values[field] ^= 2 if field == 0 else 1
    line = replace(case.lines[at], values=tuple(values))
    checker = case.check([*case.lines[:at], line, *case.lines[at + 1 :]])
    assert checker.mismatch_count
    assert checker.in_time()[0].stage.startswith("start")
    assert checker.in_time()[0].position == 1


@pytest.mark.parametrize(
    "line", ["", "Q 1 2", "V 5 0 x 0 0000", "V 5 1", "hello", "V 7 0 99 0 " + "0" * 16]
)
def test_lines_that_mean_nothing(case: Case, line: str) -> None:
    text = traces.text(case.lines).split("\n")
    assert case.check("\n".join([*text[:20], line, *text[20:]])).mismatch_count == 1


def test_an_end_too_early(case: Case) -> None:
    starts = [n for n, line in enumerate(case.lines) if line.kind == "S"]
    for end in range(len(case.lines)):
        checker = case.check(case.lines[:end])
        assert checker.mismatch_count
        if end in starts:
            assert checker.in_time()[0].stage == "start"


def test_a_token_too_many(case: Case) -> None:
    last = max(n for n, line in enumerate(case.lines) if line.kind == "S")
    again = replace(case.lines[last], values=(1, 0, 1))
    assert case.check([*case.lines, again]).mismatch_count == 1


def test_norm_scalars_may_be_later_than_the_next_start(case: Case) -> None:
    """As the hardware does it: the last scalar of a prompt token, after the next embedding."""
    second = [n for n, line in enumerate(case.lines) if line.kind == "S"][1]
    lines = list(case.lines)
    last = lines.pop(second - 1)
    assert last.kind == "N"
    for late in (second, second + 1, second + 3):
        assert case.check([*lines[:late], last, *lines[late:]]).mismatch_count == 0


def test_reset_cuts_a_request_but_nothing_wrong_is_forgiven(case: Case) -> None:
    requests = [replace(case.requests[0], reset=Reset(1)), case.requests[1]]
    second = next(n for n, line in enumerate(case.lines) if line.step.request == 1)
    for end in range(1, second):
        checker = case.check([*case.lines[:end], *case.lines[second:]], requests)
        assert checker.mismatch_count == 0
        assert checker.covered
        if end and case.lines[end - 1].kind == "V":
            line = case.lines[end - 1]
            wrong = replace(line, values=(line.values[0] ^ 1, *line.values[1:]))
            lines = [*case.lines[: end - 1], wrong, *case.lines[second:]]
            assert case.check(lines, requests).mismatch_count == (line.places[0] >= 0)
