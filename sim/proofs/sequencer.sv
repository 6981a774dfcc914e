// sequencer: every step issues its (outer + 1) x (inner + 1) waves in order and once, with the
// addresses base + tile * outer_stride + wave * inner_stride; never a wave whose operand is not there.
module prove_sequencer (
    input logic       clk_i,
    input logic       rst_i,
    input logic       start_i,
    input logic       sampled_i,
    input logic [1:0] pos_waves_i,
    input logic [1:0] pos_tiles_i,
    input logic [1:0] f_slot_i,
    input logic [1:0] f_clear_i,
    input logic [1:0] f_gate_i,
    input logic       f_prob_i,
    input logic [3:0] f_word_i,
    input logic       f_sub_i,
    input logic [1:0] f_inner_i,
    input logic       f_inner_pos_i,
    input logic [1:0] f_outer_i,
    input logic       f_outer_pos_i,
    input logic       f_kv_i,
    input logic [4:0] f_addr_i,
    input logic [4:0] f_inner_stride_i,
    input logic [4:0] f_outer_stride_i,
    input logic       f_sample_only_i,
    input logic       f_last_i,
    input logic       ready_i,
    input logic       gate_ready_i
);
  logic issue_o, loaded_o, running_o;
  logic [1:0] at_step_o;
  logic idle_o, clear_o, wave_valid_o, wave_first_o, wave_last_o, wave_final_o, wave_prob_o, wave_kv_o;
  logic [1:0] step_addr_o, clear_slot_o, load_slot_o, load_gate_slot_o, slot_o, gate_slot_o, wave_step_o, wave_tile_o;
  logic [3:0] need_o, wave_word_o;
  logic wave_sub_o;
  logic [4:0] wave_addr_o;
  sequencer #(
      .StepW(2), .TileW(2), .CountW(2), .OpWordW(4), .SubW(1), .AddrW(5), .SlotW(2), .LenW(4),
      .Rows(2), .Sub(2)
  ) u_dut (.*);

`ifdef INDUCTION
  (* hierconn *) wire \u_dut.fetched_q , \u_dut.u_waves.prob_q , \u_dut.u_waves.kv_q , \u_dut.u_waves.sub_q ;
  (* hierconn *) wire \u_dut.u_waves.base_sub_q ;
  (* hierconn *) wire \u_dut.u_waves.tile_end_q , \u_dut.u_waves.one_wave_q , \u_dut.u_waves.last_tile_q ;
  (* hierconn *) wire [1:0] \u_dut.pc_q , \u_dut.u_waves.step_q , \u_dut.u_waves.inner_q ;
  (* hierconn *) wire [1:0] \u_dut.u_waves.outer_q , \u_dut.u_waves.wave_q , \u_dut.u_waves.tile_q ;
  (* hierconn *) wire [3:0] \u_dut.u_waves.word_q , \u_dut.u_waves.base_word_q ;
  (* hierconn *) wire [4:0] \u_dut.u_waves.addr_q , \u_dut.u_waves.tile_addr_q ;
  (* hierconn *) wire [4:0] \u_dut.u_waves.inner_stride_q , \u_dut.u_waves.outer_stride_q ;
`endif
  // the step in progress, from its fields when it is loaded (clear_o)
  logic idle_q = 1'b0;
  logic clean = 1'b0, busy = 1'b0, prob, kv;
  logic [1:0] step, inner, outer, slot, gate, wave, tile;
  logic [3:0] word;
  logic sub;
  logic [4:0] base, inner_stride, outer_stride;
  wire issue = busy && ready_i && gate_ready_i;
  wire tile_end = wave == inner;
  // the wave that shows in the next cycle
  logic valid_q = 1'b0, first_q, last_q, final_q, prob_q, kv_q, sub_q;
  logic [1:0] step_q, tile_q;
  logic [3:0] word_q;
  logic [4:0] addr_q;
  logic [1:0] address_q;
  logic [4:0] half_words;
  assign half_words = {word, sub} + {3'd0, wave};

  always_ff @(posedge clk_i) begin
    address_q <= step_addr_o;
    clean <= clean || rst_i;
    idle_q <= idle_o;
    valid_q <= issue && !rst_i;
    first_q <= wave == 2'd0;
    last_q <= tile_end;
    final_q <= tile_end && tile == outer;
    step_q <= step;
    tile_q <= tile;
    addr_q <= base + tile * outer_stride + wave * inner_stride;
    word_q <= half_words[4:1];
    sub_q <= half_words[0];
    prob_q <= prob;
    kv_q <= kv;
    if (issue) begin
      wave <= tile_end ? 2'd0 : wave + 2'd1;
      if (tile_end) tile <= tile + 2'd1;
      if (tile_end && tile == outer) busy <= 1'b0;
    end
    if (clear_o) begin
      busy <= 1'b1;
      step <= address_q;
      inner <= f_inner_pos_i ? pos_waves_i : f_inner_i;
      outer <= f_outer_pos_i ? pos_tiles_i : f_outer_i;
      wave <= 2'd0;
      tile <= 2'd0;
      word <= f_word_i;
      sub <= f_sub_i;
      base <= f_addr_i;
      inner_stride <= f_inner_stride_i;
      outer_stride <= f_outer_stride_i;
      slot <= f_slot_i;
      gate <= f_gate_i;
      prob <= f_prob_i;
      kv <= f_kv_i;
    end
    if (rst_i) busy <= 1'b0;
  end

  always_comb begin
    if (!clean) assume (rst_i);
    if (start_i) assume (idle_q && !rst_i);
    if (clean) begin
      if (clear_o) assert (!busy || (issue && tile_end && tile == outer));
      if (busy) begin
        assert (slot_o == slot && gate_slot_o == gate);
        assert (need_o == (!issue ? 2 * ({2'd0, wave} + 4'd1) :
            tile_end ? 4'd2 : 2 * ({2'd0, wave} + 4'd2)));
        assert (!idle_o);
      end
      assert (wave_valid_o == valid_q);
      if (valid_q) begin
        assert (wave_first_o == first_q && wave_last_o == last_q && wave_final_o == final_q);
        assert (wave_step_o == step_q && wave_tile_o == tile_q && wave_addr_o == addr_q);
        assert (wave_word_o == word_q && wave_sub_o == sub_q);
        assert (wave_prob_o == prob_q && wave_kv_o == kv_q);
      end
    end
`ifdef INDUCTION
    if (clean) begin
      assert (loaded_o == busy && (running_o || !busy));
      if (idle_o) assert (!busy);
      if (running_o && \u_dut.fetched_q ) assert (address_q == \u_dut.pc_q );
      if (busy) begin
        assert (wave <= inner && tile <= outer);
        assert ( \u_dut.u_waves.tile_end_q == tile_end && \u_dut.u_waves.last_tile_q == (tile == outer));
        assert ( \u_dut.u_waves.one_wave_q == (inner == 2'd0));
        assert ({step, inner, outer, wave, tile} == { \u_dut.u_waves.step_q , \u_dut.u_waves.inner_q ,
            \u_dut.u_waves.outer_q , \u_dut.u_waves.wave_q , \u_dut.u_waves.tile_q });
        assert ({prob, kv, word, sub} == { \u_dut.u_waves.prob_q , \u_dut.u_waves.kv_q ,
            \u_dut.u_waves.base_word_q , \u_dut.u_waves.base_sub_q });
        assert (half_words == { \u_dut.u_waves.word_q , \u_dut.u_waves.sub_q });
        assert ({inner_stride, outer_stride} == { \u_dut.u_waves.inner_stride_q ,
            \u_dut.u_waves.outer_stride_q });
        assert ( \u_dut.u_waves.tile_addr_q == base + tile * outer_stride);
        assert ( \u_dut.u_waves.addr_q == base + tile * outer_stride + wave * inner_stride);
      end
    end
`endif
    cover (clean && wave_valid_o && wave_final_o && wave_tile_o == 2'd1 && wave_step_o == 2'd1);
  end
endmodule
