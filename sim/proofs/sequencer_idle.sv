// sequencer: after reset it is idle, whatever state it was in; and from every state, reachable or
// not, a program of four steps of at most 2 x 2 waves comes to its end within 32 cycles of readiness.
module prove_sequencer_idle (
    input logic       clk_i,
    input logic       rst_i,
    input logic       start_i,
    input logic       sampled_i,
    input logic       pos_waves_i,
    input logic       pos_tiles_i,
    input logic       f_slot_i,
    input logic       f_clear_i,
    input logic       f_gate_i,
    input logic       f_prob_i,
    input logic [3:0] f_word_i,
    input logic       f_sub_i,
    input logic       f_inner_i,
    input logic       f_inner_pos_i,
    input logic       f_outer_i,
    input logic       f_outer_pos_i,
    input logic       f_kv_i,
    input logic [3:0] f_addr_i,
    input logic [3:0] f_inner_stride_i,
    input logic [3:0] f_outer_stride_i,
    input logic       f_sample_only_i,
    input logic       f_last_i,
    input logic       ready_i,
    input logic       gate_ready_i
);
  localparam int LIMIT = 32;
  logic issue_o, loaded_o, running_o;
  logic [1:0] at_step_o;
  logic idle_o, wave_valid_o, clear_o, clear_slot_o, slot_o, gate_slot_o, wave_first_o, wave_last_o;
  logic wave_final_o, wave_tile_o, wave_sub_o, wave_prob_o, wave_kv_o;
  logic [1:0] step_addr_o, wave_step_o;
  logic [3:0] need_o, wave_word_o, wave_addr_o;
  sequencer #(
      .StepW(2), .TileW(1), .CountW(1), .OpWordW(4), .SubW(1), .AddrW(4), .SlotW(1), .LenW(4),
      .Rows(2), .Sub(2)
  ) u_dut (.*);

  logic [5:0] ready_cycles = 6'd0;
  logic reset_q = 1'b0;
  logic [1:0] address_q;
  always_ff @(posedge clk_i) begin
    reset_q <= rst_i;
    address_q <= step_addr_o;
    if (ready_i && gate_ready_i) begin
      if (ready_cycles != LIMIT) ready_cycles <= ready_cycles + 6'd1;
    end
  end
  always_comb begin
    assume (!start_i);
    assume (f_last_i == (address_q == 2'd3));
    if (reset_q) begin
      assert (idle_o);
      assert (!wave_valid_o);
    end
    if (ready_cycles == LIMIT) assert (idle_o);
    cover (ready_cycles == 5 && !idle_o);
  end
endmodule
