// controller: a token that is sampled leaves exactly once, in order and with the closing beat behind
// it; a prompt token is started exactly once, at its position; every request ends with one closing
// beat and its status; answers come behind the prompt's last token; no beat changes while it waits.
module prove_controller #(
    parameter int Vocab = 5,
    parameter int Context = 2,
    parameter int Overlap = 0
) (
    input logic        clk_i,
    input logic        rst_i,
    input logic        s_axis_tvalid_i,
    input logic [15:0] s_axis_tdata_i,
    input logic        s_axis_tlast_i,
    input logic        m_axis_tready_i,
    input logic [15:0] max_tokens_i,
    input logic [15:0] stop_token_i,
    input logic        stop_enable_i,
    input logic [15:0] temperature_i,
    input logic [31:0] seed_i,
    input logic        start_ready_i,
    input logic        quiet_i,
    input logic        done_i,
    input logic        next_valid_i,
    input logic [ 2:0] next_token_i
);
  localparam int TokenW = 3, PosW = 2, Rows = 1, Cols = 1, CountW = 2, TileW = 2, RowW = 1, ColW = 1;
  logic s_axis_tready_o, m_axis_tvalid_o, m_axis_tlast_o, m_axis_tuser_o, busy_o, host_o, start_o, sampled_o;
  logic [15:0] m_axis_tdata_o, temperature_o;
  logic [TokenW-1:0] token_o;
  logic [PosW-1:0] pos_o;
  logic [CountW-1:0] pos_waves_o;
  logic [RowW-1:0] pos_row_o;
  logic [TileW-1:0] pos_tiles_o;
  logic [ColW-1:0] pos_col_o;
  logic seed_load_o;
  logic [31:0] seed_o;
  controller #(
      .TokenW(TokenW), .PosW(PosW), .Vocab(Vocab), .Context(Context), .Rows(Rows), .Cols(Cols),
      .CountW(CountW), .TileW(TileW), .RowW(RowW), .ColW(ColW),
      .Overlap(Overlap)
  ) u_dut (.*);

`ifdef INDUCTION
  (* hierconn *) wire [2:0] \u_dut.state_q ;
  (* hierconn *) wire [4:0] \u_dut.status_q ;
  (* hierconn *) wire \u_dut.full_q , \u_dut.held_q , \u_dut.stop_enable_q , \u_dut.sampled_q ;
  (* hierconn *) wire [TokenW-1:0] \u_dut.token_q , \u_dut.held_token_q ;
  (* hierconn *) wire [PosW-1:0] \u_dut.pos_q ;
  (* hierconn *) wire [15:0] \u_dut.left_q , \u_dut.stop_token_q ;
  wire [2:0] state = \u_dut.state_q ;
  wire held = \u_dut.held_q ;
  wire [2:0] at = {1'b0, \u_dut.pos_q };
  wire closes = m_axis_tvalid_o && m_axis_tuser_o;
`endif
  wire take = s_axis_tvalid_i && s_axis_tready_o;
  wire beat = m_axis_tvalid_o && m_axis_tready_i;
  wire started = start_o && start_ready_i;

  // what is known from outside
  logic clean = 1'b0;  // reset has been seen
  logic engine = 1'b0;  // a token is in the engine
  logic engine_sampled = 1'b0;
  logic reading = 1'b1;  // the prompt's tlast has not come
  logic dropping = 1'b0;  // the rest of a prompt with an error
  logic [2:0] used = 3'd0;  // positions of this request
  logic owed = 1'b0;  // a start
  logic [TokenW-1:0] owed_token = '0;
  logic owed_sampled = 1'b0;
  logic closing = 1'b0;  // a closing beat
  logic [4:0] status = 5'd0;
  logic [15:0] left = 16'd0;
  logic [15:0] stop_token = 16'd0;
  logic stop_enable = 1'b0;
  // at most two sampled tokens wait, and at most one closing beat behind them
  logic [1:0] waiting = 2'd0;
  logic [TokenW-1:0] oldest = '0, newest = '0;
  wire full = used == Context;
  wire push = next_valid_i;
  wire pop = beat && !m_axis_tuser_o;
  logic [4:0] end_status;
  assign end_status = {2'b00, full, left == 16'd1,
                       stop_enable && {13'd0, next_token_i} == stop_token};

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      clean <= 1'b1;
      engine <= 1'b0;
      reading <= 1'b1;
      dropping <= 1'b0;
      used <= 3'd0;
      owed <= 1'b0;
      closing <= 1'b0;
      waiting <= 2'd0;
    end else begin
      if (seed_load_o) begin
        left <= max_tokens_i;
        stop_token <= stop_token_i;
        stop_enable <= stop_enable_i;
      end
      if (take) begin
        reading <= !s_axis_tlast_i;
        if (dropping || s_axis_tdata_i >= Vocab || full) begin
          dropping <= !s_axis_tlast_i;
          if (!dropping) status <= {full, s_axis_tdata_i >= Vocab, 3'b000};
          closing <= s_axis_tlast_i;
        end else begin
          owed <= 1'b1;
          owed_token <= s_axis_tdata_i[TokenW-1:0];
          owed_sampled <= s_axis_tlast_i;
        end
      end
      if (started) begin
        owed <= 1'b0;
        engine <= Overlap == 0 || owed_sampled;  // with overlap a context takes a prompt's token over
        engine_sampled <= owed_sampled;
        used <= used + 3'd1;
      end
      if (engine && !engine_sampled && done_i) engine <= 1'b0;
      if (next_valid_i) begin
        engine <= 1'b0;
        left <= left - 16'd1;
        status <= end_status;
        if (end_status != 5'd0) closing <= 1'b1;
        else begin
          owed <= 1'b1;
          owed_token <= next_token_i;
          owed_sampled <= 1'b1;
        end
      end
      waiting <= waiting + {1'b0, push} - {1'b0, pop};
      if (push && (waiting == 2'd0 || (waiting == 2'd1 && pop))) oldest <= next_token_i;
      else if (pop) oldest <= newest;
      if (push) newest <= next_token_i;
      if (beat && m_axis_tuser_o) begin
        closing <= 1'b0;
        reading <= 1'b1;
        used <= 3'd0;
      end
    end
  end

  // the beat before
  logic stalled_q = 1'b0;
  logic [17:0] beat_q = '0;
  always_ff @(posedge clk_i) begin
    stalled_q <= m_axis_tvalid_o && !m_axis_tready_i && !rst_i;
    beat_q <= {m_axis_tdata_o, m_axis_tlast_o, m_axis_tuser_o};
  end

  always_comb begin
    if (!clean) assume (rst_i);
    // the engine answers once for each token that is sampled, and not at once
    assume (!next_valid_i || (engine && engine_sampled));
    assume (next_token_i < Vocab);
    // a request follows when the answer to the last one has been taken
    if (closing) assume (!s_axis_tvalid_i);
    if (clean && !rst_i) begin
      if (stalled_q) begin
        assert (m_axis_tvalid_o);
        assert (beat_q == {m_axis_tdata_o, m_axis_tlast_o, m_axis_tuser_o});
      end
      if (m_axis_tvalid_o) assert (!reading);
      if (m_axis_tvalid_o && !m_axis_tuser_o) begin
        assert (waiting != 2'd0);
        assert (m_axis_tdata_o == {13'd0, oldest});
        assert (!m_axis_tlast_o);
      end
      if (m_axis_tvalid_o && m_axis_tuser_o) begin
        assert (closing && waiting == 2'd0);
        assert (m_axis_tdata_o == {11'd0, status});
        assert (m_axis_tlast_o);
      end
      if (start_o) begin
        assert (owed && !engine && used < Context);
        assert (token_o == owed_token && sampled_o == owed_sampled && pos_o == used);
        assert (pos_waves_o == used / Rows && pos_row_o == used % Rows);
        assert (pos_tiles_o == used / Cols && pos_col_o == used % Cols);
      end
      if (s_axis_tready_o) assert (reading && !owed && !engine);
      if (waiting != 2'd0 || owed || engine || closing) assert (busy_o);
      assert (waiting <= 2'd2);
    end
`ifdef INDUCTION
    if (clean) begin
      assert (state <= 3'd5 && (!closes || state == 3'd0));
      // beats that wait
      assert (waiting == {1'b0, m_axis_tvalid_o && !m_axis_tuser_o} + {1'b0, held});
      if (waiting == 2'd1) assert (oldest == newest);
      if (m_axis_tvalid_o && !m_axis_tuser_o) assert (m_axis_tdata_o == {13'd0, oldest} && oldest < Vocab);
      if (held) assert (state == 3'd3 && m_axis_tvalid_o && newest == \u_dut.held_token_q && newest < Vocab);
      if (closes) assert (closing && m_axis_tdata_o == {11'd0, status});
      if (m_axis_tvalid_o) assert (m_axis_tlast_o == m_axis_tuser_o && !reading);
      // the state and what is known from outside
      assert (dropping == (state == 3'd4));
      assert (owed == (state == 3'd2 || (held && !closing)));
      assert (engine == (state == 3'd3 && !held));
      assert (closing == (closes || state == 3'd5 || (held && !owed)));
      assert (used <= Context);
      if (state == 3'd0) assert (closing || (reading && used == 3'd0));
      if (state == 3'd1) assert (reading && full == \u_dut.full_q && at == (full ? used - 3'd1 : used));
      if (state == 3'd2) assert (used == at && used < Context && reading == !owed_sampled);
      if (state == 3'd2) assert (token_o == owed_token && sampled_o == owed_sampled);
      if (state == 3'd3) assert (used == at + 3'd1 && reading == ! \u_dut.sampled_q );
      if (state == 3'd3 && !held) assert (engine_sampled == \u_dut.sampled_q );
      if (state == 3'd4) assert (reading && \u_dut.status_q == status);
      if (state == 3'd5) assert (!reading && \u_dut.status_q == status);
      if (state != 3'd0) begin
        assert (at < Context && pos_waves_o == at[1:0] && pos_tiles_o == at[1:0]);
        assert (!pos_row_o && !pos_col_o);
        assert ( \u_dut.stop_token_q == stop_token && \u_dut.stop_enable_q == stop_enable);
        assert ( \u_dut.left_q == (held ? left + 16'd1 : left));
      end
      if (held) begin
        assert ( \u_dut.sampled_q && status == {2'b00, full, left == 16'd0,
                stop_enable && {13'd0, newest} == stop_token});
        assert (closing == (status != 5'd0));
        if (owed) assert (owed_token == newest && owed_sampled);
      end
    end
`endif
    cover (clean && beat && m_axis_tuser_o && status == 5'b00001);
    cover (clean && beat && m_axis_tuser_o && status == 5'b00100);
    cover (clean && beat && m_axis_tuser_o && status == 5'b10000);
    cover (clean && waiting == 2'd2);
  end
endmodule
