// Everything that happens to a tile of Cols results after the array, and where it goes.
//
// Purpose   requantise, activate, rotate, add to the residual stream, and hand the tile to the
//           memory or unit that its step names. Cols lanes, one tile per cycle, never stalls.
// Program   The step of a tile arrives as a tag five cycles before its sums (t0). The step's fields
//           answer step_addr_o after one cycle; the per-channel shifts answer shift_addr_o and the
//           biases bias_addr_o likewise. Fields:
//             param, per_tile: word of the shift and bias ROMs (plus the tile number if per_tile)
//             scalar: 0 none, 1 norm, 2 softmax reciprocal of head slot `head`
//             exponent: signed; the product is shifted by exponent + the scalar's exponent
//             bits: saturation width; act: apply the activation; dest: see DEST_*; lanes: lane mask
//             dst_word, dst_group: operand memory address of tile 0; dst_kv: KV base of the layer
//             dst_slot, amount, final: scoreboard event per tile (final: with the step's last tile)
// Latency   t0 (acc_i) -> outputs: 8 + Bump cycles (queries, keys, values: + RopeLatency); to the
//           operand memories one more (op_*_o), and to the norm unit (x_*_o).
//           Scoreboard events come with the write that they announce; those of the residual stream
//           NormWait cycles later, where the norm scalar would not be ready otherwise.
// Contexts  Number of tokens in flight, each with its own part of the memories. The tag names its
//           context, which comes out with results: *_ctx_o. scalar_ctx_o and scalar_head_o
//           (t0 - 2) choose the scalars, early_ctx_o the position one cycle before the results.
//           With one context the heads' reciprocals are chosen here, with more outside.
// Formats   Results travel in lanes of 16 bits, sign-extended; each step saturates to its `bits`.
//           Memories hold no more than they need: ResidualW (residual), ActW (operands), KvW (cache).
//           A residual tile is read 6 cycles after t0; it is there 10 + Bump cycles after that of
//           the tile that wrote it.
// It does not arbitrate: export/ schedules steps so that no two tiles meet at a port.
`default_nettype none

module vector_unit #(
    parameter integer Cols        = 16,
    parameter integer AccW        = 32,
    parameter integer BiasW       = 24,
    parameter integer KvW         = 8,
    parameter integer ActW        = 16,
    parameter integer ResidualW   = 16,
    parameter integer StepW       = 6,
    parameter integer TileW       = 5,
    parameter integer ParamW      = 7,
    parameter integer OpWordW     = 6,
    parameter integer GroupW      = 1,
    parameter integer Groups      = 1,
    parameter integer KvAddrW     = 8,
    parameter integer SlotW       = 4,
    parameter integer LenW        = 9,
    parameter integer HeadW       = 2,
    parameter integer Heads       = 4,
    parameter integer XTiles      = 4,
    parameter integer XTileW      = 2,
    parameter integer Bump        = 0,
    parameter integer BumpShift   = 0,
    parameter integer BumpAddrW   = 8,
    parameter integer BumpW       = 8,
    parameter integer HiddenZero  = 0,
    parameter integer HiddenW     = 15,
    parameter integer Rope        = 0,
    parameter integer RopePasses  = 1,
    parameter integer RopeLatency = 0,
    parameter integer RopePeriod  = 1,
    parameter integer RopePeriodW = 1,
    parameter integer RopeAddrW   = 7,
    parameter integer PosW        = 7,
    parameter integer NormWait    = 0,
    parameter integer Contexts    = 1,
    parameter integer CtxW        = 1
) (
    input  wire                   clk_i,
    input  wire                   rst_i,
    // tag of a tile, at t0 - 5
    input  wire                   tag_valid_i,
    input  wire                   tag_final_i,
    input  wire [       CtxW-1:0] tag_ctx_i,
    input  wire [      StepW-1:0] tag_step_i,
    input  wire [      TileW-1:0] tag_tile_i,
    // sums, at t0
    input  wire [  Cols*AccW-1:0] acc_i,
    // program fields (one cycle after step_addr_o)
    output wire [      StepW-1:0] step_addr_o,
    input  wire [     ParamW-1:0] f_param_i,
    input  wire                   f_per_tile_i,
    input  wire [            1:0] f_scalar_i,
    input  wire [      HeadW-1:0] f_head_i,
    input  wire [            6:0] f_exponent_i,
    input  wire [            4:0] f_bits_i,
    input  wire                   f_act_i,
    input  wire [            2:0] f_dest_i,
    input  wire [       Cols-1:0] f_lanes_i,
    input  wire [    OpWordW-1:0] f_dst_word_i,
    input  wire [     GroupW-1:0] f_dst_group_i,
    input  wire [    KvAddrW-1:0] f_dst_kv_i,
    input  wire [      SlotW-1:0] f_dst_slot_i,
    input  wire [       LenW-1:0] f_amount_i,
    input  wire                   f_final_i,
    // per-channel parameters and tables (one cycle)
    output wire [     ParamW-1:0] shift_addr_o,
    input  wire [     Cols*5-1:0] shift_data_i,
    output wire [     ParamW-1:0] bias_addr_o,
    input  wire [ Cols*BiasW-1:0] bias_data_i,
    output wire [Cols*BumpAddrW-1:0] bump_addr_o,
    input  wire [ Cols*BumpW-1:0] bump_data_i,
    // rotation tables (one cycle): word = position * RopePeriod + tile mod RopePeriod
    input  wire [       PosW-1:0] pos_i,
    output wire [  RopeAddrW-1:0] rope_addr_o,
    input  wire [(Cols/2)*16-1:0] cos_i,
    input  wire [(Cols/2)*16-1:0] sin_i,
    // scalars, sampled at t0 - 1
    output wire [       CtxW-1:0] scalar_ctx_o,
    output wire [      HeadW-1:0] scalar_head_o,
    output wire [       CtxW-1:0] early_ctx_o,
    output wire [       CtxW-1:0] early_kv_ctx_o,  // of kv_valid_o
    input  wire [           15:0] norm_mant_i,
    input  wire [            5:0] norm_exp_i,
    input  wire [   Heads*16-1:0] recip_mant_i,
    input  wire [    Heads*6-1:0] recip_exp_i,
    // embedding of a new token
    input  wire                   embed_valid_i,
    input  wire [     XTileW-1:0] embed_tile_i,
    input  wire                   embed_first_i,
    input  wire                   embed_last_i,
    input  wire [    Cols*16-1:0] embed_data_i,
    // residual tiles (embedding or sum), to the norm unit, one cycle after all other results
    output wire                   x_valid_o,
    output wire                   x_first_o,
    output wire                   x_last_o,
    output wire [       CtxW-1:0] ctx_o,  // of score and logit
    output wire [    Cols*16-1:0] x_data_o,
    // operand memory write, one cycle after all other results
    output wire                   op_we_o,
    output wire [       CtxW-1:0] op_ctx_o,
    output wire [    OpWordW-1:0] op_word_o,
    output wire [     GroupW-1:0] op_group_o,
    output wire [       Cols-1:0] op_lanes_o,
    output wire [  Cols*ActW-1:0] op_data_o,
    // keys and values
    output wire                   kv_valid_o,
    output wire                   kv_is_v_o,
    output wire                   kv_first_o,
    output wire                   kv_last_o,
    output wire [       CtxW-1:0] kv_ctx_o,
    output wire [    KvAddrW-1:0] kv_base_o,
    output wire [   Cols*KvW-1:0] kv_data_o,
    // scores and logits
    output wire                   score_valid_o,
    output wire [      HeadW-1:0] score_head_o,
    output wire                   logit_valid_o,
    output wire [      TileW-1:0] tile_o,
    output wire                   final_o,
    output wire [    Cols*16-1:0] data_o,
    // scoreboard events: 0 results, 1 queries, 2 residual stream
    output wire [            2:0] event_valid_o,
    output wire [    3*SlotW-1:0] event_slot_o,
    output wire [     3*LenW-1:0] event_amount_o,
    output wire [            2:0] event_final_o,
    output wire [     3*CtxW-1:0] event_ctx_o,
    // trace of everything written: results, and queries/keys/values
    output wire                   trace_valid_o,
    output wire [      StepW-1:0] trace_step_o,
    output wire [      TileW-1:0] trace_tile_o,
    output wire [    Cols*16-1:0] trace_data_o,
    output wire                   trace_qkv_valid_o,
    output wire [      StepW-1:0] trace_qkv_step_o,
    output wire [      TileW-1:0] trace_qkv_tile_o,
    output wire [    Cols*16-1:0] trace_qkv_data_o
);
  localparam logic [2:0] DEST_OPERAND = 3'd0;
  localparam logic [2:0] DEST_RESIDUAL = 3'd1;
  localparam logic [2:0] DEST_QUERY = 3'd2;
  localparam logic [2:0] DEST_KEY = 3'd3;
  localparam logic [2:0] DEST_VALUE = 3'd4;
  localparam logic [2:0] DEST_SCORE = 3'd5;
  localparam logic [2:0] DEST_LOGIT = 3'd6;
  localparam logic [2:0] DEST_NONE = 3'd7;
  localparam logic [SlotW-1:0] SLOT_X = 2;
  localparam logic [LenW-1:0] COLS = Cols[LenW-1:0];
  localparam integer TagW = 2 + CtxW + StepW + TileW;
  localparam integer ParamFieldsW = 2 + HeadW + 7;
  localparam integer DestFieldsW = 5 + 1 + 3 + Cols + OpWordW + GroupW + KvAddrW + HeadW + SlotW
      + LenW + 1;

  if (Contexts > 1) begin : g_contexts
    assign tag_ctx = tag_ctx_i;
  end else begin : g_one_context
    assign tag_ctx = {CtxW{1'b0}};
    wire unused_ctx = &{1'b0, tag_ctx_i};
  end

  // ---- t0-5 .. t0: fields of the step, channel parameters (a register behind each ROM, and one on
  //      the way to the lanes)
  assign step_addr_o = tag_step_i;

  wire             tag_valid_m4;
  wire             tag_final_m4;
  wire [StepW-1:0] tag_step_m4;
  wire [TileW-1:0] tag_tile_m4;
  wire [CtxW-1:0] tag_ctx, tag_ctx_m4;
  reg [ParamW-1:0] param_addr_q;

  delay_line #(
      .W(TagW),
      .N(1),
      .Reset(1)
  ) u_tag_m4 (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i({tag_valid_i, tag_final_i, tag_ctx, tag_step_i, tag_tile_i}),
      .d_o({tag_valid_m4, tag_final_m4, tag_ctx_m4, tag_step_m4, tag_tile_m4})
  );

  wire [ParamW-1:0] tile_offset;

  resize #(
      .InW (TileW),
      .OutW(ParamW)
  ) u_tile_offset (
      .data_i(tag_tile_m4),
      .data_o(tile_offset)
  );

  always_ff @(posedge clk_i) begin
    param_addr_q <= f_param_i + (f_per_tile_i ? tile_offset : {ParamW{1'b0}});
  end

  reg [Cols*5-1:0] shift_data_q, shift_t0;
  reg [Cols*BiasW-1:0] bias_data_q, bias_t5;
  always_ff @(posedge clk_i) begin
    shift_data_q <= shift_data_i;
    bias_data_q  <= bias_data_i;
    shift_t0     <= shift_data_q;
    bias_t5      <= bias_data_q;
  end

  assign shift_addr_o = param_addr_q;

  delay_line #(
      .W(ParamW),
      .N(5)
  ) u_bias_addr (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i(param_addr_q),
      .d_o(bias_addr_o)
  );

  // ---- t0-1: choose the scalar; t1: mantissa, after a register on the way to all lanes; t4: shift
  wire [      1:0] scalar_m1;
  wire [HeadW-1:0] head_m1;
  wire [      6:0] exponent_m1;
  reg [15:0] mant_q, mant_t1;
  reg  [      6:0] shift_q;
  wire [      6:0] shift_t4;

  wire [      1:0] scalar_m2;
  wire [      6:0] exponent_m2;

  delay_line #(
      .W(ParamFieldsW + CtxW),
      .N(2)
  ) u_param_fields_m2 (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i({tag_ctx_m4, f_scalar_i, f_head_i, f_exponent_i}),
      .d_o({scalar_ctx_o, scalar_m2, scalar_head_o, exponent_m2})
  );
  delay_line #(
      .W(ParamFieldsW),
      .N(1)
  ) u_param_fields (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i({scalar_m2, scalar_head_o, exponent_m2}),
      .d_o({scalar_m1, head_m1, exponent_m1})
  );

  // The chosen head by comparisons: an index times 6 would become a multiplier.
  for (genvar s = 0; s < Heads; s = s + 1) begin : g_head
    localparam logic [HeadW-1:0] HEAD = s[HeadW-1:0];
    wire this_one = Contexts > 1 || head_m1 == HEAD;
    wire [21:0] mine = {recip_mant_i[s*16+:16], recip_exp_i[s*6+:6]} & {22{this_one}};
    wire [21:0] chosen;
    if (s == 0) begin : g_first
      assign chosen = mine;
    end else begin : g_next
      assign chosen = g_head[s-1].chosen | mine;
    end
  end
  wire [15:0] recip_mant;
  wire [ 5:0] recip_exp;
  assign {recip_mant, recip_exp} = g_head[Heads-1].chosen;

  always_ff @(posedge clk_i) begin
    mant_t1 <= mant_q;
    case (scalar_m1)
      2'd1: begin
        mant_q  <= norm_mant_i;
        shift_q <= exponent_m1 + {1'b0, norm_exp_i};
      end
      2'd2: begin
        mant_q  <= recip_mant;
        shift_q <= exponent_m1 + {1'b0, recip_exp};
      end
      default: begin
        mant_q  <= 16'h8000;
        shift_q <= exponent_m1;
      end
    endcase
  end

  delay_line #(
      .W(7),
      .N(4)
  ) u_shift (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i(shift_q),
      .d_o(shift_t4)
  );

  // ---- t0 .. t7: requantise
  // lanes are gathered in variables (see systolic_row)
  wire [        4:0] bits_t4;
  reg  [Cols*16-1:0] h;
  reg  [Cols*16-1:0] x_sum;
  wire [Cols*ResidualW-1:0] x_old;
  wire               act_t7;
  reg [Cols*ResidualW-1:0] x_new;

  for (genvar c = 0; c < Cols; c = c + 1) begin : g_lane
    wire [15:0] z_lane, h_lane, sum_ext;
    wire [ResidualW-1:0] sum_lane, new_lane;

    requant_lane #(
        .AccW (AccW),
        .BiasW(BiasW)
    ) u_requant (
        .clk_i(clk_i),
        .acc_i(acc_i[c*AccW+:AccW]),
        .shift_i(shift_t0[c*5+:5]),
        .mant_i(mant_t1),
        .exp_i(shift_t4[5:0]),
        .bias_i(bias_t5[c*BiasW+:BiasW]),
        .out_bits_i(bits_t4),
        .z_o(z_lane)
    );

    activation_lane #(
        .Bump(Bump),
        .BumpShift(BumpShift),
        .BumpAddrW(BumpAddrW),
        .BumpW(BumpW),
        .Zero(HiddenZero),
        .HiddenW(HiddenW)
    ) u_activation (
        .clk_i(clk_i),
        .z_i(z_lane),
        .act_i(act_t7),
        .bump_addr_o(bump_addr_o[c*BumpAddrW+:BumpAddrW]),
        .bump_data_i(bump_data_i[c*BumpW+:BumpW]),
        .h_o(h_lane)
    );

    // the residual sum takes the place of the activation
    saturating_add #(
        .W(ResidualW)
    ) u_add (
        .a_i(x_old[c*ResidualW+:ResidualW]),
        .b_i(z_lane[ResidualW-1:0]),
        .sum_o(sum_lane)
    );

    always_comb h[c*16+:16] = h_lane;
    sign_extend #(
        .InW (ResidualW),
        .OutW(16)
    ) u_sum_ext (
        .data_i(sum_lane),
        .data_o(sum_ext)
    );

    assign new_lane = x_data_o[c*16+:ResidualW];
    always_comb x_sum[c*16+:16] = sum_ext;
    always_comb x_new[c*ResidualW+:ResidualW] = new_lane;
  end

  // ---- the tag and the fields of the destination travel along
  wire [TagW-1:0] tag_t6, tag_t7, tag_pre, tag_post;
  wire [DestFieldsW-1:0] fields_t6, fields_t7, fields_pre, fields_post;

  delay_line #(
      .W(TagW),
      .N(10),
      .Reset(1)
  ) u_tag_t6 (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i({tag_valid_m4, tag_final_m4, tag_ctx_m4, tag_step_m4, tag_tile_m4}),
      .d_o(tag_t6)
  );
  delay_line #(
      .W(DestFieldsW),
      .N(10)
  ) u_fields_t6 (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i({
        f_bits_i,
        f_act_i,
        f_dest_i,
        f_lanes_i,
        f_dst_word_i,
        f_dst_group_i,
        f_dst_kv_i,
        f_head_i,
        f_dst_slot_i,
        f_amount_i,
        f_final_i
      }),
      .d_o(fields_t6)
  );
  delay_line #(
      .W(5),
      .N(8)
  ) u_bits_t4 (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i(f_bits_i),
      .d_o(bits_t4)
  );
  delay_line #(
      .W(TagW),
      .N(1),
      .Reset(1)
  ) u_tag_t7 (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i(tag_t6),
      .d_o(tag_t7)
  );
  delay_line #(
      .W(DestFieldsW),
      .N(1)
  ) u_fields_t7 (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i(fields_t6),
      .d_o(fields_t7)
  );
  delay_line #(
      .W(TagW),
      .N(Bump),
      .Reset(1)
  ) u_tag_pre (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i(tag_t7),
      .d_o(tag_pre)
  );
  delay_line #(
      .W(TagW),
      .N(1),
      .Reset(1)
  ) u_tag_post (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i(tag_pre),
      .d_o(tag_post)
  );
  delay_line #(
      .W(DestFieldsW),
      .N(Bump)
  ) u_fields_pre (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i(fields_t7),
      .d_o(fields_pre)
  );
  delay_line #(
      .W(DestFieldsW),
      .N(1)
  ) u_fields_post (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i(fields_pre),
      .d_o(fields_post)
  );

  assign act_t7 = fields_t7[DestFieldsW-6];

  // ---- t7 .. t8: residual sum
  reg  [Cols*16-1:0] x_sum_q;
  wire [Cols*16-1:0] x_sum_post;
  localparam integer XAddrW = (Contexts > 1) ? CtxW + XTileW : XTileW;
  localparam integer XWords = (Contexts > 1) ? Contexts << XTileW : XTiles;
  wire [XTileW-1:0] x_wtile;
  wire [CtxW-1:0] x_wctx;
  wire [XAddrW-1:0] x_waddr, x_raddr;

  if (Contexts > 1) begin : g_x_contexts
    assign x_waddr = {x_wctx, x_wtile};
    assign x_raddr = {tag_t6[StepW+TileW+:CtxW], tag_t6[XTileW-1:0]};
  end else begin : g_x_one_context
    assign x_waddr = x_wtile;
    wire unused_x_ctx = &{1'b0, x_wctx};
    assign x_raddr = tag_t6[XTileW-1:0];
  end

  residual_mem #(
      .Cols (Cols),
      .W    (ResidualW),
      .Tiles(XWords),
      .TileW(XAddrW)
  ) u_residual_mem (
      .clk_i(clk_i),
      .we_i(x_valid_o),
      .wtile_i(x_waddr),
      .wdata_i(x_new),
      .rtile_i(x_raddr),
      .rdata_o(x_old)
  );

  always_ff @(posedge clk_i) x_sum_q <= x_sum;

  delay_line #(
      .W(Cols * 16),
      .N(Bump)
  ) u_x_sum (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i(x_sum_q),
      .d_o(x_sum_post)
  );

  // ---- t8 (+ Bump): destinations
  wire               valid;
  wire               final_tile;
  wire [  StepW-1:0] step;
  wire [  TileW-1:0] tile;
  wire [        4:0] bits;
  wire               act;
  wire [        2:0] dest;
  wire [   Cols-1:0] lanes;
  wire [OpWordW-1:0] word;
  wire [ GroupW-1:0] group;
  wire [KvAddrW-1:0] kv_base;
  wire [  HeadW-1:0] head;
  wire [  SlotW-1:0] slot;
  wire [   LenW-1:0] amount;
  wire               completes;

  assign {valid, final_tile, ctx_o, step, tile} = tag_post;
  assign {bits, act, dest, lanes, word, group, kv_base, head, slot, amount, completes} =
      fields_post;

  // where the tile goes, decided one cycle ahead: these reach every row of the array
  wire valid_pre = tag_pre[TagW-1];
  wire [2:0] dest_pre = fields_pre[DestFieldsW-7-:3];
  wire qkv_pre = dest_pre == DEST_QUERY || dest_pre == DEST_KEY || dest_pre == DEST_VALUE;
  reg is_qkv, is_value, to_query, to_kv, is_residual, to_residual, to_operand, first_tile;
  reg score_valid, logit_valid, result_event, traced;

  always_ff @(posedge clk_i) begin
    is_residual  <= dest_pre == DEST_RESIDUAL;
    is_qkv       <= valid_pre && qkv_pre;
    is_value     <= dest_pre == DEST_VALUE;
    to_query     <= valid_pre && dest_pre == DEST_QUERY;
    to_kv        <= valid_pre && (dest_pre == DEST_KEY || dest_pre == DEST_VALUE);
    to_residual  <= valid_pre && dest_pre == DEST_RESIDUAL;
    to_operand   <= valid_pre && (dest_pre == DEST_OPERAND || dest_pre == DEST_RESIDUAL);
    result_event <= valid_pre && dest_pre == DEST_OPERAND;
    score_valid  <= valid_pre && dest_pre == DEST_SCORE;
    logit_valid  <= valid_pre && dest_pre == DEST_LOGIT;
    traced       <= valid_pre && !qkv_pre && dest_pre != DEST_NONE;
    first_tile   <= tag_pre[TileW-1:0] == {TileW{1'b0}};
    if (rst_i) begin
      {is_qkv, to_query, to_kv, to_residual, to_operand} <= 5'd0;
      {result_event, score_valid, logit_valid, traced} <= 4'd0;
    end
  end

  wire [Cols*16-1:0] result = is_residual ? x_sum_post : h;

  // address of the tile in the operand memory
  wire [OpWordW-1:0] tile_word;
  wire [GroupW-1:0] tile_group;

  tile_address #(
      .WordW(OpWordW),
      .GroupW(GroupW),
      .Groups(Groups)
  ) u_tile_address (
      .clk_i(clk_i),
      .valid_i(valid),
      .first_i(first_tile),
      .base_word_i(word),
      .base_group_i(group),
      .word_o(tile_word),
      .group_o(tile_group)
  );

  // ---- queries, keys and values pass the rotation
  wire qkv_valid, qkv_is_query, qkv_is_kv, qkv_is_value, qkv_final;
  wire [CtxW-1:0] qkv_ctx;
  wire [StepW-1:0] qkv_step;
  wire [TileW-1:0] qkv_tile;
  wire [OpWordW-1:0] qkv_word;
  wire [GroupW-1:0] qkv_group;
  wire [KvAddrW-1:0] qkv_kv_base;
  wire [SlotW-1:0] qkv_slot;
  wire [LenW-1:0] qkv_amount;
  wire qkv_completes;
  wire [Cols*16-1:0] qkv_data;
  localparam integer QkvW = TagW + 3 + OpWordW + GroupW + KvAddrW + SlotW + LenW + 1;

  assign early_ctx_o = tag_pre[StepW+TileW+:CtxW];

  qkv_path #(
      .Cols(Cols),
      .CtxW(CtxW),
      .TileW(TileW),
      .MarksW(QkvW),
      .Rope(Rope),
      .RopePasses(RopePasses),
      .RopeLatency(RopeLatency),
      .RopePeriod(RopePeriod),
      .RopePeriodW(RopePeriodW),
      .RopeAddrW(RopeAddrW),
      .PosW(PosW)
  ) u_qkv_path (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .early_valid_i(tag_pre[TagW-1]),
      .early_ctx_i(early_ctx_o),
      .early_tile_i(tag_pre[TileW-1:0]),
      .pos_i(pos_i),
      .rope_addr_o(rope_addr_o),
      .cos_i(cos_i),
      .sin_i(sin_i),
      .valid_i(is_qkv),
      .bypass_i(is_value),
      .bits_i(bits),
      .data_i(h),
      .marks_i({
        is_qkv,
        to_query,
        to_kv,
        is_value,
        final_tile,
        ctx_o,
        step,
        tile,
        tile_word,
        tile_group,
        kv_base,
        slot,
        amount,
        completes
      }),
      .early_ctx_o(early_kv_ctx_o),
      .marks_o({
        qkv_valid,
        qkv_is_query,
        qkv_is_kv,
        qkv_is_value,
        qkv_final,
        qkv_ctx,
        qkv_step,
        qkv_tile,
        qkv_word,
        qkv_group,
        qkv_kv_base,
        qkv_slot,
        qkv_amount,
        qkv_completes
      }),
      .data_o(qkv_data)
  );

  // ---- ports
  wire x_valid = embed_valid_i || to_residual;
  wire x_last = embed_valid_i ? embed_last_i : final_tile;
  delay_line #(
      .W(1),
      .N(1),
      .Reset(1)
  ) u_x_valid (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i  (x_valid),
      .d_o  (x_valid_o)
  );
  delay_line #(
      .W(2 + CtxW + XTileW + Cols * 16),
      .N(1)
  ) u_x (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i({
        embed_valid_i ? embed_first_i : first_tile,
        x_last,
        ctx_o,
        embed_valid_i ? embed_tile_i : tile[XTileW-1:0],
        embed_valid_i ? embed_data_i : x_sum_post
      }),
      .d_o({x_first_o, x_last_o, x_wctx, x_wtile, x_data_o})
  );

  // the residual slot begins at word 0
  wire [OpWordW-1:0] embed_word;
  wire [GroupW-1:0] embed_group;

  tile_address #(
      .WordW(OpWordW),
      .GroupW(GroupW),
      .Groups(Groups)
  ) u_embed_address (
      .clk_i(clk_i),
      .valid_i(embed_valid_i),
      .first_i(embed_first_i),
      .base_word_i({OpWordW{1'b0}}),
      .base_group_i({GroupW{1'b0}}),
      .word_o(embed_word),
      .group_o(embed_group)
  );

  wire [Cols*ActW-1:0] op_embed, op_result, op_query;
  for (genvar c = 0; c < Cols; c = c + 1) begin : g_op
    assign op_embed[c*ActW+:ActW]  = embed_data_i[c*16+:ActW];
    assign op_result[c*ActW+:ActW] = result[c*16+:ActW];
    assign op_query[c*ActW+:ActW]  = qkv_data[c*16+:ActW];
  end

  operand_port #(
      .Lanes(Cols),
      .W(ActW),
      .CtxW(CtxW),
      .WordW(OpWordW),
      .GroupW(GroupW)
  ) u_operand_port (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .embed_valid_i(embed_valid_i),
      .embed_ctx_i(ctx_o),
      .embed_word_i(embed_word),
      .embed_group_i(embed_group),
      .embed_data_i(op_embed),
      .tile_valid_i(to_operand),
      .tile_ctx_i(ctx_o),
      .tile_word_i(tile_word),
      .tile_group_i(tile_group),
      .tile_lanes_i(lanes),
      .tile_data_i(op_result),
      .query_valid_i(qkv_is_query),
      .query_ctx_i(qkv_ctx),
      .query_word_i(qkv_word),
      .query_group_i(qkv_group),
      .query_data_i(op_query),
      .we_o(op_we_o),
      .ctx_o(op_ctx_o),
      .word_o(op_word_o),
      .group_o(op_group_o),
      .lanes_o(op_lanes_o),
      .data_o(op_data_o)
  );

  assign kv_valid_o = qkv_is_kv;
  assign kv_is_v_o = qkv_is_value;
  assign kv_first_o = qkv_tile == {TileW{1'b0}};
  assign kv_last_o = qkv_final;
  assign kv_ctx_o = qkv_ctx;
  assign kv_base_o = qkv_kv_base;
  for (genvar c = 0; c < Cols; c = c + 1) begin : g_kv
    assign kv_data_o[c*KvW+:KvW] = qkv_data[c*16+:KvW];
  end

  assign score_valid_o = score_valid;
  assign score_head_o = head;
  assign logit_valid_o = logit_valid;
  assign tile_o = tile;
  assign final_o = final_tile;
  assign data_o = h;

  // ---- scoreboard
  wire x_event_valid, x_event_final;
  wire [CtxW-1:0] x_event_ctx;

  delay_line #(
      .W(2 + CtxW),
      .N(NormWait),
      .Reset(1)
  ) u_x_event (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i({x_valid, x_last, ctx_o}),
      .d_o({x_event_valid, x_event_final, x_event_ctx})
  );

  assign event_valid_o = {x_event_valid, qkv_is_query, result_event};
  assign event_slot_o = {SLOT_X, qkv_slot, slot};
  assign event_amount_o = {COLS, qkv_amount, amount};
  assign event_final_o = {x_event_final, qkv_final && qkv_completes, final_tile && completes};

  assign event_ctx_o = {x_event_ctx, qkv_ctx, ctx_o};

  // ---- trace
  assign trace_valid_o = traced;
  assign trace_step_o = step;
  assign trace_tile_o = tile;
  assign trace_data_o = result;
  assign trace_qkv_valid_o = qkv_valid;
  assign trace_qkv_step_o = qkv_step;
  assign trace_qkv_tile_o = qkv_tile;
  assign trace_qkv_data_o = qkv_data;

  // every field is used in some configuration
  wire unused = &{
    1'b0, bits, act, dest, head, shift_t4[6], step, lanes, embed_data_i, result, qkv_data
  };
endmodule

`default_nettype wire
