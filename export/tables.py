"""`python -m export.tables`: the generated tables of docs/, between their marks."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from configs import cli, files
from configs.protocol import ABOUT, FIELDS, HEADER, PROBLEMS, TAIL, Field, Kind
from export import registers

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


def registers_table() -> str:
    """The registers of `export/registers.py`."""
    rows = []
    for item in registers.REGISTERS:
        step = f" + 0x{registers.STRIDE:X} s" * item.stream + " + 4 n" * item.counter
        for field in item.fields:
            first = field is item.fields[0]
            bits = f"{field.lsb + field.width - 1}:{field.lsb}" if field.width > 1 else field.lsb
            rows.append(
                (
                    f"0x{item.address:03X}{step}" if first else "",
                    f"{item.name}: {item.about}" if first else "",
                    item.access if first else "",
                    bits,
                    f"`{field.name}`",
                    field.about,
                )
            )
    kinds = (
        "ro: read only; rw: read and write; pulse: a written 1 acts once, reads as 0; w1c: set by"
    )
    return "\n".join(
        [
            "",
            table(("address", "register", "access", "bits", "field", "meaning"), rows),
            f"{kinds}\nthe machine, a written 1 clears it. s is a stream, n a counter.\n",
        ]
    )


TABLES: dict[str, tuple[tuple[str, Callable[[], str]], ...]] = {
    "link.md": (("messages", messages),),
    "registers.md": (("registers", registers_table),),
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
