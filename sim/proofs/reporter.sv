// reporter: each message is of something that waits, begins with its kind, tag and stream and has the
// length that it says; it stays until it was sent, and a byte until the next one is asked for. Tokens
// leave in order, each once, as the bytes of a message of their stream; a stream is done once, behind
// its last token; each reply is sent once, each problem once and in order.
module prove_reporter (
    input logic        clk_i,
    input logic        rst_i,
    input logic        good_i,
    input logic        reply_i,
    input logic [ 7:0] reply_kind_i,
    input logic [ 7:0] reply_tag_i,
    input logic [ 7:0] reply_stream_i,
    input logic        problem_i,
    input logic [ 3:0] problem_code_i,
    input logic [ 7:0] problem_tag_i,
    input logic [ 7:0] problem_stream_i,
    input logic [ 1:0] busy_i,
    input logic [15:0] tags_i,
    input logic [ 3:0] fill_i,
    input logic [31:0] token_i,
    input logic [31:0] index_i,
    input logic [ 1:0] closed_i,
    input logic [15:0] status_i,
    input logic [63:0] cycles_i,
    input logic [31:0] counters_i,
    input logic        next_i,
    input logic        sent_i
);
  localparam logic [7:0] TOKENS = 8'h90, DONE = 8'h91, ERROR = 8'hE0;
  logic reply_busy_o, reset_o, clear_o, valid_o;
  logic [1:0] take_o, done_o;
  logic [15:0] length_o;
  logic [7:0] data_o;
  reporter #(.Streams(2), .LogAnswer(1), .Counters(1)) u_dut (.*);
  (* hierconn *) wire \u_dut.load , \u_dut.half_q ;
  (* hierconn *) wire [3:0] \u_dut.turn , \u_dut.stream_q ;
  (* hierconn *) wire [15:0] \u_dut.left_q ;
  (* hierconn *) wire [255:0] \u_dut.bytes_q ;
  (* hierconn *) wire [7:0] \u_dut.reply_kind_q , \u_dut.reply_tag_q , \u_dut.reply_stream_q ;
  (* hierconn *) wire [2:0] \u_dut.problems_waiting ;
  (* hierconn *) wire [19:0] \u_dut.problem ;

  // what waits
  logic clean = 1'b0, reply = 1'b0;
  logic [23:0] reply_q = '0;
  logic [2:0] problems = '0;
  wire begins = !valid_o && (reply || problems != '0 || fill_i != '0 || closed_i != '0);
  wire [3:0] turn = \u_dut.turn ;
  wire of_stream = turn >= 4'd2;
  wire s = turn[0];  // its number
  wire [1:0] fill = fill_i[s*2+:2];

  // the message
  logic [7:0] kind = '0, size = '0;  // size: without tokens
  logic owner = 1'b0;
  logic [15:0] length = '0, n = '0;  // n: bytes that were asked for
  (* anyconst *) logic [2:0] chosen;  // a byte of its first seven
  logic [7:0] wanted = '0;  // that one
  logic [7:0] next_kind;
  logic [15:0] next_size;
  logic [55:0] first;
  always_comb begin
    next_kind = reply_q[7:0];
    next_size = next_kind == 8'h81 ? 16'd17 : next_kind == 8'h83 ? 16'd32 : 16'd3;
    first = {32'd0, reply_q};
    if (turn == 4'd0) begin
      next_kind = ERROR;
      next_size = 16'd4;
      first = {28'd0, \u_dut.problem [19:16], \u_dut.problem [15:8], \u_dut.problem [7:0], ERROR};
    end else if (of_stream && fill != '0) begin
      next_kind = TOKENS;
      next_size = 16'd5;
      first = {16'd0, index_i[s*16+:16], 7'd0, s, tags_i[s*8+:8], TOKENS};
    end else if (of_stream) begin
      next_kind = DONE;
      next_size = 16'd10;
      first = {cycles_i[s*32+:8], index_i[s*16+:16], status_i[s*8+:8], 7'd0, s, tags_i[s*8+:8], DONE};
    end
  end
  wire in_tokens = n >= {8'd0, size};
  wire high = n[0] == 1'b0;  // tokens begin at byte 5
  logic [15:0] left;  // tokens of this message
  assign left = in_tokens ? (length - n + 16'd1) / 2 : (length - {8'd0, size}) / 2;

  logic [1:0] closed_q = '0, done_q = '0, take_q = '0;
  logic [3:0] fill_q = '0;
  logic [31:0] token_q = '0;
  logic still_q = 1'b0;
  logic [23:0] shown_q = '0;
  always_ff @(posedge clk_i) begin
    clean <= clean || rst_i;
    reply <= !rst_i && (reply_i || (reply && !(begins && turn == 4'd1)));
    if (reply_i) reply_q <= {reply_stream_i, reply_tag_i, reply_kind_i};
    problems <= rst_i ? '0 : problems + (problem_i && problems != 3'd4) - (begins && turn == '0);
    if (begins) begin
      {kind, size, owner, n} <= {next_kind, next_size[7:0], s, 16'd0};
      length <= next_size + (next_kind == TOKENS ? {13'd0, fill, 1'b0} : 16'd0);
      wanted <= first[chosen*8+:8];
    end else if (next_i) n <= n + 16'd1;
    {closed_q, done_q, take_q, fill_q, token_q} <= {closed_i, done_o, take_o, fill_i, token_i};
    still_q <= valid_o && !next_i && !sent_i && !rst_i;
    shown_q <= {length_o, data_o};
  end

  always_comb begin
    if (!clean) assume (rst_i);
    assume (chosen < 3'd7);
    if (clean) begin
      // what the framer promises
      if (next_i) assume (valid_o && n < length);
      if (sent_i) assume (valid_o && n == length && !next_i);
      // what commands promises
      if (reply_i) assume (!reply && reply_kind_i[7] && reply_kind_i < 8'h90);
      // what the ports promise
      for (int i = 0; i < 2; i = i + 1) begin
        assume (fill_i[i*2+:2] <= 2'd2);
        assume (fill_i[i*2+:2] >= fill_q[i*2+:2] - take_q[i]);
        if (closed_i[i]) assume (fill_i[i*2+:2] == '0);
        if (fill_q[i*2+:2] != '0 && !take_q[i]) assume (token_i[i*16+:16] == token_q[i*16+:16]);
      end
    end
    if (clean && !rst_i) begin
      assert ( \u_dut.load == begins);
      if (begins) assert (of_stream ? turn < 4'd4 && (fill != '0 || closed_i[s]) :
                          turn[0] ? reply : problems != '0);
      assert (done_o == (begins && of_stream && fill == '0 ? 2'd1 << s : 2'd0));
      assert ((done_o & ~closed_i) == '0);
      assert (reset_o == (begins && turn == 4'd1 && reply_q[7:0] == 8'h85));
      assert (clear_o == (begins && turn == 4'd1 && reply_q[7:0] == 8'h84));
      assert (reply_busy_o == (reply || reply_i) && \u_dut.problems_waiting == problems);
      if (valid_o) begin
        assert (length_o == length && n <= length);
        if (n == chosen && n < {8'd0, size} && (kind != 8'h81 && kind != 8'h83 || n < 16'd3))
          assert (data_o == wanted);
        if (in_tokens && n < length)
          assert (data_o == token_i[owner*16+8*high+:8]);
      end
      assert (take_o == (next_i && in_tokens && high ? 2'd1 << owner : 2'd0));
      for (int i = 0; i < 2; i = i + 1) if (take_o[i]) assert (fill_i[i*2+:2] != '0);
      if (still_q) assert (valid_o && shown_q[23:8] == length_o);
      if (still_q && n < length) assert (shown_q[7:0] == data_o);
    end
`ifdef INDUCTION
    if (clean) begin
      assert (reply_busy_o == (reply || reply_i));
      if (reply) begin
        assert ({ \u_dut.reply_stream_q , \u_dut.reply_tag_q , \u_dut.reply_kind_q } == reply_q);
        assert (reply_q[7:0] >= 8'h80 && reply_q[7:0] < 8'h90);
      end
      if (valid_o) begin
        assert (n <= length && length_o == length);
        assert ( \u_dut.left_q == (in_tokens ? 16'd0 : size - n));
        if (kind == TOKENS) begin
          assert (size == 8'd5 && length[0] && length > 16'd5 && length <= 16'd9);
          assert ( \u_dut.stream_q == {3'd0, owner} && left <= {14'd0, fill_i[owner*2+:2]});
          assert ( \u_dut.half_q == (in_tokens && high));
        end else assert (length == {8'd0, size} && size >= 8'd3 && size <= 8'd32);
        if (n <= chosen && chosen < size && (kind != 8'h81 && kind != 8'h83 || chosen < 3'd3))
          assert ( \u_dut.bytes_q [(chosen-n[2:0])*8+:8] == wanted);
      end
    end
`endif
    cover (clean && take_o == 2'b10 && left == 16'd1);
    cover (clean && done_o == 2'b01 && problems == 3'd1);
  end
endmodule
