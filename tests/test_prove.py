"""The proofs hold, their twins do not, and the checker itself can fail."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from configs.cli import UserError
from sim import prove
from sim.proof_list import PROOFS, Edit, Proof

PROOF = {proof.name: proof for proof in PROOFS}


@pytest.mark.parametrize("name", PROOF)
def test_proof_holds_and_its_twins_fail(name: str) -> None:
    outcomes = [prove.attempt(PROOF[name], values, 400) for values in PROOF[name].sets()]
    assert prove.all_good(outcomes), [line for o in outcomes for line in prove.explain(o)]


def test_a_twin_that_breaks_nothing_is_reported() -> None:
    harmless = Edit("saturate", "value_i[InW-1];", "(value_i[InW-1]);")
    outcome = prove.attempt(Proof("saturate", depth=1, twins=(harmless,)), {}, 100)
    assert outcome.proved
    assert not prove.all_good([outcome])
    assert "was not caught: passed" in prove.explain(outcome)[0]


def test_a_proof_without_twins_does_not_count() -> None:
    outcome = prove.attempt(Proof("saturate", depth=1, twins=()), {}, 100)
    assert outcome.proved
    assert not prove.all_good([outcome])


def test_a_cover_that_is_out_of_reach_is_reported() -> None:
    outcome = prove.attempt(Proof("mul", depth=2, induction=4, twins=()), {}, 100)
    assert outcome.runs["cover"].status == "failed"
    assert not outcome.proved


def test_a_mutation_that_no_longer_fits_is_named() -> None:
    proof = Proof("mul", depth=2, twins=(Edit("mul", "nothing like this", ""),))
    with pytest.raises(UserError, match="'nothing like this' is not in module mul"):
        prove.attempt(proof, {}, 100)


def test_what_the_command_prints_and_writes(root: Path) -> None:
    command = [sys.executable, "-m", "sim.prove", "saturating_add"]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "2 of 2 proved; 2 of 2 mutated twins fail" in result.stdout
    (first, _) = json.loads((root / "build" / "prove" / "report.json").read_text())
    assert first["proved"]
    assert first["claim"].startswith("saturating_add: the exact sum")


def test_an_unknown_proof_is_refused(root: Path) -> None:
    command = [sys.executable, "-m", "sim.prove", "fermat"]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert result.returncode == 2
    assert "no proof 'fermat'" in result.stderr
