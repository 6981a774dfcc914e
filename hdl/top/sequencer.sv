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
    output wire [  SlotW-1:0] load_slot_o,     // of the step that is loaded with clear_o
    output wire [  SlotW-1:0] load_gate_slot_o,
    output wire [  SlotW-1:0] slot_o,
    output wire [   LenW-1:0] need_o,          // elements that the wave of the next cycle needs
    output wire [  SlotW-1:0] gate_slot_o,
    input  wire               ready_i,         // may the wave of this cycle pass
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
  // program counter and read-ahead
  reg running_q, fetched_q, sampled_q;  // sampled_q: kept here, away from where it comes from
  reg [StepW-1:0] pc_q;

  wire valid, last, ending, leaving;
  wire [TileW-1:0] outer;
  wire [StepW-1:0] step;
  wire stop = (valid && last) || (fetched_q && f_sample_only_i && !sampled_q);
  wire load = running_q && leaving && fetched_q && !stop;

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      running_q <= 1'b0;
      fetched_q <= 1'b0;
    end else if (start_i) begin
      running_q <= 1'b1;
      fetched_q <= 1'b0;
    end else if (running_q) begin
      fetched_q <= !load;
      if (leaving && stop) running_q <= 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_i) sampled_q <= sampled_i;
    if (start_i) pc_q <= {StepW{1'b0}};
    else if (load) pc_q <= pc_q + 1'b1;
  end

  step_waves #(
      .StepW(StepW),
      .TileW(TileW),
      .CountW(CountW),
      .OpWordW(OpWordW),
      .SubW(SubW),
      .AddrW(AddrW),
      .SlotW(SlotW),
      .LenW(LenW),
      .Rows(Rows),
      .Sub(Sub)
  ) u_waves (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .load_i(load),
      .step_i(pc_q),
      .pos_waves_i(pos_waves_i),
      .pos_tiles_i(pos_tiles_i),
      .f_slot_i(f_slot_i),
      .f_gate_i(f_gate_i),
      .f_prob_i(f_prob_i),
      .f_word_i(f_word_i),
      .f_sub_i(f_sub_i),
      .f_inner_i(f_inner_i),
      .f_inner_pos_i(f_inner_pos_i),
      .f_outer_i(f_outer_i),
      .f_outer_pos_i(f_outer_pos_i),
      .f_kv_i(f_kv_i),
      .f_addr_i(f_addr_i),
      .f_inner_stride_i(f_inner_stride_i),
      .f_outer_stride_i(f_outer_stride_i),
      .f_last_i(f_last_i),
      .valid_o(valid),
      .last_o(last),
      .ending_o(ending),
      .leaving_o(leaving),
      .outer_o(outer),
      .issue_o(issue_o),
      .step_o(step),
      .slot_o(slot_o),
      .need_o(need_o),
      .gate_slot_o(gate_slot_o),
      .ready_i(ready_i && gate_ready_i),
      .wave_valid_o(wave_valid_o),
      .wave_first_o(wave_first_o),
      .wave_last_o(wave_last_o),
      .wave_final_o(wave_final_o),
      .wave_step_o(wave_step_o),
      .wave_tile_o(wave_tile_o),
      .wave_word_o(wave_word_o),
      .wave_sub_o(wave_sub_o),
      .wave_prob_o(wave_prob_o),
      .wave_addr_o(wave_addr_o),
      .wave_kv_o(wave_kv_o)
  );

  assign idle_o = !running_q && !start_i;
  assign step_addr_o = pc_q;
  assign clear_o = load;
  assign clear_slot_o = f_clear_i;
  assign load_slot_o = f_slot_i;
  assign load_gate_slot_o = f_gate_i;
  assign loaded_o = valid;
  assign running_o = running_q;
  assign at_step_o = valid ? step : pc_q;

  wire unused = &{1'b0, ending, outer};
endmodule

`default_nettype wire
