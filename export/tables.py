"""`python -m export.tables`: the generated tables of docs/, between their marks."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from configs import cli, files
from configs.protocol import ABOUT, FIELDS, HEADER, PROBLEMS, TAIL, Field, Kind

DOCS = Path(__file__).parent.parent / "docs"
PLACE = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.S)


def table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table."""
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)


def messages() -> str:
    """The messages of `configs/protocol.py`."""

    def fields(items: tuple[Field, ...], tail: str | None) -> str:
        names = [f"`{item.name}` {item.size}" for item in items]
        return ", ".join([*names, *([tail] if tail else [])]) or "-"

    kinds = [
        (f"0x{kind:02X}", kind.name, fields(FIELDS[kind], TAIL.get(kind)), ABOUT[kind])
        for kind in Kind
    ]
    details = [
        (kind.name, f"`{item.name}`", item.about)
        for kind in Kind
        for item in FIELDS[kind]
        if kind != Kind.STATE or item.name in ("running", "frames")
    ]
    header = [("all", f"`{item.name}`", item.about) for item in HEADER]
    codes = [
        (problem.value, f"`{problem.name.lower()}`", text) for problem, text in PROBLEMS.items()
    ]
    return "\n".join(
        [
            "",
            table(("kind", "name", "fields and their bytes", "meaning"), kinds),
            table(("message", "field", "meaning"), header + details),
            table(("code", "in STATE", "why something was not obeyed"), codes),
        ]
    )


TABLES: dict[str, tuple[tuple[str, Callable[[], str]], ...]] = {
    "link.md": (("messages", messages),),
}


def filled(name: str) -> str:
    """The page docs/`name` with its tables as they should be."""
    makers = dict(TABLES[name])

    def fill(match: re.Match[str]) -> str:
        return match.group(1) + makers.pop(match.group(2))() + "\n" + match.group(3)

    text = PLACE.sub(fill, (DOCS / name).read_text(encoding="utf-8"))
    if makers:
        raise ValueError(f"docs/{name} has no place for {', '.join(makers)}")
    return text


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m export.tables", description=__doc__)
    parser.parse_args()
    for name in TABLES:
        files.write_text(DOCS / name, filled(name))
        print(f"written     docs/{name}")


if __name__ == "__main__":
    cli.run(main)
