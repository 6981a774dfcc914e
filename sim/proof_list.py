"""Which proofs there are: depths, parameter sets, and the mutations that must break them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Edit:
    """A mutation: the first `old` in the text of a module becomes `new`."""

    module: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.module}: {self.old} -> {self.new}"


@dataclass(frozen=True)
class Proof:
    """A file of sim/proofs/, whose module is prove_<name>."""

    name: str
    depth: int  # cycles from the initial state
    twins: tuple[Edit, ...]
    induction: int = 1  # cycles of the induction's hypothesis; 0: bounded only
    parameters: tuple[dict[str, int], ...] = ()  # each is proved; () is the module's default
    stand_ins: tuple[str, ...] = ()  # files of sim/proofs/ in place of a module: mul_any for mul
    covered: bool = True  # the file has cover statements

    def sets(self) -> tuple[dict[str, int], ...]:
        return self.parameters or ({},)

    def claim(self, folder: Path) -> str:
        """The comment at the top of the file."""
        lines = []
        for text in (folder / f"{self.name}.sv").read_text().splitlines():
            if not text.startswith("//"):
                break
            lines.append(text.removeprefix("//").strip())
        return " ".join(lines)


PROOFS = (
    Proof(
        "saturate",
        depth=1,
        parameters=({"InW": 32}, {"InW": 17, "OutW": 16}, {"InW": 19, "OutW": 17}),
        twins=(
            Edit("saturate", "| (sign && (beyond || lowest))", "| (sign && beyond)"),
            Edit("saturate", "sign ? ~limit : limit", "limit"),
        ),
    ),
    Proof(
        "saturating_add",
        depth=1,
        parameters=({"W": 16}, {"W": 10}),
        twins=(
            Edit("saturating_add", "!sum[W-1] || sum[W-2:0] == {(W - 1) {1'b0}}", "!sum[W-1]"),
            Edit("saturating_add", "{a_i[W-1], a_i}", "{1'b0, a_i}"),
        ),
    ),
    Proof(
        "requant_lane",
        depth=5,
        induction=4,
        parameters=({"AccW": 32, "BiasW": 24}, {"AccW": 24, "BiasW": 32}),
        stand_ins=("mul_any",),
        twins=(
            Edit("requant_lane", "+ 19'd1", "+ 19'd0"),
            Edit("requant_lane", "(shifted_q[17:0] == '0)", "1'b0"),
            Edit("requant_lane", "product >>> exp_i", "product >> exp_i"),
            Edit("requant_lane", "sum_q[SUM_W-1:4]", "sum_q[SUM_W-1:3]"),
        ),
    ),
    Proof(
        "mul",
        depth=5,
        induction=4,
        parameters=({"AW": 6, "BW": 5}, {"AW": 4, "BW": 8}),
        twins=(
            Edit("mul", "{{BW{a_q[AW-1]}}, a_q}", "{{BW{1'b0}}, a_q}"),
            Edit("mul", "p_o       <= product_q", "p_o       <= product_q + 1"),
        ),
    ),
    Proof(
        "rope",
        depth=8,
        induction=7,
        stand_ins=("mul_any",),
        twins=(
            Edit("rope", "(place % 2 == 0) ^ odd_sum", "(place % 2 != 0) ^ odd_sum"),
            Edit("rope", "{{(ROUND_W - 1) {1'b0}}, 1'b1}", "{ROUND_W{1'b0}}"),
            Edit("rope", "data_i[PARTNER*W+:W]", "data_i[lane*W+:W]"),
            Edit("rope", "BYPASS_INT = W + 1", "BYPASS_INT = W"),
        ),
    ),
    Proof(
        "normalize",
        depth=4,
        induction=3,
        parameters=({"W": 40, "FracW": 7}, {"W": 32, "FracW": 6}, {"W": 19, "FracW": 6}),
        twins=(
            Edit("normalize", "4*GROUPS-1:4*(group+1)", "4*GROUPS-1:4*group"),
            Edit("normalize", "if (one_3) place = 2'd3", "if (one_3) place = 2'd2"),
        ),
    ),
    Proof(
        "scalar_lut",
        depth=6,
        induction=5,
        parameters=({"InW": 40, "Even": 1}, {"InW": 22, "Even": 0}),
        twins=(
            Edit("scalar_lut", "position[0] ?", "!position[0] ?"),
            Edit("scalar_lut", "{1'b0, position[5:1]}", "position"),
            Edit("scalar_lut", ".N(4)", ".N(3)"),
        ),
    ),
    Proof(
        "accumulator",
        depth=5,
        parameters=({"AccW": 16}, {"AccW": 24}),
        twins=(
            Edit("accumulator", "first_i ? {AccW{1'b0}}", "1'b0 ? {AccW{1'b0}}"),
            Edit("accumulator", "if (valid_i) acc_q", "if (valid_i || first_i) acc_q"),
        ),
    ),
    Proof(
        "scoreboard",
        depth=5,
        twins=(
            Edit("scoreboard", "complete_d = 1'b0;", "complete_d = complete_q;"),
            Edit("scoreboard", ">= need_i", "> need_i"),
            Edit("scoreboard", "complete_d = event_final_i[e]", "complete_d = 1'b1"),
        ),
    ),
    Proof(
        "max_tree",
        depth=4,
        induction=3,
        parameters=({"N": 6, "W": 5}, {"N": 4, "W": 16}, {"N": 17, "W": 2}),
        twins=(
            Edit("max4", "assign take1 = minus_01[W]", "assign take1 = !minus_01[W]"),
            Edit("max4", "minus_13[W] : minus_12[W]", "minus_12[W] : minus_13[W]"),
            Edit("max_tree", "present_q <= present[4*node+1]", "present_q <= present[4*node+2]"),
        ),
    ),
    Proof(
        "adder_tree",
        depth=4,
        induction=3,
        parameters=({"N": 6, "W": 4, "OutW": 7}, {"N": 17, "W": 1, "OutW": 5}),
        twins=(Edit("adder_tree", "(4*node+3)", "(4*node+4)"),),
    ),
    Proof(
        "scale_index",
        depth=1,
        parameters=({"Factor": 24}, {"Factor": 5}, {"Factor": 1}),
        twins=(Edit("scale_index", "& 1) != 0", "& 1) == 0"),),
    ),
    Proof(
        "controller",
        depth=12,
        induction=0,
        twins=(
            Edit("controller", "out_valid_q && !m_axis_tready_i", "1'b0"),
            Edit("controller", "have_token && out_free", "have_token"),
            Edit("controller", "if (take && s_axis_tlast_i) state_d", "if (take) state_d"),
            Edit("controller", "left_q == 16'd1", "left_q == 16'd2"),
            Edit("controller", "if (col_q == COL_LAST)", "if (col_q == COL_LAST && 1'b0)"),
        ),
    ),
    Proof(
        "sequencer",
        depth=10,
        induction=0,
        twins=(
            Edit("step_waves", "issue && tile_end", "issue && step_end"),
            Edit("step_waves", "need_q + ROWS", "need_q"),
            Edit("step_waves", "next_tile_addr;", "tile_addr_q;"),
            Edit("sequencer", "ready_i && gate_ready_i", "ready_i"),
        ),
    ),
    Proof(
        "sequencer_idle",
        depth=34,
        induction=0,
        twins=(
            Edit(
                "sequencer", "if (leaving && stop) running_q <= 1'b0", "if (stop) running_q <= 1'b1"
            ),
            Edit("sequencer", "fetched_q <= !load", "fetched_q <= load"),
        ),
    ),
    Proof(
        "kv_writer",
        depth=11,
        induction=0,
        parameters=(
            {"Rows": 2, "Cols": 4},
            {"Rows": 2, "Cols": 2, "Sub": 1, "Writes": 1},
            {"Rows": 4, "Cols": 2, "Sub": 1, "Writes": 1},
            {"Rows": 2, "Cols": 3, "Sub": 3, "Writes": 2},
            {"Rows": 3, "Cols": 2, "Sub": 2, "Writes": 2},
        ),
        twins=(
            Edit("kv_writer", "wave_end ? addr_q + K_STRIDE", "1'b0 ? addr_q + K_STRIDE"),
            Edit("kv_writer", "wave_end = group_end ||", "wave_end ="),
            Edit("kv_writer", "we_d  = 1'b1;", "we_d  = 1'b0;"),
            Edit("kv_writer", "!is_v_q && !tile_end", "!tile_end"),
            Edit("kv_writer", "pos_waves * V_STRIDE", "pos_tiles * V_STRIDE"),
        ),
    ),
    Proof(
        "fifo",
        depth=12,
        induction=0,
        twins=(
            Edit("fifo", "wire put = valid_i && !full", "wire put = valid_i"),
            Edit("fifo", "words_q[read_q[LogDepth-1:0]]", "words_q[write_q[LogDepth-1:0]]"),
            Edit("fifo", "if (take) read_q", "if (ready_i) read_q"),
        ),
    ),
    Proof(
        "next_in_turn",
        depth=1,
        parameters=({"N": 4, "W": 2}, {"N": 5, "W": 3}),
        twins=(
            Edit("next_in_turn", "NUMBER > last_i", "NUMBER >= last_i"),
            Edit("lowest_set", "bits_i[n] ? NUMBER", "!bits_i[n] ? NUMBER"),
        ),
    ),
    Proof(
        "round_robin",
        depth=8,
        induction=2,
        twins=(
            Edit("round_robin", "{N{1'b1}} ^ up_to", "up_to"),
            Edit("round_robin", "take_i && any_o", "any_o"),
        ),
    ),
    Proof(
        "completion",
        depth=5,
        twins=(
            Edit("completion", "op_done_i && op_ctx_i == CTX", "op_done_i"),
            Edit("completion", "complete_q[s] <= 1'b1", "complete_q[s] <= !complete_q[s]"),
            Edit("completion", "clear_ctx_i == CTX && ", ""),
        ),
    ),
)
