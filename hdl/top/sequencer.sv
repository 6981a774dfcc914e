// Runs the program of one token: every step is two loops over waves of the array.
//
// Purpose   A step multiplies one operand vector with a matrix: for each tile of Cols outputs, for
//           each wave of Rows operand elements, one wave is issued. Waves of all steps follow each
//           other without a gap unless an operand is not written yet (scoreboard) or a gate slot is
//           not complete. The program ROM is read ahead, so that a step of two waves costs two cycles.
// Params    widths; Rows: elements per wave; Sub: waves per operand word.
// Program   (fields answer step_addr_o after one cycle)
//   slot, clear, gate: operand slot, slot to clear at the start (0: none), slot that must be complete.
//   prob, word, sub: operand memory and address of the first wave.
//   inner, inner_pos: last wave index of a tile, or position / Rows when inner_pos.
//   outer, outer_pos: last tile index, or position / Cols when outer_pos.
//   kv, addr, inner_stride, outer_stride: weight memory and its address steps.
//   sample_only: the token ends before this step unless it is sampled. last: ends the program.
// Latency   start_i -> first wave: 4 cycles when its operand is there; a step of one wave takes 2.
// It does not know what a step computes: the vector unit reads its own fields when results arrive.
`default_nettype none

module sequencer #(
    parameter integer StepW   = 6,
    parameter integer TileW   = 5,
    parameter integer CountW  = 6,
    parameter integer OpWordW = 6,
    parameter integer SubW    = 1,
    parameter integer AddrW   = 10,
    parameter integer SlotW   = 4,
    parameter integer LenW    = 9,
    parameter integer Rows    = 8,
    parameter integer Sub     = 2
) (
    input  wire               clk_i,
    input  wire               rst_i,
    // one token
    input  wire               start_i,
    input  wire               sampled_i,
    input  wire [ CountW-1:0] pos_waves_i,     // position / Rows
    input  wire [  TileW-1:0] pos_tiles_i,     // position / Cols
    output wire               idle_o,
    // program ROM
    output wire [  StepW-1:0] step_addr_o,
    input  wire [  SlotW-1:0] f_slot_i,
    input  wire [  SlotW-1:0] f_clear_i,
    input  wire [  SlotW-1:0] f_gate_i,
    input  wire               f_prob_i,
    input  wire [OpWordW-1:0] f_word_i,
    input  wire [   SubW-1:0] f_sub_i,
    input  wire [ CountW-1:0] f_inner_i,
    input  wire               f_inner_pos_i,
    input  wire [  TileW-1:0] f_outer_i,
    input  wire               f_outer_pos_i,
    input  wire               f_kv_i,
    input  wire [  AddrW-1:0] f_addr_i,
    input  wire [  AddrW-1:0] f_inner_stride_i,
    input  wire [  AddrW-1:0] f_outer_stride_i,
    input  wire               f_sample_only_i,
    input  wire               f_last_i,
    // scoreboard
    output wire               clear_o,
    output wire [  SlotW-1:0] clear_slot_o,
    output wire [  SlotW-1:0] slot_o,
    output wire [   LenW-1:0] need_o,
    input  wire               ready_i,
    output wire [  SlotW-1:0] gate_slot_o,
    input  wire               gate_ready_i,
    // waves
    output wire               wave_valid_o,
    output wire               wave_first_o,    // first of its tile
    output wire               wave_last_o,     // last of its tile
    output wire               wave_final_o,    // last of its step
    output wire [  StepW-1:0] wave_step_o,
    output wire [  TileW-1:0] wave_tile_o,
    output wire [OpWordW-1:0] wave_word_o,
    output wire [   SubW-1:0] wave_sub_o,
    output wire               wave_prob_o,
    output wire [  AddrW-1:0] wave_addr_o,
    output wire               wave_kv_o,
    // for the counters: what this cycle is spent on, and for which step
    output wire               issue_o,         // a wave passes
    output wire               loaded_o,        // a step is loaded
    output wire               running_o,       // the program is not at its end
    output wire [  StepW-1:0] at_step_o
);
  localparam logic [LenW-1:0] ROWS = Rows[LenW-1:0];
  localparam integer SUB_LAST_INT = Sub - 1;
  localparam logic [SubW-1:0] SUB_LAST = SUB_LAST_INT[SubW-1:0];

  // program counter and read-ahead
  reg running_q, fetched_q;
  reg [StepW-1:0] pc_q;

  // the step in progress
  reg valid_q, last_q, prob_q, kv_q;
  reg [StepW-1:0] step_q;
  reg [SlotW-1:0] slot_q, gate_q;
  reg [OpWordW-1:0] base_word_q, word_q;
  reg [SubW-1:0] base_sub_q, sub_q;
  reg [CountW-1:0] inner_q, wave_q;
  reg [TileW-1:0] outer_q, tile_q;
  reg [AddrW-1:0] inner_stride_q, outer_stride_q, tile_addr_q, addr_q;
  reg [   LenW-1:0] need_q;

  wire issue = valid_q && ready_i && gate_ready_i;
  wire first = wave_q == {CountW{1'b0}};
  wire tile_end = wave_q == inner_q;
  wire step_end = tile_end && tile_q == outer_q;
  wire leaving = !valid_q || (issue && step_end);
  wire stop = (valid_q && last_q) || (fetched_q && f_sample_only_i && !sampled_i);
  wire load = running_q && leaving && fetched_q && !stop;
  wire [AddrW-1:0] next_tile_addr = tile_addr_q + outer_stride_q;

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      running_q <= 1'b0;
      fetched_q <= 1'b0;
      valid_q   <= 1'b0;
    end else begin
      if (start_i) begin
        running_q <= 1'b1;
        fetched_q <= 1'b0;
      end else if (running_q) begin
        fetched_q <= !load;
        if (leaving && stop) running_q <= 1'b0;
      end
      if (load) valid_q <= 1'b1;
      else if (leaving) valid_q <= 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_i) pc_q <= {StepW{1'b0}};
    else if (load) pc_q <= pc_q + 1'b1;

    if (load) begin
      step_q         <= pc_q;
      last_q         <= f_last_i;
      prob_q         <= f_prob_i;
      kv_q           <= f_kv_i;
      slot_q         <= f_slot_i;
      gate_q         <= f_gate_i;
      base_word_q    <= f_word_i;
      base_sub_q     <= f_sub_i;
      inner_q        <= f_inner_pos_i ? pos_waves_i : f_inner_i;
      outer_q        <= f_outer_pos_i ? pos_tiles_i : f_outer_i;
      inner_stride_q <= f_inner_stride_i;
      outer_stride_q <= f_outer_stride_i;
      tile_addr_q    <= f_addr_i;
      addr_q         <= f_addr_i;
      word_q         <= f_word_i;
      sub_q          <= f_sub_i;
      wave_q         <= {CountW{1'b0}};
      tile_q         <= {TileW{1'b0}};
      need_q         <= ROWS;
    end else if (issue && tile_end) begin
      tile_addr_q <= next_tile_addr;
      addr_q      <= next_tile_addr;
      word_q      <= base_word_q;
      sub_q       <= base_sub_q;
      wave_q      <= {CountW{1'b0}};
      tile_q      <= tile_q + 1'b1;
      need_q      <= ROWS;
    end else if (issue) begin
      addr_q <= addr_q + inner_stride_q;
      word_q <= (sub_q == SUB_LAST) ? word_q + 1'b1 : word_q;
      sub_q  <= (sub_q == SUB_LAST) ? {SubW{1'b0}} : sub_q + 1'b1;
      wave_q <= wave_q + 1'b1;
      need_q <= need_q + ROWS;
    end
  end

  assign idle_o = !running_q && !start_i;
  assign step_addr_o = pc_q;
  assign clear_o = load;
  assign clear_slot_o = f_clear_i;
  assign slot_o = slot_q;
  assign need_o = need_q;
  assign gate_slot_o = gate_q;
  assign issue_o = issue;
  assign loaded_o = valid_q;
  assign running_o = running_q;
  assign at_step_o = valid_q ? step_q : pc_q;

  // issue register
  reg out_valid_q, out_first_q, out_last_q, out_final_q, out_prob_q, out_kv_q;
  reg [StepW-1:0] out_step_q;
  reg [TileW-1:0] out_tile_q;
  reg [OpWordW-1:0] out_word_q;
  reg [SubW-1:0] out_sub_q;
  reg [AddrW-1:0] out_addr_q;

  always_ff @(posedge clk_i) begin
    if (rst_i) out_valid_q <= 1'b0;
    else out_valid_q <= issue;
    out_first_q <= first;
    out_last_q  <= tile_end;
    out_final_q <= step_end;
    out_step_q  <= step_q;
    out_tile_q  <= tile_q;
    out_word_q  <= word_q;
    out_sub_q   <= sub_q;
    out_prob_q  <= prob_q;
    out_addr_q  <= addr_q;
    out_kv_q    <= kv_q;
  end

  assign wave_valid_o = out_valid_q;
  assign wave_first_o = out_first_q;
  assign wave_last_o = out_last_q;
  assign wave_final_o = out_final_q;
  assign wave_step_o = out_step_q;
  assign wave_tile_o = out_tile_q;
  assign wave_word_o = out_word_q;
  assign wave_sub_o = out_sub_q;
  assign wave_prob_o = out_prob_q;
  assign wave_addr_o = out_addr_q;
  assign wave_kv_o = out_kv_q;
endmodule

`default_nettype wire
