"""What the benchmarks share: medians, the tables in the docs, failing stages."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from configs import measure, schema
from configs.cli import UserError


def test_median_and_range() -> None:
    got = measure.figure([5, 1, 3, 10], "s", "how")
    assert (got["median"], got["min"], got["max"], got["n"]) == (4, 1, 10, 4)


@pytest.mark.parametrize("name", schema.available())
def test_a_config_survives_as_toml(name: str) -> None:
    config = schema.load(name)
    text = measure.toml(config)
    assert schema.parse(name, tomllib.loads(text)) == config


def test_the_document_is_updated_between_its_markers() -> None:
    first = measure.updated("# Title\n", "x", "old\n")
    assert first.startswith("# Title\n\n## x\n")
    both = measure.updated(first, "x-y", "other")
    again = measure.updated(both + "\nend\n", "x", "new")
    assert "old" not in again
    assert "new" in again
    assert "other" in again
    assert again.endswith("\nend\n")
    assert measure.updated(again, "x", "new") == again


def test_a_broken_marker_is_said() -> None:
    with pytest.raises(UserError, match="end: x"):
        measure.updated("<!-- bench: x -->", "x", "new")


def test_a_failing_stage_is_named() -> None:
    with pytest.raises(
        UserError, match=r"'python -m quant\.speed --config nowhere' failed: no con"
    ):
        measure.run("quant.speed", "--config", "nowhere")


def test_the_documents_markers_are_whole(root: Path) -> None:
    text = (root / "docs" / "benchmarks.md").read_text()
    for name in schema.available():
        assert text.count(f"<!-- bench: {name} -->") == text.count(f"<!-- end: {name} -->") <= 1
