// The controllers of all streams, and which token begins in which context.
//
// Purpose   Each stream has a controller. A controller that has a token to start is served when a
//           context is free: streams in turn by number, the lowest free context. A sampled token frees
//           its context when the next token is known, another one when done_i says so. With a prompt
//           tokens of one stream are in several contexts at a time.
// Params    Streams: streams and contexts; CtxW: width of their numbers; the others as in controller.
// Latency   a context that is freed in t is taken in t + 1 at the earliest.
// It does not order keys and values: start_pred_o tells the scheduler which context has the token
// before this one, if it is still there.
`default_nettype none

module streams #(
    parameter integer Streams = 2,
    parameter integer CtxW    = 1,
    parameter integer TokenW  = 6,
    parameter integer PosW    = 7,
    parameter integer Vocab   = 60,
    parameter integer Context = 128,
    parameter integer Rows    = 8,
    parameter integer Cols    = 16,
    parameter integer CountW  = 6,
    parameter integer TileW   = 5,
    parameter integer RowW    = 3,
    parameter integer ColW    = 4
) (
    input  wire                    clk_i,
    input  wire                    rst_i,
    // the streams, packed, stream 0 lowest
    input  wire [     Streams-1:0] s_axis_tvalid_i,
    output wire [     Streams-1:0] s_axis_tready_o,
    input  wire [  Streams*16-1:0] s_axis_tdata_i,
    input  wire [     Streams-1:0] s_axis_tlast_i,
    output wire [     Streams-1:0] m_axis_tvalid_o,
    input  wire [     Streams-1:0] m_axis_tready_i,
    output wire [  Streams*16-1:0] m_axis_tdata_o,
    output wire [     Streams-1:0] m_axis_tlast_o,
    output wire [     Streams-1:0] m_axis_tuser_o,
    input  wire [  Streams*16-1:0] max_tokens_i,
    input  wire [  Streams*16-1:0] stop_token_i,
    input  wire [     Streams-1:0] stop_enable_i,
    input  wire [  Streams*16-1:0] temperature_i,
    input  wire [  Streams*32-1:0] seed_i,
    output wire [     Streams-1:0] busy_o,
    output wire                    host_o,              // a stream waits for its host
    // a token begins
    output wire                    start_o,
    output wire [        CtxW-1:0] start_ctx_o,
    output wire [        CtxW-1:0] start_stream_o,
    output wire                    start_sampled_o,
    output wire [      TokenW-1:0] start_token_o,
    output wire [        PosW-1:0] start_pos_o,
    output wire [      CountW-1:0] start_pos_waves_o,
    output wire [        RowW-1:0] start_pos_row_o,
    output wire [       TileW-1:0] start_pos_tiles_o,
    output wire [        ColW-1:0] start_pos_col_o,
    output wire                    start_pred_valid_o,
    output wire [        CtxW-1:0] start_pred_o,
    // to the noise
    output wire [     Streams-1:0] seed_load_o,
    output wire [  Streams*16-1:0] temperature_o,
    output wire [Streams*CtxW-1:0] ctx_stream_o,        // stream of every context
    // from the engine
    input  wire [     Streams-1:0] done_i,              // of contexts: an unsampled token ended
    input  wire                    token_valid_i,       // the sampled token of a context
    input  wire [        CtxW-1:0] token_ctx_i,
    input  wire [        CtxW-1:0] token_stream_i,      // and that context's stream
    input  wire [      TokenW-1:0] token_i
);
  localparam integer JobW = 1 + TokenW + PosW + CountW + RowW + TileW + ColW;

  wire [Streams-1:0] request, grant, quiet, host;
  wire [Streams*JobW-1:0] jobs;

  // the contexts
  reg [Streams-1:0] active_q;
  reg [Streams*CtxW-1:0] stream_q;  // of each context
  reg [Streams*CtxW-1:0] latest_q;  // of each stream: the context of its latest token

  for (genvar s = 0; s < Streams; s = s + 1) begin : g_stream
    localparam logic [CtxW-1:0] STREAM = s[CtxW-1:0];
    wire [Streams-1:0] mine;  // contexts with tokens of this stream
    wire controller_busy;
    wire [31:0] unused_seed;
    wire unused_bits = &{1'b0, unused_seed};

    for (genvar c = 0; c < Streams; c = c + 1) begin : g_context
      assign mine[c] = active_q[c] && stream_q[c*CtxW+:CtxW] == STREAM;
    end
    assign quiet[s] = mine == {Streams{1'b0}};
    assign busy_o[s] = controller_busy || !quiet[s];

    controller #(
        .TokenW(TokenW),
        .PosW(PosW),
        .Vocab(Vocab),
        .Context(Context),
        .Rows(Rows),
        .Cols(Cols),
        .CountW(CountW),
        .TileW(TileW),
        .RowW(RowW),
        .ColW(ColW),
        .Overlap(1)
    ) u_controller (
        .clk_i(clk_i),
        .rst_i(rst_i),
        .s_axis_tvalid_i(s_axis_tvalid_i[s]),
        .s_axis_tready_o(s_axis_tready_o[s]),
        .s_axis_tdata_i(s_axis_tdata_i[s*16+:16]),
        .s_axis_tlast_i(s_axis_tlast_i[s]),
        .m_axis_tvalid_o(m_axis_tvalid_o[s]),
        .m_axis_tready_i(m_axis_tready_i[s]),
        .m_axis_tdata_o(m_axis_tdata_o[s*16+:16]),
        .m_axis_tlast_o(m_axis_tlast_o[s]),
        .m_axis_tuser_o(m_axis_tuser_o[s]),
        .max_tokens_i(max_tokens_i[s*16+:16]),
        .stop_token_i(stop_token_i[s*16+:16]),
        .stop_enable_i(stop_enable_i[s]),
        .temperature_i(temperature_i[s*16+:16]),
        .seed_i(seed_i[s*32+:32]),
        .busy_o(controller_busy),
        .host_o(host[s]),
        .start_o(request[s]),
        .start_ready_i(grant[s]),
        .quiet_i(quiet[s]),
        .sampled_o(jobs[s*JobW+JobW-1]),
        .token_o(jobs[s*JobW+PosW+CountW+RowW+TileW+ColW+:TokenW]),
        .pos_o(jobs[s*JobW+CountW+RowW+TileW+ColW+:PosW]),
        .pos_waves_o(jobs[s*JobW+RowW+TileW+ColW+:CountW]),
        .pos_row_o(jobs[s*JobW+TileW+ColW+:RowW]),
        .pos_tiles_o(jobs[s*JobW+ColW+:TileW]),
        .pos_col_o(jobs[s*JobW+:ColW]),
        .seed_load_o(seed_load_o[s]),
        .seed_o(unused_seed),
        .temperature_o(temperature_o[s*16+:16]),
        .done_i(1'b0),
        .next_valid_i(token_valid_i && token_stream_i == STREAM),
        .next_token_i(token_i)
    );
  end

  // streams in turn, the lowest free context
  reg [CtxW-1:0] last_q;
  wire [CtxW-1:0] stream, context_free;
  wire any_request, any_free;

  next_in_turn #(
      .N(Streams),
      .W(CtxW)
  ) u_turn (
      .bits_i (request),
      .last_i (last_q),
      .any_o  (any_request),
      .index_o(stream)
  );
  lowest_set #(
      .N(Streams),
      .W(CtxW)
  ) u_free (
      .bits_i (~active_q),
      .any_o  (any_free),
      .index_o(context_free)
  );

  wire start = any_request && any_free;
  wire [CtxW-1:0] pred, pred_stream;
  wire [JobW-1:0] job;

  select_word #(
      .N(Streams),
      .W(CtxW),
      .IndexW(CtxW)
  ) u_pred (
      .words_i(latest_q),
      .index_i(stream),
      .word_o(pred)
  );
  select_word #(
      .N(Streams),
      .W(CtxW),
      .IndexW(CtxW)
  ) u_pred_stream (
      .words_i(stream_q),
      .index_i(pred),
      .word_o(pred_stream)
  );
  select_word #(
      .N(Streams),
      .W(JobW),
      .IndexW(CtxW)
  ) u_job (
      .words_i(jobs),
      .index_i(stream),
      .word_o(job)
  );

  for (genvar s = 0; s < Streams; s = s + 1) begin : g_turn
    localparam logic [CtxW-1:0] NUMBER = s[CtxW-1:0];
    assign grant[s] = start && stream == NUMBER;

    always_ff @(posedge clk_i) begin
      if (rst_i) begin
        active_q[s] <= 1'b0;
        stream_q[s*CtxW+:CtxW] <= {CtxW{1'b0}};
        latest_q[s*CtxW+:CtxW] <= {CtxW{1'b0}};
      end else begin
        if (start && context_free == NUMBER) begin
          active_q[s] <= 1'b1;
          stream_q[s*CtxW+:CtxW] <= stream;
        end else if (done_i[s] || (token_valid_i && token_ctx_i == NUMBER)) begin
          active_q[s] <= 1'b0;
        end
        if (grant[s]) latest_q[s*CtxW+:CtxW] <= context_free;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) last_q <= {CtxW{1'b0}};
    else if (start) last_q <= stream;
  end

  assign host_o = host != {Streams{1'b0}};
  assign start_o = start;
  assign start_ctx_o = context_free;
  assign start_stream_o = stream;
  assign {start_sampled_o, start_token_o, start_pos_o, start_pos_waves_o, start_pos_row_o,
      start_pos_tiles_o, start_pos_col_o} = job;
  assign start_pred_valid_o = active_q[pred] && pred_stream == stream;
  assign start_pred_o = pred;
  assign ctx_stream_o = stream_q;

endmodule

`default_nettype wire
