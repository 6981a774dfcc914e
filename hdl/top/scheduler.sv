// Runs the programs of several tokens at once: steps of different contexts take turns in the array.
//
// Purpose   A context is one token in flight. The next step of each context is known (its number, the
//           slots that it needs); one that is ready is picked, read from the program ROM, loaded, and
//           all its waves are issued without a gap. So nothing behind the issue register is ever
//           shared by two contexts within a step, and no wave waits for data.
// Rule      In every cycle, in this order:
//           load    the picked step is loaded when its program word is there and the step in progress
//                   is leaving (or there is none).
//           follow  a loaded step with `sticky` is followed by the next step of its context.
//           pick    otherwise, when no step is picked or the picked one is being loaded: the first
//                   ready context after the one picked last, in turn by number.
//           A context is ready when it runs, no step of it is picked or being loaded, and of its
//           next step the slots `next_slot` and `next_gate` are complete; if that step begins a layer
//           (`next_layer`) the token before it in its stream, if still there, has loaded the last
//           step that reads that layer's cache (`attended`): so a word of keys is never written in
//           the cycle in which the token before reads it, and positions are written in order. A
//           step that only sampled tokens have (`next_sample`) ends others: done_o, once their
//           residual stream is complete.
//           softmax the last wave of a step of scores waits until as many cycles have passed since
//           the last wave of the scores before as those had tiles (see softmax).
// Params    Contexts, CtxW; LayerW: counts the layers; SlotX: slot of the residual stream; the others
//           as in sequencer.
// Latency   a slot that is complete from t on: picked in t, loaded in t + 2, first wave issued in t + 3
//           and on wave_*_o in t + 4. Steps of different contexts, and sticky ones, follow each other
//           every max(2, waves) cycles, other steps of one context every max(3, waves) cycles.
// It does not know what a step computes, nor who starts a token.
`default_nettype none

module scheduler #(
    parameter integer Contexts = 2,
    parameter integer CtxW     = 1,
    parameter integer LayerW   = 2,
    parameter integer SlotX    = 2,
    parameter integer Slots    = 12,
    parameter integer StepW    = 6,
    parameter integer TileW    = 5,
    parameter integer CountW   = 6,
    parameter integer OpWordW  = 6,
    parameter integer SubW     = 1,
    parameter integer AddrW    = 10,
    parameter integer SlotW    = 4,
    parameter integer LenW     = 9,
    parameter integer Rows     = 8,
    parameter integer Sub      = 2
) (
    input  wire                      clk_i,
    input  wire                      rst_i,
    // a token begins in a free context; the context of the token before it in its stream
    input  wire                      start_i,
    input  wire [          CtxW-1:0] start_ctx_i,
    input  wire                      start_sampled_i,
    input  wire                      start_pred_valid_i,
    input  wire [          CtxW-1:0] start_pred_i,
    output wire [      Contexts-1:0] done_o,              // a token that is not sampled has ended
    // program ROM
    output wire [         StepW-1:0] step_addr_o,
    input  wire [         SlotW-1:0] f_slot_i,
    input  wire [         SlotW-1:0] f_clear_i,
    input  wire [         SlotW-1:0] f_gate_i,
    input  wire                      f_prob_i,
    input  wire [       OpWordW-1:0] f_word_i,
    input  wire [          SubW-1:0] f_sub_i,
    input  wire [        CountW-1:0] f_inner_i,
    input  wire                      f_inner_pos_i,
    input  wire [         TileW-1:0] f_outer_i,
    input  wire                      f_outer_pos_i,
    input  wire                      f_kv_i,
    input  wire [         AddrW-1:0] f_addr_i,
    input  wire [         AddrW-1:0] f_inner_stride_i,
    input  wire [         AddrW-1:0] f_outer_stride_i,
    input  wire                      f_sample_only_i,
    input  wire                      f_last_i,
    input  wire                      f_score_i,           // the step writes scores
    input  wire                      f_sticky_i,
    input  wire                      f_attended_i,        // the last that reads a layer's cache
    input  wire [         SlotW-1:0] f_next_slot_i,
    input  wire [         SlotW-1:0] f_next_gate_i,
    input  wire                      f_next_layer_i,
    input  wire                      f_next_sample_i,
    // the load: of its context, position / Rows, position / Cols, first word of its stream's cache
    output wire                      load_o,
    output wire [          CtxW-1:0] load_ctx_o,
    output wire [         SlotW-1:0] clear_slot_o,
    input  wire [        CountW-1:0] pos_waves_i,
    input  wire [         TileW-1:0] pos_tiles_i,
    input  wire [         AddrW-1:0] kv_offset_i,
    input  wire [Contexts*Slots-1:0] complete_i,
    // waves
    output wire                      wave_valid_o,
    output wire                      wave_first_o,
    output wire                      wave_last_o,
    output wire                      wave_final_o,
    output wire [          CtxW-1:0] wave_ctx_o,
    output wire [         StepW-1:0] wave_step_o,
    output wire [         TileW-1:0] wave_tile_o,
    output wire [       OpWordW-1:0] wave_word_o,
    output wire [          SubW-1:0] wave_sub_o,
    output wire                      wave_prob_o,
    output wire [         AddrW-1:0] wave_addr_o,
    output wire                      wave_kv_o,
    // for the counters: what this cycle is spent on, and for which step
    output wire                      issue_o,             // a wave passes
    output wire                      loaded_o,            // a step is loaded
    output wire                      waiting_o,           // some run, no step is picked (yet)
    output wire                      picked_o,            // a step is read from the ROM
    output wire [         StepW-1:0] at_step_o
);
  // the picked step
  reg picked_q, fetched_q;
  reg [CtxW-1:0] ctx_q;
  reg [StepW-1:0] addr_q;

  wire valid, last, ending, leaving;
  wire [TileW-1:0] outer;
  wire [StepW-1:0] step;
  wire [Contexts-1:0] running;
  wire [SlotW-1:0] slot, gate;
  wire [LenW-1:0] need;
  wire load = picked_q && fetched_q && leaving;
  wire follow = load && f_sticky_i;

  // the contexts
  reg [Contexts*LayerW-1:0] layers_q;  // layers whose cache has been read
  wire [Contexts*StepW-1:0] pcs;
  wire [Contexts-1:0] ready;
  wire pick;
  wire [CtxW-1:0] choice;
  wire [StepW-1:0] next_pc = addr_q + 1'b1;

  for (genvar c = 0; c < Contexts; c = c + 1) begin : g_context
    localparam logic [CtxW-1:0] CTX = c[CtxW-1:0];
    reg running_q, sampled_q, pred_valid_q, next_layer_q, next_sample_q;
    reg [CtxW-1:0] pred_q;
    reg [SlotW-1:0] next_slot_q, next_gate_q;
    reg [StepW-1:0] pc_q;

    wire [Slots-1:0] complete = complete_i[c*Slots+:Slots];
    wire [LayerW-1:0] layers = layers_q[c*LayerW+:LayerW];
    wire [LayerW-1:0] pred_layers;
    wire mine = ctx_q == CTX;
    wire begins = start_i && start_ctx_i == CTX;
    wire waiting = running_q && !(picked_q && mine);
    wire ends = next_sample_q && !sampled_q;
    wire in_order = !next_layer_q || !pred_valid_q || pred_layers != layers;
    wire done = waiting && ends && complete[SlotX];

    select_word #(
        .N(Contexts),
        .W(LayerW),
        .IndexW(CtxW)
    ) u_pred_layers (
        .words_i(layers_q),
        .index_i(pred_q),
        .word_o(pred_layers)
    );

    assign ready[c] = waiting && !ends && in_order && complete[next_slot_q] &&
        complete[next_gate_q];
    assign done_o[c] = done;
    assign running[c] = running_q;
    assign pcs[c*StepW+:StepW] = pc_q;

    always_ff @(posedge clk_i) begin
      if (rst_i) running_q <= 1'b0;
      else if (begins) running_q <= 1'b1;
      else if (done || (load && mine && f_last_i)) running_q <= 1'b0;

      if (begins) begin
        sampled_q     <= start_sampled_i;
        pc_q          <= {StepW{1'b0}};
        next_slot_q   <= {SlotW{1'b0}};
        next_gate_q   <= {SlotW{1'b0}};
        next_layer_q  <= 1'b0;
        next_sample_q <= 1'b0;
        pred_q        <= start_pred_i;
      end else if (load && mine) begin
        pc_q          <= next_pc;
        next_slot_q   <= f_next_slot_i;
        next_gate_q   <= f_next_gate_i;
        next_layer_q  <= f_next_layer_i;
        next_sample_q <= f_next_sample_i;
      end

      // a context that is used again was done with its token
      if (begins) pred_valid_q <= start_pred_valid_i;
      else if (start_i && start_ctx_i == pred_q) pred_valid_q <= 1'b0;

      if (begins) layers_q[c*LayerW+:LayerW] <= {LayerW{1'b0}};
      else if (load && mine && f_attended_i) layers_q[c*LayerW+:LayerW] <= layers + 1'b1;
    end
  end

  // pick
  reg [CtxW-1:0] last_ctx_q;
  wire any_ready;
  wire [StepW-1:0] choice_pc;

  next_in_turn #(
      .N(Contexts),
      .W(CtxW)
  ) u_turn (
      .bits_i (ready),
      .last_i (last_ctx_q),
      .any_o  (any_ready),
      .index_o(choice)
  );

  select_word #(
      .N(Contexts),
      .W(StepW),
      .IndexW(CtxW)
  ) u_choice_pc (
      .words_i(pcs),
      .index_i(choice),
      .word_o(choice_pc)
  );

  assign pick = any_ready && (!picked_q || load) && !follow;

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      picked_q   <= 1'b0;
      fetched_q  <= 1'b0;
      last_ctx_q <= {CtxW{1'b0}};
    end else begin
      picked_q  <= pick || follow || (picked_q && !load);
      fetched_q <= picked_q && !load;
      if (pick) last_ctx_q <= choice;
    end
    if (pick) begin
      ctx_q  <= choice;
      addr_q <= choice_pc;
    end else if (follow) begin
      addr_q <= next_pc;
    end
  end

  // softmax: cycles until the last wave of a step of scores may come
  reg score_q;
  reg [TileW-1:0] softmax_q;
  reg [CtxW-1:0] step_ctx_q, wave_ctx_q;
  wire last_score = valid && score_q && ending;
  wire go = !(last_score && softmax_q != {TileW{1'b0}});

  always_ff @(posedge clk_i) begin
    if (load) begin
      score_q    <= f_score_i;
      step_ctx_q <= ctx_q;
    end
    wave_ctx_q <= step_ctx_q;
    if (rst_i) softmax_q <= {TileW{1'b0}};
    else if (last_score && go) softmax_q <= outer;
    else if (softmax_q != {TileW{1'b0}}) softmax_q <= softmax_q - 1'b1;
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
      .step_i(addr_q),
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
      .f_addr_i(f_addr_i + (f_kv_i ? kv_offset_i : {AddrW{1'b0}})),
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
      .slot_o(slot),
      .need_o(need),
      .gate_slot_o(gate),
      .ready_i(go),
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

  assign step_addr_o = addr_q;
  assign load_o = load;
  assign load_ctx_o = ctx_q;
  assign clear_slot_o = f_clear_i;
  assign wave_ctx_o = wave_ctx_q;
  assign loaded_o = valid;
  assign waiting_o = running != {Contexts{1'b0}} && !picked_q;
  assign picked_o = picked_q;
  assign at_step_o = valid ? step : addr_q;

  // contexts wait before a load, so that waves need not ask
  wire unused = &{1'b0, last, slot, gate, need, f_sample_only_i};
endmodule

`default_nettype wire
