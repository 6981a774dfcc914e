// streams: each token that a controller wants to start begins in one context, which is free, and keeps
// its stream; a sampled token goes to the controller that started it and to no other; a controller
// waits for at most N - 1 starts of others; the predecessor of a token is the one before it in its
// stream if that one is still in a context; quiet is a stream that has none. Controllers do anything.
module prove_streams #(
    parameter int Streams = 3,
    parameter int CtxW = 2
) (
    input logic                  clk_i,
    input logic                  rst_i,
    input logic [   Streams-1:0] s_axis_tvalid_i,
    input logic [Streams*16-1:0] s_axis_tdata_i,
    input logic [   Streams-1:0] s_axis_tlast_i,
    input logic [   Streams-1:0] m_axis_tready_i,
    input logic [Streams*16-1:0] max_tokens_i,
    input logic [Streams*16-1:0] stop_token_i,
    input logic [   Streams-1:0] stop_enable_i,
    input logic [Streams*16-1:0] temperature_i,
    input logic [Streams*32-1:0] seed_i,
    input logic [   Streams-1:0] done_i,
    input logic                  token_valid_i,
    input logic [      CtxW-1:0] token_ctx_i,
    input logic [      CtxW-1:0] token_stream_i,
    input logic [           2:0] token_i
);
  logic [Streams-1:0] s_axis_tready_o, m_axis_tvalid_o, m_axis_tlast_o, m_axis_tuser_o, busy_o, seed_load_o;
  logic [Streams*16-1:0] m_axis_tdata_o, temperature_o;
  logic host_o, start_o, start_sampled_o, start_pred_valid_o;
  logic [CtxW-1:0] start_ctx_o, start_stream_o, start_pred_o;
  logic [2:0] start_token_o;
  logic [1:0] start_pos_o, start_pos_waves_o, start_pos_row_o, start_pos_tiles_o, start_pos_col_o;
  logic [Streams*CtxW-1:0] ctx_stream_o;
  streams #(
      .Streams(Streams), .CtxW(CtxW), .TokenW(3), .PosW(2), .Vocab(5), .Context(4), .Rows(1),
      .Cols(1), .CountW(2), .TileW(2), .RowW(2), .ColW(2)
  ) u_dut (.*);
  (* hierconn *) wire [Streams-1:0] \u_dut.request , \u_dut.grant , \u_dut.quiet ;
  (* hierconn *) wire [Streams*14-1:0] \u_dut.jobs ;
  (* hierconn *) wire [CtxW-1:0] \u_dut.last_q ;
  (* hierconn *) wire [Streams-1:0] \u_dut.active_q ;
  (* hierconn *) wire [Streams*CtxW-1:0] \u_dut.latest_q , \u_dut.stream_q ;
  (* hierconn *) wire \u_dut.g_stream[0].u_controller.next_valid_i ;
  (* hierconn *) wire \u_dut.g_stream[1].u_controller.next_valid_i ;
  (* hierconn *) wire \u_dut.g_stream[2].u_controller.next_valid_i ;
  wire [2:0] next_valid = { \u_dut.g_stream[2].u_controller.next_valid_i ,
      \u_dut.g_stream[1].u_controller.next_valid_i , \u_dut.g_stream[0].u_controller.next_valid_i };

  (* anyconst *) logic [CtxW-1:0] context_;  // watched, and a stream
  (* anyconst *) logic [CtxW-1:0] stream;
  logic clean = 1'b0;
  // the context: whether it has a token, and of which stream
  logic active = 1'b0;
  logic [CtxW-1:0] owner = '0;
  // the stream: where its latest token began, and whether that is still there
  logic still = 1'b0;
  logic [CtxW-1:0] latest = '0;
  logic [CtxW:0] others = '0;  // starts of others while the stream waited
  wire begins = start_o && start_ctx_o == context_;
  wire mine = start_o && start_stream_o == stream;
  wire [Streams-1:0] freed = done_i | (token_valid_i ? 1 << token_ctx_i : '0);
  // streams that come before `stream` at most
  logic [CtxW:0] before;
  assign before = stream > \u_dut.last_q ? stream - \u_dut.last_q - 1 : stream + Streams - \u_dut.last_q - 1;
  always_ff @(posedge clk_i) begin
    clean <= clean || rst_i;
    if (rst_i) {active, still, others, latest} <= '0;
    else begin
      if (begins) {active, owner} <= {1'b1, start_stream_o};
      else if (freed[context_]) active <= 1'b0;
      if (mine) {still, latest} <= {1'b1, start_ctx_o};
      else if (freed[latest]) still <= 1'b0;
      if (! \u_dut.request [stream] || mine) others <= '0;
      else if (start_o) others <= others + 1'b1;
    end
  end
  always_comb begin
    if (!clean) assume (rst_i);
    assume (context_ < Streams && stream < Streams && token_ctx_i < Streams);
    if (clean) begin
      // the engine ends tokens that there are, each once, and knows their streams
      assume (!token_valid_i || token_stream_i == \u_dut.stream_q [token_ctx_i*CtxW+:CtxW]);
      assume ((freed & ~ \u_dut.active_q ) == '0 && !(token_valid_i && done_i[token_ctx_i]));
      assert ( \u_dut.active_q [context_] == active);
      if (start_o) begin
        assert (start_stream_o < Streams && start_ctx_o < Streams);
        assert ( \u_dut.request [start_stream_o]);
        assert ( \u_dut.grant == 1 << start_stream_o);
        assert ({start_sampled_o, start_token_o, start_pos_o, start_pos_waves_o, start_pos_row_o,
                 start_pos_tiles_o, start_pos_col_o} == \u_dut.jobs [start_stream_o*14+:14]);
      end else assert ( \u_dut.grant == '0 && ( \u_dut.request == '0 || & \u_dut.active_q ));
      if (begins) assert (!active);
      if (active) assert (ctx_stream_o[context_*CtxW+:CtxW] == owner && owner < Streams);
      if (active && token_valid_i && token_ctx_i == context_) assert (next_valid == 3'd1 << owner);
      if (!token_valid_i) assert (next_valid == 3'd0);
      if (active && owner == stream) assert (! \u_dut.quiet [stream]);
      if (still) assert (! \u_dut.quiet [stream]);
      if (mine) begin
        assert (start_pred_valid_o == still);
        if (still) assert (start_pred_o == latest);
      end
      assert (others + before <= Streams - 1);
`ifdef INDUCTION
      assert ( \u_dut.last_q < Streams && latest < Streams);
      assert ( \u_dut.latest_q [stream*CtxW+:CtxW] == latest || !still);
      assert ( \u_dut.latest_q [stream*CtxW+:CtxW] < Streams);
      if (still) assert ( \u_dut.active_q [latest] && ctx_stream_o[latest*CtxW+:CtxW] == stream);
      else assert (! \u_dut.active_q [ \u_dut.latest_q [stream*CtxW+:CtxW]] ||
          ctx_stream_o[ \u_dut.latest_q [stream*CtxW+:CtxW]*CtxW+:CtxW] != stream);
`endif
    end
    cover (clean && mine && still && stream == Streams - 1 && others == Streams - 1);
  end
endmodule
