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
            Edit("saturate", "sign ? ~limit_i : limit_i", "limit_i"),
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
            Edit("requant_lane", "product >>> {exp_i", "product >> {exp_i"),
            Edit("requant_lane", "coarse_q >>> fine_q", "coarse_q >> fine_q"),
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
            Edit("scoreboard", "load_i ? load_ready", "!load_i ? load_ready"),
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
            Edit("max4", "minus_02[W] && minus_12[W]", "minus_03[W] && minus_12[W]"),
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
        parameters=({"Overlap": 0}, {"Overlap": 1}),
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
        twins=(
            Edit("step_waves", "issue && tile_end", "issue && step_end"),
            Edit("step_waves", "need_q + ROWS", "need_q"),
            Edit("step_waves", "next_tile_addr;", "tile_addr_q;"),
            Edit("sequencer", "ready_i && gate_ready_i", "ready_i"),
        ),
    ),
    Proof(
        "sequencer_idle",
        depth=6,
        induction=2,
        twins=(
            Edit(
                "sequencer", "if (leaving && stop) running_q <= 1'b0", "if (stop) running_q <= 1'b1"
            ),
            Edit("sequencer", "fetched_q <= !load", "fetched_q <= load"),
            Edit("step_waves", "tile_q      <= next_tile", "tile_q      <= tile_q"),
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
        parameters=({"LogDepth": 2}, {"LogDepth": 1}, {"LogDepth": 3}),
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
    Proof(
        "crc32",
        depth=1,
        twins=(Edit("crc32", "32'hEDB88320", "32'hEDB88321"),),
    ),
    Proof(
        "uart_tx",
        depth=34,
        parameters=({"Step": 6000000}, {"Step": 4194304}),
        twins=(
            Edit("uart_tx", "count_q <= 4'd9", "count_q <= 4'd8"),
            Edit("uart_tx", "phase_q <= sum[23:0]", "phase_q <= tick ? 24'd0 : sum[23:0]"),
            Edit("uart_tx", "bits_q  <= {1'b1, data_i}", "bits_q  <= {data_i, 1'b1}"),
        ),
    ),
    Proof(
        "framer",
        depth=26,
        twins=(
            Edit("framer", "plain_q == FLAG || plain_q == ESCAPE", "plain_q == FLAG"),
            Edit("framer", "count_d == length_i", "count_q == length_i"),
            Edit("framer", "if (valid_o && ready_i) escaped_d", "if (valid_o) escaped_d"),
            Edit("framer", "crc_d = rest_of_crc", "crc_d = crc_q"),
            Edit("framer", "wait_q == GAP", "wait_q == 32'd1"),
        ),
    ),
    Proof(
        "deframer",
        depth=14,
        twins=(
            Edit("deframer", "inside_frame && silent_q == TIMEOUT", "silent_q == TIMEOUT"),
            Edit("deframer", "state_q == CLOSE && !escape_q", "state_q == CLOSE"),
            Edit("deframer", "bad_d    = inside_frame;", "bad_d    = 1'b0;"),
            Edit("deframer", "index_d == length_q", "index_q == length_q"),
            Edit("deframer", "whole_length > MAX_LENGTH)", "whole_length >= MAX_LENGTH)"),
            Edit("deframer", "byte_index_q <= index_q", "byte_index_q <= index_d"),
        ),
    ),
    Proof(
        "prompt_buffer",
        depth=10,
        twins=(
            Edit("prompt_buffer", "start_i || (take && !last)", "start_i || take"),
            Edit("prompt_buffer", "else if (take) valid_q", "else if (valid_q) valid_q"),
            Edit("prompt_buffer", "else if (take) addr_q", "else if (valid_q) addr_q"),
        ),
    ),
    Proof(
        "axis_demux",
        depth=1,
        parameters=({"Streams": 3}, {"Streams": 1}, {"Streams": 8}),
        twins=(
            Edit("axis_demux", "chosen == '0 || (chosen", "(chosen"),
            Edit("axis_demux", "tdest == NUMBER", "tdest[1:0] == NUMBER[1:0]"),
        ),
    ),
    Proof(
        "axis_mux",
        depth=6,
        parameters=({"Streams": 3}, {"Streams": 1}, {"Streams": 8}),
        twins=(
            Edit("axis_mux", "any && (!valid_q || m_axis_tready)", "any"),
            Edit("axis_mux", "else if (m_axis_tready) valid_q", "else valid_q"),
            Edit("axis_mux", "closed_q <= s_axis_tready[s] &&", "closed_q <="),
            Edit("axis_mux", "id_q   <= turn", "id_q   <= turn + 3'd1"),
        ),
    ),
    Proof(
        "axil_slave",
        depth=6,
        twins=(
            Edit("axil_slave", "have_data_q && !bvalid_q", "have_data_q"),
            Edit("axil_slave", "else if (s_axil_bready) bvalid_q", "else bvalid_q"),
            Edit("axil_slave", "s_axil_arready = !have_read_q", "s_axil_arready = 1'b1"),
            Edit("axil_slave", "if (read) begin", "if (have_read_q) begin"),
        ),
    ),
    Proof(
        "stream_port",
        depth=10,
        twins=(
            Edit("stream_port", "tvalid_i && !s_axis_tuser_i", "tvalid_i"),
            Edit("stream_port", "closed_q && !queue_valid", "closed_q"),
            Edit("stream_port", "s_axis_tuser_i || queue_ready", "1'b1"),
            Edit("stream_port", "index_q    <= 16'd0", "index_q    <= index_q"),
        ),
    ),
    Proof(
        "commands",
        depth=20,
        twins=(
            Edit("commands", "&& free_q;", ";"),
            Edit("commands", "&& is_prompt && free_q ? chosen", "&& is_prompt ? chosen"),
            Edit("commands", "count_o = count_q", "count_o = tokens_size[LogPrompt+1:1]"),
            Edit("commands", "{byte_i, settings_q[87:8]}", "{settings_q[79:0], byte_i}"),
            Edit("commands", "!free_q && !repeated", "!free_q"),
            Edit("commands", "tag_q    <= 8'd0;", ""),
        ),
    ),
    Proof(
        "reporter",
        depth=12,
        twins=(
            Edit("reporter", "&& half_q && stream_q", "&& stream_q"),
            Edit("reporter", "stream == NUMBER && fill == '0", "stream == NUMBER"),
            Edit("reporter", "else if (load_reply) reply_q", "else if (load) reply_q"),
            Edit("reporter", "any && !sending_q", "any"),
            Edit("reporter", "problem_take = load_problem", "problem_take = load"),
            Edit("reporter", "{7'd0, s_fill, 1'b0}", "16'd2"),
        ),
    ),
    Proof(
        "streams",
        depth=10,
        stand_ins=("controller_any",),
        twins=(
            Edit("streams", "token_stream_i == STREAM", "1'b1"),
            Edit("streams", "~active_q", "active_q"),
            Edit("streams", "active_q[pred] && pred_stream == stream", "active_q[pred]"),
            Edit("streams", "else if (start) last_q <= stream", "else if (start) last_q <= last_q"),
            Edit("streams", "if (grant[s]) latest_q", "if (start) latest_q"),
        ),
    ),
    Proof(
        "scheduler",
        depth=12,
        twins=(
            Edit("scheduler", "picked_q && fetched_q && leaving", "picked_q && fetched_q"),
            Edit("scheduler", "running_q && !(picked_q && mine)", "running_q"),
            Edit("scheduler", "in_order && complete", "complete"),
            Edit("scheduler", "waiting && !ends &&", "waiting &&"),
            Edit("scheduler", "pc_q          <= next_pc", "pc_q          <= pc_q"),
            Edit("scheduler", "wave_ctx_q <= step_ctx_q", "wave_ctx_q <= ctx_q"),
            Edit("scheduler", "last_score && go) softmax_q", "last_score) softmax_q"),
        ),
    ),
    Proof(
        "noise_streams",
        depth=34,
        stand_ins=("noise_value_any",),
        twins=(
            Edit("noise_streams", "step && stream_q == STREAM", "step"),
            Edit("noise_streams", ".waddr_i({ctx_q, tile})", ".waddr_i({stream_q, tile})"),
            Edit("noise_streams", "? FIRST_DRAWS : DRAWS", "? FIRST_DRAWS : FIRST_DRAWS"),
            Edit("noise_streams", "!step && !writing_q", "!step"),
            Edit("noise_streams", "zero_q[ctx_q] <=", "zero_q[choice] <="),
            Edit("noise_streams", "!chosen_q && !step", "!step"),
        ),
    ),
    Proof(
        "uart_rx",
        depth=62,
        twins=(
            Edit("uart_rx", "count_q == 4'd9", "count_q == 4'd8"),
            Edit("uart_rx", "FIRST_INT = (1 << 23) + Step", "FIRST_INT = Step"),
            Edit("uart_rx", "{level_q, bits_q[8:1]}", "{bits_q[7:0], level_q}"),
        ),
    ),
)
