// sequencer: after reset it is idle, whatever state it was in; and from every state, reachable or not,
// every program comes to its end: what is left (steps, tiles, waves) gets less with every cycle of
// readiness and never more, for every size of steps up to 64 waves of 32 tiles, 64 steps.
module prove_sequencer_idle (
    input logic       clk_i,
    input logic       rst_i,
    input logic       start_i,
    input logic       sampled_i,
    input logic [5:0] pos_waves_i,
    input logic [4:0] pos_tiles_i,
    input logic       f_slot_i,
    input logic       f_clear_i,
    input logic       f_gate_i,
    input logic       f_prob_i,
    input logic [3:0] f_word_i,
    input logic       f_sub_i,
    input logic [5:0] f_inner_i,
    input logic       f_inner_pos_i,
    input logic [4:0] f_outer_i,
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
  logic issue_o, loaded_o, running_o;
  logic [5:0] at_step_o, step_addr_o, wave_step_o;
  logic idle_o, wave_valid_o, clear_o, clear_slot_o, slot_o, gate_slot_o, wave_first_o, wave_last_o;
  logic load_slot_o, load_gate_slot_o;
  logic wave_final_o, wave_sub_o, wave_prob_o, wave_kv_o;
  logic [4:0] wave_tile_o;
  logic [3:0] need_o, wave_word_o, wave_addr_o;
  sequencer #(
      .StepW(6), .TileW(5), .CountW(6), .OpWordW(4), .SubW(1), .AddrW(4), .SlotW(1), .LenW(4),
      .Rows(2), .Sub(2)
  ) u_dut (.*);
  (* hierconn *) wire \u_dut.running_q , \u_dut.fetched_q , \u_dut.u_waves.valid_q , \u_dut.u_waves.last_q ;
  (* hierconn *) wire \u_dut.u_waves.tile_end_q , \u_dut.u_waves.one_wave_q , \u_dut.u_waves.last_tile_q ;
  (* hierconn *) wire [5:0] \u_dut.pc_q , \u_dut.u_waves.wave_q , \u_dut.u_waves.inner_q ;
  (* hierconn *) wire [4:0] \u_dut.u_waves.tile_q , \u_dut.u_waves.outer_q ;

  (* anyconst *) logic [5:0] last;  // step of the program
  wire [5:0] steps = last - \u_dut.pc_q ;
  wire [5:0] waves = \u_dut.u_waves.inner_q - \u_dut.u_waves.wave_q ;
  wire [4:0] tiles = \u_dut.u_waves.outer_q - \u_dut.u_waves.tile_q ;
  wire ends = \u_dut.u_waves.valid_q && \u_dut.u_waves.last_q ;
  // what is known a cycle before is true (sequencer.sv proves it); so begin the states of this proof
  wire known = ! \u_dut.u_waves.valid_q || (
      \u_dut.u_waves.tile_end_q == ( \u_dut.u_waves.wave_q == \u_dut.u_waves.inner_q ) &&
      \u_dut.u_waves.last_tile_q == ( \u_dut.u_waves.tile_q == \u_dut.u_waves.outer_q ) &&
      \u_dut.u_waves.one_wave_q == ( \u_dut.u_waves.inner_q == 6'd0));
  // what is left: the steps to load, then of the step in progress, then whether one is being fetched
  wire [20:0] left = ! \u_dut.running_q ? '0 : {
      1'b1, ends ? 7'd0 : {1'b0, steps} + 7'd1, \u_dut.u_waves.valid_q ,
      \u_dut.u_waves.valid_q ? {tiles, waves} : 11'd0, ! \u_dut.fetched_q };

  logic [1:0] age = 2'd0;  // cycles, up to 2
  logic reset_q = 1'b0, ready_q = 1'b0;
  logic [5:0] address_q;
  logic [20:0] left_q;
  always_ff @(posedge clk_i) begin
    if (age != 2'd2) age <= age + 2'd1;
    reset_q <= rst_i;
    ready_q <= ready_i && gate_ready_i;
    address_q <= step_addr_o;
    left_q <= left;
  end
  always_comb begin
    assume (!start_i);
    if (age == 2'd0) assume (known);
    assert (known);
    assume (f_last_i == (address_q == last));  // the program ROM
    if (reset_q) assert (idle_o && !wave_valid_o);
    assert (idle_o == (left == '0));
    // from the second cycle on the word at hand is that of the program counter
    if (age != 2'd0 && running_o && \u_dut.fetched_q ) assert (address_q == \u_dut.pc_q );
    if (age == 2'd2) begin
      assert (left <= left_q);
      if (ready_q && left_q != '0) assert (left < left_q);
    end
    cover (age != 2'd0 && left != '0 && left_q[20:13] != left[20:13]);
  end
endmodule
