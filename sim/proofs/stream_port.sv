// stream_port: a token of the answer that is taken shows unchanged when exactly the tokens before it
// have left; the end shows behind the last one, with its status; tag and settings are those of the
// start; tokens are counted, and cycles up to the closing beat.
module prove_stream_port (
    input logic        clk_i,
    input logic        rst_i,
    input logic        clear_i,
    input logic        we_i,
    input logic        addr_i,
    input logic [15:0] data_i,
    input logic        start_i,
    input logic [ 1:0] count_i,
    input logic [ 7:0] tag_i,
    input logic [87:0] settings_i,
    input logic        m_axis_tready_i,
    input logic        s_axis_tvalid_i,
    input logic [15:0] s_axis_tdata_i,
    input logic        s_axis_tuser_i,
    input logic        take_i,
    input logic        done_i,
    input logic        watch_i
);
  logic busy_o, m_axis_tvalid_o, m_axis_tlast_o, stop_enable_o, s_axis_tready_o, closed_o;
  logic [7:0] tag_o, status_o;
  logic [15:0] m_axis_tdata_o, max_tokens_o, temperature_o, stop_token_o, token_o, index_o;
  logic [31:0] seed_o, cycles_o;
  logic [2:0] fill_o;
  stream_port #(.LogPrompt(1), .LogAnswer(2)) u_dut (.*);
  (* hierconn *) wire [2:0] \u_dut.u_answer.read_q ;
  (* hierconn *) wire [15:0] \u_dut.u_answer.words_q[0] , \u_dut.u_answer.words_q[1] ;
  (* hierconn *) wire [15:0] \u_dut.u_answer.words_q[2] , \u_dut.u_answer.words_q[3] ;
  (* hierconn *) wire [87:0] \u_dut.settings_q ;
  (* hierconn *) wire \u_dut.closed_q ;
  wire [63:0] words = {
      \u_dut.u_answer.words_q[3] , \u_dut.u_answer.words_q[2] ,
      \u_dut.u_answer.words_q[1] , \u_dut.u_answer.words_q[0] };

  wire stop = rst_i || clear_i;
  wire put = s_axis_tvalid_i && s_axis_tready_o && !s_axis_tuser_i;
  wire close = s_axis_tvalid_i && s_axis_tready_o && s_axis_tuser_i;
  logic clean = 1'b0, busy = 1'b0, closed = 1'b0, started = 1'b0;
  logic [2:0] fill = '0;
  logic [15:0] taken = '0;
  logic [31:0] cycles = '0;
  logic [7:0] tag = '0, status = '0;
  logic [87:0] settings = '0;
  // one token, chosen by watch_i at any time, and how many must leave before it
  logic watched = 1'b0;
  logic [15:0] word = '0;
  logic [2:0] before = '0;
  logic [1:0] place;
  assign place = \u_dut.u_answer.read_q + before;
  always_ff @(posedge clk_i) begin
    clean <= clean || rst_i;
    started <= clean && (started || start_i);
    fill <= stop ? '0 : fill + put - take_i;
    if (stop) {busy, closed} <= '0;
    else if (start_i) {busy, closed} <= 2'b10;
    else if (done_i) {busy, closed} <= '0;
    else if (close) closed <= 1'b1;
    if (close) status <= s_axis_tdata_i[7:0];
    if (start_i) begin
      {tag, settings} <= {tag_i, settings_i};
      {taken, cycles} <= '0;
    end else begin
      taken <= taken + take_i;
      cycles <= cycles + (!closed);
    end
    if (stop) watched <= 1'b0;
    else if (!watched) begin
      watched <= watch_i && put;
      word <= s_axis_tdata_i;
      before <= fill - take_i;
    end else if (take_i) begin
      watched <= before != '0;
      before <= before - 1'b1;
    end
  end
  always_comb begin
    if (!clean) assume (rst_i);
    if (clean) begin
      // what commands, reporter and core promise
      if (start_i) assume (!busy);
      if (take_i) assume (fill != '0);
      if (done_i) assume (closed_o);
      if (s_axis_tvalid_i) assume (busy && !closed);
      assert (busy_o == busy && (busy || fill == '0));
      assert (s_axis_tready_o == (s_axis_tuser_i || fill != 3'd4));
      assert (fill_o == fill && fill <= 3'd4);
      assert (closed_o == (closed && fill == '0));
      if (closed) assert (busy && status_o == status);
      if (started) begin
        assert (tag_o == tag && index_o == taken && cycles_o == cycles);
        assert ({stop_enable_o, stop_token_o, seed_o, temperature_o, max_tokens_o} == settings[80:0]);
`ifdef INDUCTION
        assert ( \u_dut.settings_q == settings);
`endif
      end
      if (watched) begin
        if (before == '0) assert (token_o == word);
`ifdef INDUCTION
        assert (before < fill && words[place*16+:16] == word);
`endif
      end
`ifdef INDUCTION
      assert ( \u_dut.closed_q == closed);
`endif
    end
    cover (clean && closed_o && taken == 16'd5);
  end
endmodule
