"""The tables in docs/ are those of the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.protocol import ABOUT, FIELDS, Kind
from export import tables


@pytest.mark.parametrize("name", tables.TABLES)
def test_the_page_is_up_to_date(name: str, root: Path) -> None:
    written = (root / "docs" / name).read_text()
    assert written == tables.filled(name), "run 'python -m export.tables'"


def test_an_old_table_is_seen(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    monkeypatch.delitem(tables.ABOUT, Kind.PING)
    monkeypatch.setitem(tables.ABOUT, Kind.PING, "something else")
    assert (root / "docs" / "link.md").read_text() != tables.filled("link.md")


@pytest.mark.parametrize("kind", Kind)
def test_every_message_is_described_and_its_fields_have_different_names(kind: Kind) -> None:
    names = [field.name for field in FIELDS[kind]]
    assert len(set(names)) == len(names)
    assert ABOUT[kind]
