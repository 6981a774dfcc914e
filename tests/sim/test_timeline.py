"""The picture of one token: read from records of a simulation that were written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.cli import UserError
from sim import gantt, timeline

MANIFEST = {
    "parameters": {"Bump": 0, "RopeLatency": 0, "Rows": 2, "Cols": 4, "Vocab": 3},
    "counters": {"names": "cycles issued operand gate noise fetch host idle".split()},
    "trace": {
        "steps": [
            {"stage": "layers.0.k", "head": None},
            {"stage": "layers.0.attn_scores", "head": 1},
            {"stage": "layers.0.attn_residual", "head": None},
            {"stage": "logits", "head": None},
        ]
    },
}
TRACE = """S 10 0 0 0 5 0
S 50 0 0 1 6 1
E 54 0 0 ff
N 60 0 1 2
V 70 0 0 0 ff
V 75 0 1 0 ff
P 80 0 1 0 f
R 88 0 1 7 7
V 92 0 2 0 ff
N 99 0 1 2
G 105 0 0 f
V 104 0 3 0 ff
T 110 0 2
S 111 0 0 2 2 1
"""
ACTIVITY = """3 7 0
9 6 x
51 4 0
53 1 0
56 0 0
60 4 1
61 0 1
90 6 0
112 4 0
"""


def written(folder: Path) -> Path:
    (folder / "trace.txt").write_text(TRACE)
    (folder / "activity.txt").write_text(ACTIVITY)
    return folder


def test_units_of_a_token(tmp_path: Path) -> None:
    token = gantt.read(written(tmp_path), MANIFEST, 1)
    assert (token.position, token.sampled, token.cycles) == (1, True, 61)
    array = [(bar.begin, bar.cycles, bar.label, bar.cause) for bar in token.bars["array"]]
    assert array == [
        (0, 1, "", "idle"),
        (1, 2, "0 k", "fetch"),
        (3, 3, "0 k", "operand"),
        (6, 4, "0 k", ""),
        (10, 1, "0 qk1", "fetch"),
        (11, 29, "0 qk1", ""),
        (40, 21, "", "idle"),
    ]
    spans = {unit: [(bar.begin, bar.cycles) for bar in bars] for unit, bars in token.bars.items()}
    assert sum(cycles for _, cycles in spans["array"]) == token.cycles
    assert spans["KV writer"] == [(21, 2)]
    assert spans["residual, norm"] == [(4, 1), (4, 7), (42, 1), (42, 8)]
    assert spans["noise"] == [(0, 14), (55, 1)]
    assert spans["sampler"] == [(54, 7)]
    assert set(token.bars) == set(gantt.UNITS)


def test_a_prompt_token_ends_with_the_next_start(tmp_path: Path) -> None:
    token = gantt.read(written(tmp_path), MANIFEST, 0)
    assert (token.sampled, token.cycles) == (False, 40)
    assert "noise" not in token.bars


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no simulation"):
        gantt.read(tmp_path, MANIFEST, None)
    with pytest.raises(UserError, match="positions 0 to 2"):
        gantt.read(written(tmp_path), MANIFEST, 9)
    (tmp_path / "trace.txt").write_text("")
    with pytest.raises(UserError, match="no whole token"):
        gantt.read(tmp_path, MANIFEST, None)


def test_the_picture(tmp_path: Path) -> None:
    token = gantt.read(written(tmp_path), MANIFEST, None)
    paths = [tmp_path / "a.png", tmp_path / "a.svg"]
    timeline.draw(token, "a token", paths)
    assert paths[0].stat().st_size > 5000
    text = paths[1].read_text()
    assert "0 qk1" in text or "<path" in text
    assert "bubble" in text or "<defs" in text
