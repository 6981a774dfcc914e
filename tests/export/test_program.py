"""What the program makes the machine do: each multiplier meets the right operand and weight,
memories do not overlap, addresses fit, and the floor counts what is multiplied."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.export.helpers import CASES, Case
from tests.export.memories import Program, check_caches, check_operands


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any array and model that the exporter must accept, small enough for plain Python."""
    rotary = draw(st.booleans())
    rows, cols = draw(st.integers(2, 24)), draw(st.integers(2, 24))
    heads, d_head = draw(st.integers(1, 5)), draw(st.integers(1, 9))
    d_head += (rotary and d_head % 2) or 0
    heads = heads if heads * d_head >= 4 else 4
    model = {
        "d_model": heads * d_head,
        "n_heads": heads,
        "n_layers": draw(st.integers(1, 2)),
        "d_ff": draw(st.integers(4, 40)),
        "context": draw(st.integers(4, 40)),
        "positions": "rotary" if rotary else "learned",
        "activation": draw(st.sampled_from(["relu", "gelu"])),
    }
    return Case(model, draw(st.integers(2, 70)), rows, cols, {})


def check_weights(program: Program) -> None:
    """Weight words are read once each, in order: the address is a counter over the token."""
    read = [
        addr
        for step in program.steps
        if not step["kv"]
        for *_, addr in program.waves(step, program.qm.config["context"] - 1)
    ]
    words = program.spec.builder.weight_words
    assert read == list(range(words))
    for rom in program.spec.roms:
        if rom.name.startswith("rom_weights"):
            assert len(rom.words) == words
    tiles = [(s["outer"] + 1) * (s["inner"] + 1) for s in program.steps if not s["kv"]]
    assert sum(tiles) == words


def check_widths(program: Program) -> None:
    """Every address, count and number fits the width that the parameters give it."""
    p, qm = program.spec.params, program.qm
    c, last = qm.config, qm.config["context"] - 1
    fits = {
        "AddrW": max(program.spec.builder.weight_words, p["KvDepth"]) - 1,
        "KvAddrW": p["KvDepth"] - 1,
        "OpWordW": max(p["OpWords"], p["ProbWords"]) - 1,
        "StepW": len(program.steps),
        "SlotW": p["Slots"] - 1,
        "TokenW": c["vocab_size"] - 1,
        "PosW": last,
        "ParamW": program.spec.builder.param_words - 1,
        "TokAddrW": c["vocab_size"] * p["XTiles"] - 1,
        "PosAddrW": c["context"] * p["XTiles"] - 1,
        "RopeAddrW": c["context"] * p["RopePeriod"] - 1,
        "CountW": max(last // program.rows, *(step["inner"] for step in program.steps)),
        "TileW": max(last // program.cols, *(step["outer"] for step in program.steps)),
        "NormSumW": c["d_model"] * (2 ** (qm.residual_bits - 1) - 1) ** 2 + qm.eps_int,
        "ProbSumW": c["context"] * (2 ** qm.quant["prob_bits"] - 1),
        "LogitTileW": -(-c["vocab_size"] // program.cols) - 1,
    }
    for name, value in fits.items():
        assert value.bit_length() <= p[name], f"{name} is {p[name]}, {value} must fit"
    # elements that a wave waits for, and elements that are announced
    longest = max(step["inner"] for step in program.steps) + 1
    longest = max(longest, last // program.rows + 1)
    announced, most = Counter[int](), p["ScoreTiles"] * program.cols
    for step in program.steps:
        announced[step["clear"]] = 0
        announced[step["dst_slot"]] += (step["outer"] + 1) * step["amount"]
        announced[0] = 0  # the slot that nobody waits for
        most = max(most, *announced.values())
    assert max(longest * program.rows, most) < 2 ** p["LenW"]
    # nothing was cut when the words were packed
    for step, made in zip(program.steps, program.spec.builder.steps, strict=True):
        assert step == {name: getattr(made, name) for name in step}


def check_macs(program: Program) -> None:
    """The floor counts every multiplication that the model needs, and no padding."""
    qm, g = program.qm, program.spec.geometry
    head = qm.head.weight.size
    weights = sum(
        getattr(layer, name).weight.size
        for layer in qm.layers
        for name in ("q", "k", "v", "o", "up", "down")
    )
    assert g.weight_macs() == weights + head
    for position in range(qm.config["context"]):
        # q . k and p * v of every head, at every position up to this one
        attention = sum(
            2 * qm.d_head for _ in range(qm.config["n_heads"]) for _ in range(position + 1)
        )
        attention *= len(qm.layers)
        assert g.macs(position) == weights + head + attention
        assert g.macs(position, sampled=False) == weights + attention


def check_contents(program: Program) -> None:
    """Everything that meets in a multiplier."""
    check_weights(program)
    for number in range(len(program.qm.layers)):
        check_operands(program, number)
    check_caches(program)


def check(program: Program) -> None:
    """Everything above."""
    check_contents(program)
    check_widths(program)
    check_macs(program)


@settings(max_examples=100)
@given(what=cases())
def test_any_legal_shape(what: Case) -> None:
    check(Program.of(what))


@pytest.mark.parametrize("name", CASES)
def test_chosen_shapes(name: str) -> None:
    check(Program.of(CASES[name]))


FIELDS = {
    "q": "word inner outer addr dst_word outer_stride inner_stride lanes",
    "k": "word inner addr dst_kv outer_stride kv",
    "v": "word inner outer addr dst_kv outer_stride",
    "attn_scores": "word inner inner_pos outer_pos addr inner_stride outer_stride head",
    "attn_out": "word inner_pos addr inner_stride head lanes dst_word amount",
    "attn_residual": "word outer addr outer_stride",
    "ffn_hidden": "word outer dst_word",
    "ffn_residual": "word inner addr",
    "logits": "addr outer inner_stride",
}


def notices(program: Program) -> bool:
    """Whether a check fails."""
    try:
        check_contents(program)
    except (AssertionError, KeyError, IndexError):
        return True
    return False


@pytest.mark.parametrize("name", ["gelu-4x4", "rotary-8x4", "narrow-heads-4x12"])
@pytest.mark.parametrize("kind", FIELDS)
def test_a_wrong_field_is_found(name: str, kind: str) -> None:
    program = Program.of(CASES[name])
    number = [stage.rpartition(".")[2] for stage in program.stages].index(kind)
    for field in FIELDS[kind].split():
        steps = [dict(step) for step in program.steps]
        if field == "inner_stride" and not (steps[number]["inner"] or steps[number]["inner_pos"]):
            continue  # never used
        steps[number][field] ^= 1
        assert notices(replace(program, steps=steps)), f"{kind}.{field}"
