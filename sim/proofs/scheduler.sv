// scheduler: of each token the steps of its program are loaded in order and once, while it runs; a step
// is picked only when it may be (the rule of the header: its vectors complete, layers in order) and
// loaded when the one before leaves; its waves follow each other without a gap, but for the last one of
// a step of scores, which gives the softmax a cycle for each tile of the scores before; waves carry
// their context and number; a token that is not sampled is done once, where its program ends.
module prove_scheduler #(
    parameter int Contexts = 3
) (
    input logic       clk_i,
    input logic       rst_i,
    input logic       start_i,
    input logic [1:0] start_ctx_i,
    input logic       start_sampled_i,
    input logic       start_pred_valid_i,
    input logic [1:0] start_pred_i,
    input logic [1:0] f_slot_i,
    input logic [1:0] f_clear_i,
    input logic [1:0] f_gate_i,
    input logic       f_prob_i,
    input logic [1:0] f_word_i,
    input logic       f_sub_i,
    input logic [1:0] f_inner_i,
    input logic       f_inner_pos_i,
    input logic [1:0] f_outer_i,
    input logic       f_outer_pos_i,
    input logic       f_kv_i,
    input logic [2:0] f_addr_i,
    input logic [2:0] f_inner_stride_i,
    input logic [2:0] f_outer_stride_i,
    input logic       f_sample_only_i,
    input logic       f_last_i,
    input logic       f_score_i,
    input logic       f_sticky_i,
    input logic       f_attended_i,
    input logic [1:0] f_next_slot_i,
    input logic [1:0] f_next_gate_i,
    input logic       f_next_layer_i,
    input logic       f_next_sample_i,
    input logic [1:0] pos_waves_i,
    input logic [1:0] pos_tiles_i,
    input logic [2:0] kv_offset_i,
    input logic [Contexts*4-1:0] complete_i
);
  logic [Contexts-1:0] done_o;
  logic [2:0] step_addr_o, wave_step_o, at_step_o, wave_addr_o;
  logic load_o, wave_valid_o, wave_first_o, wave_last_o, wave_final_o, wave_prob_o, wave_kv_o;
  logic [1:0] load_ctx_o, clear_slot_o, wave_ctx_o, wave_tile_o, wave_word_o;
  logic wave_sub_o, issue_o, loaded_o, waiting_o, picked_o;
  scheduler #(
      .Contexts(Contexts), .CtxW(2), .LayerW(2), .SlotX(2), .Slots(4), .StepW(3), .TileW(2),
      .CountW(2), .OpWordW(2), .SubW(1), .AddrW(3), .SlotW(2), .LenW(4), .Rows(2), .Sub(2)
  ) u_dut (.*);
  (* hierconn *) wire \u_dut.pick , \u_dut.follow , \u_dut.fetched_q ;
  (* hierconn *) wire [1:0] \u_dut.choice , \u_dut.ctx_q ;
  (* hierconn *) wire [2:0] \u_dut.addr_q ;
  (* hierconn *) wire [Contexts-1:0] \u_dut.running ;
  (* hierconn *) wire [Contexts*3-1:0] \u_dut.pcs ;
  (* hierconn *) wire [Contexts*2-1:0] \u_dut.layers_q ;

`ifdef INDUCTION
  (* hierconn *) wire \u_dut.g_context[0].sampled_q , \u_dut.g_context[0].pred_valid_q , \u_dut.g_context[0].next_layer_q , \u_dut.g_context[0].next_sample_q ;
  (* hierconn *) wire [1:0] \u_dut.g_context[0].pred_q , \u_dut.g_context[0].next_slot_q , \u_dut.g_context[0].next_gate_q ;
  (* hierconn *) wire \u_dut.g_context[1].sampled_q , \u_dut.g_context[1].pred_valid_q , \u_dut.g_context[1].next_layer_q , \u_dut.g_context[1].next_sample_q ;
  (* hierconn *) wire [1:0] \u_dut.g_context[1].pred_q , \u_dut.g_context[1].next_slot_q , \u_dut.g_context[1].next_gate_q ;
  (* hierconn *) wire \u_dut.g_context[2].sampled_q , \u_dut.g_context[2].pred_valid_q , \u_dut.g_context[2].next_layer_q , \u_dut.g_context[2].next_sample_q ;
  (* hierconn *) wire [1:0] \u_dut.g_context[2].pred_q , \u_dut.g_context[2].next_slot_q , \u_dut.g_context[2].next_gate_q ;
  wire [29:0] contexts = {
      \u_dut.g_context[2].sampled_q , \u_dut.g_context[2].pred_valid_q ,
      \u_dut.g_context[2].pred_q , \u_dut.g_context[2].next_slot_q , \u_dut.g_context[2].next_gate_q ,
      \u_dut.g_context[2].next_layer_q , \u_dut.g_context[2].next_sample_q ,
      \u_dut.g_context[1].sampled_q , \u_dut.g_context[1].pred_valid_q ,
      \u_dut.g_context[1].pred_q , \u_dut.g_context[1].next_slot_q , \u_dut.g_context[1].next_gate_q ,
      \u_dut.g_context[1].next_layer_q , \u_dut.g_context[1].next_sample_q ,
      \u_dut.g_context[0].sampled_q , \u_dut.g_context[0].pred_valid_q ,
      \u_dut.g_context[0].pred_q , \u_dut.g_context[0].next_slot_q , \u_dut.g_context[0].next_gate_q ,
      \u_dut.g_context[0].next_layer_q , \u_dut.g_context[0].next_sample_q };
  (* hierconn *) wire [1:0] \u_dut.u_waves.wave_q , \u_dut.u_waves.tile_q , \u_dut.u_waves.inner_q ;
  (* hierconn *) wire [1:0] \u_dut.u_waves.outer_q , \u_dut.step_ctx_q , \u_dut.softmax_q ;
  (* hierconn *) wire \u_dut.score_q ;
  (* hierconn *) wire \u_dut.u_waves.tile_end_q , \u_dut.u_waves.one_wave_q , \u_dut.u_waves.last_tile_q ;
  (* hierconn *) wire [2:0] \u_dut.u_waves.step_q ;
`endif

  (* anyconst *) logic [1:0] chosen;  // a context that is watched
  wire [3:0] complete = complete_i[chosen*4+:4];
  logic clean = 1'b0;
  logic running = 1'b0, sampled = 1'b0;
  logic [2:0] pc = '0;  // its next step
  // what the program says of that step
  logic [1:0] slot = '0, gate = '0;
  logic layer = 1'b0, sample = 1'b0;
  logic [1:0] layers = '0, pred = '0;
  logic pred_valid = 1'b0;
  wire begins = start_i && start_ctx_i == chosen;
  wire loads = load_o && load_ctx_o == chosen;
  wire mine = picked_o && \u_dut.ctx_q == chosen;
  wire ends = running && !mine && sample && !sampled && complete[2];
  // the step in progress, and its waves
  logic busy = 1'b0;
  logic [1:0] inner = '0, outer = '0, wave = '0, tile = '0, step_ctx = '0;
  logic [2:0] step = '0;
  logic score = 1'b0;
  logic [2:0] since = 3'd7, tiles = '0;  // since the last wave of the scores before, and their tiles
  wire last_wave = wave == inner && tile == outer;
  logic valid_q = 1'b0, final_q = 1'b0;
  logic [1:0] ctx_q = '0, tile_q = '0;
  logic [2:0] step_q = '0, address_q = '0;
  always_ff @(posedge clk_i) begin
    clean <= clean || rst_i;
    address_q <= step_addr_o;
    if (rst_i) running <= 1'b0;
    else if (begins) running <= 1'b1;
    else if (ends || (loads && f_last_i)) running <= 1'b0;
    if (begins) begin
      {sampled, pred, pc, slot, gate, layer, sample, layers} <= {start_sampled_i, start_pred_i, 11'd0};
      pred_valid <= start_pred_valid_i;
    end else begin
      if (loads) begin
        pc <= pc + 3'd1;
        {slot, gate, layer, sample} <= {f_next_slot_i, f_next_gate_i, f_next_layer_i, f_next_sample_i};
        layers <= layers + f_attended_i;
      end
      if (start_i && start_ctx_i == pred) pred_valid <= 1'b0;
    end
    valid_q <= issue_o && !rst_i;
    {final_q, ctx_q, step_q, tile_q} <= {last_wave, step_ctx, step, tile};
    since <= since == 3'd7 ? since : since + 3'd1;
    if (rst_i) {since, tiles} <= {3'd7, 3'd0};
    else if (issue_o && last_wave && score) {since, tiles} <= {3'd1, {1'b0, outer} + 3'd1};
    if (rst_i) busy <= 1'b0;
    else if (load_o) begin
      busy <= 1'b1;
      score <= f_score_i;
      {wave, tile, step, step_ctx} <= {4'd0, address_q, load_ctx_o};
      inner <= f_inner_pos_i ? pos_waves_i : f_inner_i;
      outer <= f_outer_pos_i ? pos_tiles_i : f_outer_i;
    end else if (issue_o) begin
      busy <= !last_wave;
      wave <= wave == inner ? 2'd0 : wave + 2'd1;
      tile <= tile + (wave == inner);
    end
  end
  always_comb begin
    if (!clean) assume (rst_i);
    assume (chosen < Contexts);
    if (clean) begin
      // streams.sv starts tokens in free contexts
      if (start_i) assume (start_ctx_i < Contexts && start_pred_i < Contexts && ! \u_dut.running [start_ctx_i]);
      assume (!(f_last_i && f_sticky_i));  // of the program: nothing follows its end
      assert ( \u_dut.running [chosen] == running);
      assert (done_o[chosen] == ends);
      if (loads) assert (running && address_q == pc && step_addr_o == pc);
      if (load_o) assert (load_ctx_o < Contexts && (!busy || (issue_o && last_wave)));
      if ( \u_dut.pick && \u_dut.choice == chosen) begin
        assert (running && !mine && complete[slot] && complete[gate] && !(sample && !sampled));
        assert (!layer || !pred_valid || \u_dut.layers_q [pred*2+:2] != layers);
      end
      if ( \u_dut.pick ) assert (!picked_o || load_o);
      if ( \u_dut.follow ) assert (load_o && f_sticky_i && ! \u_dut.pick );
      assert (loaded_o == busy);
      assert (issue_o == (busy && !(score && last_wave && since < tiles)));
      assert (wave_valid_o == valid_q);
      if (valid_q) begin
        assert (wave_ctx_o == ctx_q && wave_step_o == step_q && wave_tile_o == tile_q);
        assert (wave_final_o == final_q);
      end
`ifdef INDUCTION
      if (running) begin
        assert (contexts[chosen*10+:10] == {sampled, pred_valid, pred, slot, gate, layer, sample});
        assert (pred < Contexts);
        assert ( \u_dut.pcs [chosen*3+:3] == pc && \u_dut.layers_q [chosen*2+:2] == layers);
      end
      if (picked_o) assert ( \u_dut.ctx_q < Contexts && \u_dut.running [ \u_dut.ctx_q ]);
      if (mine) assert ( \u_dut.addr_q == pc);
      assert (tiles <= 3'd4 && {1'b0, \u_dut.softmax_q } == (since < tiles ? tiles - since : 3'd0));
      if ( \u_dut.fetched_q ) assert (picked_o && address_q == \u_dut.addr_q );
      if (busy) begin
        assert ({wave, tile} == { \u_dut.u_waves.wave_q , \u_dut.u_waves.tile_q });
        assert ({inner, outer} == { \u_dut.u_waves.inner_q , \u_dut.u_waves.outer_q });
        assert (step == \u_dut.u_waves.step_q && step_ctx == \u_dut.step_ctx_q );
        assert (score == \u_dut.score_q );
        assert ( \u_dut.u_waves.tile_end_q == (wave == inner));
        assert ( \u_dut.u_waves.last_tile_q == (tile == outer) && \u_dut.u_waves.one_wave_q == (inner == 2'd0));
      end
`endif
    end
    cover (clean && loads && pc == 3'd1 && chosen == 2'd2);
    cover (clean && done_o[chosen]);
  end
endmodule
