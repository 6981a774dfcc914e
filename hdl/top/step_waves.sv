// The waves of one step: two loops over the tiles and waves of an operand vector and its matrix.
//
// Purpose   Holds the step that was loaded last and issues its waves, one a cycle while ready_i.
//           leaving_o says that the next step may be loaded in this cycle.
// Params    as in sequencer
// Latency   load_i at t: the first wave may be issued in t + 1 and leaves the issue register in t + 2.
//           A step of n waves that always is ready leaves in t + n.
// It does not know whether data are there: ready_i says so for slot_o and need_o.
`default_nettype none

module step_waves #(
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
    // the step to load; its fields are those of the program (see sequencer)
    input  wire               load_i,
    input  wire [  StepW-1:0] step_i,
    input  wire [ CountW-1:0] pos_waves_i,
    input  wire [  TileW-1:0] pos_tiles_i,
    input  wire [  SlotW-1:0] f_slot_i,
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
    input  wire               f_last_i,
    // the step in progress
    output wire               valid_o,
    output wire               last_o,            // ends the program
    output wire               ending_o,          // its last wave is next
    output wire               leaving_o,         // none, or its last wave is issued
    output wire [  TileW-1:0] outer_o,           // its last tile
    output wire [  StepW-1:0] step_o,
    output wire               issue_o,           // a wave is issued
    output wire [  SlotW-1:0] slot_o,
    output wire [   LenW-1:0] need_o,            // elements that the wave of the next cycle needs
    output wire [  SlotW-1:0] gate_slot_o,
    input  wire               ready_i,
    // waves, registered
    output wire               wave_valid_o,
    output wire               wave_first_o,
    output wire               wave_last_o,
    output wire               wave_final_o,
    output wire [  StepW-1:0] wave_step_o,
    output wire [  TileW-1:0] wave_tile_o,
    output wire [OpWordW-1:0] wave_word_o,
    output wire [   SubW-1:0] wave_sub_o,
    output wire               wave_prob_o,
    output wire [  AddrW-1:0] wave_addr_o,
    output wire               wave_kv_o
);
  localparam logic [LenW-1:0] ROWS = Rows[LenW-1:0];
  localparam integer SUB_LAST_INT = Sub - 1;
  localparam logic [SubW-1:0] SUB_LAST = SUB_LAST_INT[SubW-1:0];

  // the step in progress
  reg valid_q, last_q, prob_q, kv_q;
  reg [StepW-1:0] step_q;
  reg [SlotW-1:0] slot_q, gate_q;
  reg [OpWordW-1:0] base_word_q, word_q;
  reg [SubW-1:0] base_sub_q, sub_q;
  reg [CountW-1:0] inner_q, wave_q;
  reg [TileW-1:0] outer_q, tile_q;
  reg [AddrW-1:0] inner_stride_q, outer_stride_q, tile_addr_q, addr_q;
  reg [LenW-1:0] need_q, need_d;

  wire issue = valid_q && ready_i;
  wire first = wave_q == {CountW{1'b0}};
  // whether this is the last wave of a tile, and the last tile, is known a cycle before: much waits
  // for it
  reg tile_end_q, one_wave_q, last_tile_q;
  wire tile_end = tile_end_q;
  wire step_end = tile_end_q && last_tile_q;
  wire [CountW-1:0] inner = f_inner_pos_i ? pos_waves_i : f_inner_i;
  wire [TileW-1:0] outer = f_outer_pos_i ? pos_tiles_i : f_outer_i;
  wire [CountW-1:0] next_wave = wave_q + 1'b1;
  wire [TileW-1:0] next_tile = tile_q + 1'b1;
  wire leaving = !valid_q || (issue && step_end);
  wire [AddrW-1:0] next_tile_addr = tile_addr_q + outer_stride_q;

  always_ff @(posedge clk_i) begin
    if (rst_i) valid_q <= 1'b0;
    else if (load_i) valid_q <= 1'b1;
    else if (leaving) valid_q <= 1'b0;
  end

  always_comb begin
    need_d = need_q;
    if (issue) need_d = tile_end ? ROWS : need_q + ROWS;
  end

  always_ff @(posedge clk_i) begin
    need_q <= load_i ? ROWS : need_d;
    if (load_i) begin
      step_q         <= step_i;
      last_q         <= f_last_i;
      prob_q         <= f_prob_i;
      kv_q           <= f_kv_i;
      slot_q         <= f_slot_i;
      gate_q         <= f_gate_i;
      base_word_q    <= f_word_i;
      base_sub_q     <= f_sub_i;
      inner_q        <= inner;
      outer_q        <= outer;
      one_wave_q     <= inner == {CountW{1'b0}};
      tile_end_q     <= inner == {CountW{1'b0}};
      last_tile_q    <= outer == {TileW{1'b0}};
      inner_stride_q <= f_inner_stride_i;
      outer_stride_q <= f_outer_stride_i;
      tile_addr_q    <= f_addr_i;
      addr_q         <= f_addr_i;
      word_q         <= f_word_i;
      sub_q          <= f_sub_i;
      wave_q         <= {CountW{1'b0}};
      tile_q         <= {TileW{1'b0}};
    end else if (issue && tile_end) begin
      tile_addr_q <= next_tile_addr;
      addr_q      <= next_tile_addr;
      word_q      <= base_word_q;
      sub_q       <= base_sub_q;
      wave_q      <= {CountW{1'b0}};
      tile_q      <= next_tile;
      tile_end_q  <= one_wave_q;
      last_tile_q <= next_tile == outer_q;
    end else if (issue) begin
      addr_q <= addr_q + inner_stride_q;
      word_q <= (sub_q == SUB_LAST) ? word_q + 1'b1 : word_q;
      sub_q  <= (sub_q == SUB_LAST) ? {SubW{1'b0}} : sub_q + 1'b1;
      wave_q <= next_wave;
      tile_end_q <= next_wave == inner_q;
    end
  end

  assign valid_o = valid_q;
  assign last_o = last_q;
  assign ending_o = step_end;
  assign leaving_o = leaving;
  assign outer_o = outer_q;
  assign step_o = step_q;
  assign issue_o = issue;
  assign slot_o = slot_q;
  assign need_o = need_d;
  assign gate_slot_o = gate_q;

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
