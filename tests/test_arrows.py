"""Imports obey the arrows of the architecture: model <- quant <- export, and sim beside them.

An arrow that points back would let the golden model share code with what it checks.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PARTS = ("configs", "model", "quant", "export", "sim", "hdl", "tests")

# What each part may import of the others: a whole package, or only the module named.
ALLOWED: dict[str, tuple[str, ...]] = {
    "configs": (),
    "model": ("configs",),
    "quant": ("configs", "model"),
    "export": ("configs", "quant.qmodel"),
    "sim": ("configs", "quant.qmodel", "quant.golden"),
}
# A module that others may use takes its whole part along: what it imports obeys the same rule.
SELF_CONTAINED = {"quant.qmodel": ("configs", "quant"), "quant.golden": ("configs", "quant")}


def imported(source: str, package: str) -> set[str]:
    """Dotted names of all modules that `source`, a module of `package`, imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, *([base] if base else [])])
            names |= {f"{base}.{alias.name}" for alias in node.names}
    return names


def is_within(name: str, allowed: str) -> bool:
    return name == allowed or name.startswith(f"{allowed}.")


def violations(part: str, source: str, allowed: tuple[str, ...]) -> list[str]:
    """Imports in `source`, a module of `part`, that no arrow allows."""
    ours = {name for name in imported(source, part) if name.split(".")[0] in PARTS}
    return sorted(n for n in ours if not any(is_within(n, to) for to in (part, *allowed)))


def modules_of(root: Path, part: str) -> list[Path]:
    return sorted((root / part).rglob("*.py"))


@pytest.mark.parametrize("part", ALLOWED)
def test_part_imports_only_what_its_arrows_allow(root: Path, part: str) -> None:
    paths = modules_of(root, part)
    assert paths, f"{part}/ has no module"
    bad = {
        str(path.relative_to(root)): found
        for path in paths
        if (found := violations(part, path.read_text(), ALLOWED[part]))
    }
    assert not bad, f"imports against the arrows: {bad}"


def closure(root: Path, module: str) -> dict[str, Path]:
    """`module` and every module of this repository that importing it loads."""
    found: dict[str, Path] = {}
    todo = [module]
    while todo:
        name = todo.pop()
        path = root / f"{name.replace('.', '/')}.py"
        if name in found or not path.is_file():
            continue
        found[name] = path
        for target in imported(path.read_text(), name.rpartition(".")[0]):
            todo += [target, target.rpartition(".")[0]]
    return found


@pytest.mark.parametrize("module", SELF_CONTAINED)
def test_what_export_and_sim_use_does_not_load_the_float_side(root: Path, module: str) -> None:
    loaded = closure(root, module)
    assert module in loaded
    strangers = [n for n in loaded if not any(is_within(n, to) for to in SELF_CONTAINED[module])]
    assert not strangers, f"importing {module} loads {strangers}"


def test_hdl_has_no_python(root: Path) -> None:
    assert not modules_of(root, "hdl")


@pytest.mark.parametrize(
    ("part", "snippet", "caught"),
    [
        ("sim", "import model.train", "model.train"),
        ("sim", "from model import transformer", "model.transformer"),
        ("sim", "def f():\n    from export import render", "export.render"),
        ("sim", "from quant import ops", "quant.ops"),
        ("sim", "from quant.qmodel_extra import x", "quant.qmodel_extra.x"),
        ("export", "from quant.golden import GoldenModel", "quant.golden.GoldenModel"),
        ("export", "import quant", "quant"),
        ("model", "from quant.qmodel import QuantModel", "quant.qmodel.QuantModel"),
        ("quant", "import sim.runner as r", "sim.runner"),
        ("configs", "from model import tasks", "model.tasks"),
        ("sim", "import tests.conftest", "tests.conftest"),
    ],
)
def test_a_violation_is_caught(part: str, snippet: str, caught: str) -> None:
    assert violations(part, snippet, ALLOWED[part]) == [caught]


def test_allowed_imports_pass() -> None:
    snippet = "from quant.qmodel import load\nfrom quant import golden\nfrom configs import cli"
    assert violations("sim", snippet, ALLOWED["sim"]) == []
    assert violations("sim", "import numpy\nfrom . import env", ALLOWED["sim"]) == []
