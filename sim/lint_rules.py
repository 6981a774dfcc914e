"""Rules on the text of a Verilog file: what Icarus 11, Verilator 5 and Yosys 0.70 read alike."""

from __future__ import annotations

import re
from pathlib import Path

WORDS = frozenset(
    (
        "import",
        "export",
        "package",
        "interface",
        "modport",
        "class",
        "program",
        "foreach",
        "inside",
        "return",
        "string",
        "property",
        "alias",
    )
)
BUILTIN_CASTS = ("signed", "unsigned")
TOKEN = re.compile(
    r"\"(?:\\.|[^\"\\])*\"|[A-Za-z_$][\w$]*|\d*'[sS]?[bodhBODH][\w?]+|\d[\d_.]*|'[01xz]|"
    r"<<<=?|>>>=?|===|!==|==\?|!=\?|&&|\|\||[<>=!]=|<<|>>|\*\*|::|[-+]:|~[&|^]|\^~|\S"
)
UNARY = frozenset(("~", "!", "-", "+", "&", "|", "^", "~&", "~|", "~^", "^~"))
ALWAYS_UNARY = frozenset(("~", "!", "~&", "~|"))


def strip_comments(text: str) -> str:
    """`text` without comments, lines kept."""
    return re.sub(
        r"//[^\n]*|/\*.*?\*/",
        lambda match: "\n" * match.group().count("\n"),
        text,
        flags=re.S,
    )


def rule_problems(path: Path, text: str) -> list[str]:
    """What the text of one file does that our subset of SystemVerilog forbids."""
    code = strip_comments(text)
    problems = []
    if re.search(r"\blint_(off|on|save|restore)\b|\bsynthesis\s+translate_off", text):
        problems.append("a waiver: mend the cause of the warning instead")
    if "`default_nettype none" not in code:
        problems.append("`default_nettype none is missing")
    modules = re.findall(r"^\s*module\s+(\w+)", code, flags=re.M)
    if modules != [path.stem]:
        problems.append(f"one module named as the file is wanted, not {modules}")
    for number, line in enumerate(code.splitlines(), 1):
        words = WORDS.intersection(re.findall(r"\b[a-z]+\b", re.sub(r'"[^"]*"', '""', line)))
        problems += [f"line {number}: '{word}' is not in our subset" for word in sorted(words)]
    return problems + cast_problems(code)


def cast_problems(code: str) -> list[str]:
    """Casts that a parser misreads: `~4'(x)` (Yosys 0.70 drops the width), `Width'(x)`."""
    found = []
    tokens = [
        (match.group(), number)
        for number, line in enumerate(code.splitlines(), 1)
        for match in TOKEN.finditer(line)
    ]
    for i in range(1, len(tokens) - 2):
        (size, number), quote, bracket = tokens[i], tokens[i + 1][0], tokens[i + 2][0]
        if (quote, bracket) != ("'", "("):
            continue
        operator, before = tokens[i - 1][0], tokens[i - 2][0] if i > 1 else "("
        binary = re.fullmatch(r"[\w$']+|\)|\]|\}", before) is not None
        if size[0].isdigit() and (operator in ALWAYS_UNARY or (operator in UNARY and not binary)):
            found.append(f"line {number}: unary '{operator}' before a size cast: name the operand")
        elif not size[0].isdigit() and size not in BUILTIN_CASTS:
            found.append(f"line {number}: cast to '{size}': only literal widths and signed")
    return found
