"""What the benchmark computes and writes; the measuring itself is not tested for speed."""

from __future__ import annotations

from pathlib import Path

from configs import measure
from model import speed
from sim import benchmark, benchmark_table

RESULT = {
    "command": "python -m sim.benchmark --config x",
    "seed": 1,
    "host": {
        "processor": "P",
        "cores": 2,
        "memory_gib": 8.0,
        "load_before": 0.1,
        "load_after": 1.2,
    },
    "versions": {"python": "3.11"},
    "figures": {
        "golden model, batch": measure.figure([3.0, 1.0, 20_000.0], "tokens/CPU s", "how"),
        "whole core": measure.figure([45.25], "tokens/s", "sim")
        | {
            "simulator": "S",
            "compared": {"tokens": 16, "tensors": 9, "elements": 1234, "mismatches": 0},
        },
    },
    "machine": {
        "rows": 8,
        "cols": 16,
        "multipliers": 128,
        "tokens": 3,
        "cycles_per_token": 1250.0,
        "floor": 930.4,
        "utilisation": 0.7443,
        "times_floor": 1.344,
        "by_position": {"0": 1200, "1": 1250, "2": 1300},
    },
    "quality": {
        "x": {
            "score": {
                "float_loss": 1.5,
                "integer_loss": 1.501,
                "loss_increase": 0.001,
                "loss_increase_se": None,
                "same_argmax": 0.99,
                "kl": 0.0004,
            },
            "exact_answers": {"float": 500, "integer": 499, "questions": 500},
        }
    },
}


def test_cycles_by_position(tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    starts = "S 7 0 0 0 22 0", "S 107 0 0 1 5 1", "S 250 0 0 2 5 1"
    trace.write_text("\nV 110 0 1 0 ff\n".join(starts))
    assert benchmark.cycles_by_position(trace) == {"0": 100, "1": 143}


def test_the_table_holds_the_figures() -> None:
    text = benchmark_table.markdown(RESULT)
    for part in (
        "2 cores of P",
        "| 3 | 1 .. 20,000 | 3 |",
        "45.2",
        "1,250 at position 1",
        "74.4 %",
    ):
        assert part in text
    for part in ("8 x 16 = 128", "1.344", "1,234 elements", "0 mismatches", "integer 499 of 500"):
        assert part in text
    widths = [line.count("|") for line in text.splitlines() if line.startswith("| golden")]
    assert widths == [7]


def test_parts_that_were_not_measured_are_left_out() -> None:
    text = benchmark_table.markdown(RESULT | {"figures": {}, "machine": {}, "quality": {}})
    assert "floor" not in text
    assert "loss" not in text


def test_rates_count_tokens_per_cpu_second() -> None:
    values = speed.rates(lambda: sum(range(20_000)) and 7, repeats=3, seconds=0.01)
    assert len(values) == 3
    assert min(values) > 0
