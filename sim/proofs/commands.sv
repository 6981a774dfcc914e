// commands: each good frame gives one reply or one problem, as docs/link.md says of its bytes, each bad
// one a problem, nothing else gives anything; a prompt begins with its tag and settings, its tokens are
// written in order, each once, and never to a stream that is busy.
module prove_commands #(
    parameter int Streams = 2
) (
    input logic                 clk_i,
    input logic                 rst_i,
    input logic                 byte_valid_i,
    input logic [          7:0] byte_i,
    input logic [         15:0] index_i,
    input logic [         15:0] length_i,
    input logic                 good_i,
    input logic                 bad_i,
    input logic [          3:0] code_i,
    input logic [  Streams-1:0] busy_i,
    input logic [Streams*8-1:0] tags_i,
    input logic                 reply_busy_i
);
  localparam int LogPrompt = 2, LONGEST = 14 + (2 << LogPrompt);
  logic [Streams-1:0] prompt_we_o, start_o;
  logic [LogPrompt-1:0] prompt_addr_o;
  logic [15:0] prompt_data_o;
  logic [LogPrompt:0] count_o;
  logic [7:0] tag_o, stream_o, reply_kind_o, problem_tag_o, problem_stream_o;
  logic [87:0] settings_o;
  logic reply_o, problem_o;
  logic [3:0] problem_code_o;
  commands #(.Streams(Streams), .LogPrompt(LogPrompt)) u_dut (.*);
  (* hierconn *) wire \u_dut.free_q ;
  (* hierconn *) wire [7:0] \u_dut.low_q , \u_dut.kind_q ;

  (* anyconst *) logic [3:0] chosen;  // a byte of the settings
  logic clean = 1'b0, over = 1'b1;  // over: the frame has its verdict
  logic [15:0] n = '0, length_q = '0;  // bytes of the latest frame
  logic [7:0] kind = '0, tag = '0, stream = '0, setting = '0, before = '0;
  logic free = 1'b0;  // its stream was, when its tokens began
  wire is_prompt = kind == 8'd2;
  wire there = stream < Streams;
  logic stream_busy;
  logic [7:0] stream_tag;
  logic [3:0] verdict;
  always_comb begin
    stream_busy = 1'b0;
    stream_tag = 8'd0;
    for (int s = 0; s < Streams; s = s + 1)
      if (stream == s) begin
        stream_busy = busy_i[s];
        stream_tag = tags_i[s*8+:8];
      end
    if (n < 16'd3) verdict = 4'd9;
    else if (kind < 8'd1 || kind > 8'd5) verdict = 4'd6;
    else if (is_prompt ? n < 16'd16 || n[0] : n != 16'd3) verdict = 4'd9;
    else if (reply_busy_i) verdict = 4'd10;
    else if (is_prompt && !there) verdict = 4'd7;
    else if (is_prompt && !free && tag != stream_tag) verdict = 4'd8;
    else verdict = 4'd0;
  end
  wire token = byte_valid_i && is_prompt && there && free && n >= 16'd14 && n[0] && index_i != '0;

  logic good_q = 1'b0, bad_q = 1'b0, starts_q = 1'b0;
  logic [3:0] code_q = '0, verdict_q = '0;
  logic [Streams-1:0] busy_q = '0, start_q = '0;
  logic [Streams*8-1:0] tags_q = '0;
  always_ff @(posedge clk_i) begin
    clean <= clean || rst_i;
    good_q <= good_i && !rst_i;
    bad_q <= bad_i && !rst_i;
    code_q <= code_i;
    verdict_q <= verdict;
    starts_q <= free;
    busy_q <= busy_i;
    start_q <= start_o;
    length_q <= length_i;
    if (byte_valid_i) begin
      over <= 1'b0;
      n <= index_i + 16'd1;
      before <= byte_i;
      if (index_i == 16'd0) {kind, tag, stream} <= {byte_i, 16'd0};
      if (index_i == 16'd1) tag <= byte_i;
      if (index_i == 16'd2) stream <= byte_i;
      if (index_i == chosen + 16'd3) setting <= byte_i;
      if (index_i == 16'd13) free <= there && !stream_busy;
    end
    if (good_i || bad_i || rst_i) over <= 1'b1;
  end
  always_comb begin
    if (!clean) assume (rst_i);
    assume (chosen < 4'd11);
    if (clean) begin
      // what the deframer promises
      if (byte_valid_i) assume (index_i < length_i && (index_i == '0 || (!over && index_i == n)));
      if (!over) assume (length_i == length_q || (byte_valid_i && index_i == '0));
      if (good_i) assume (!over && n == length_i);
      if (bad_i || good_i) assume (!byte_valid_i);
      assume (!(good_i && bad_i));
      if (byte_valid_i || !over) assume (length_i <= LONGEST);
`ifndef INDUCTION
      if (!over && n != length_i) assume (byte_valid_i);  // enough for a twin to fail
      assume (length_i == 16'd16 || length_i <= 16'd2);
`endif
      // a stream is busy after its start, and only so
      for (int s = 0; s < Streams; s = s + 1) assume (busy_q[s] || start_q[s] || !busy_i[s]);
    end
    if (clean && !rst_i) begin
      assert (reply_o == (good_q && verdict_q == 4'd0));
      if (reply_o) assert (reply_kind_o == {1'b1, kind[6:0]} && tag_o == tag && stream_o == stream);
      assert (problem_o == (bad_q || (good_q && verdict_q != 4'd0)));
      if (problem_o) begin
        assert (problem_code_o == (bad_q ? code_q : verdict_q));
        assert (problem_tag_o == (bad_q ? 8'd0 : tag) && problem_stream_o == (bad_q ? 8'd0 : stream));
      end
      assert ((start_o != '0) == (reply_o && is_prompt && starts_q));
      if (start_o != '0) begin
        assert (start_o == 1 << stream && (start_o & busy_i) == '0);
        assert (settings_o[chosen*8+:8] == setting);
        assert (2 * count_o + 14 == n && count_o != '0 && count_o <= 1 << LogPrompt);
      end
      assert (prompt_we_o == (token ? 1 << stream : '0) && (prompt_we_o & busy_i) == '0);
      if (token) assert (prompt_data_o == {byte_i, before} && prompt_addr_o == (n - 16'd15) / 2);
    end
`ifdef INDUCTION
    if (clean && !over) begin
      assert (n != '0 && n <= length_q && length_q <= LONGEST);
      if (n >= 16'd14) assert ( \u_dut.free_q == free && (!free || (there && !stream_busy)));
      if (n > chosen + 16'd3)
        assert (settings_o[(chosen+14-(n<14?n:14))*8+:8] == setting);
    end
    if (clean && (!over || good_q)) begin
      assert ( \u_dut.kind_q == kind && tag_o == tag && stream_o == stream && \u_dut.low_q == before);
    end
    if (clean && good_q) assert (over && n == length_q && n <= LONGEST);
    if (clean && good_q && n >= 16'd14) begin
      assert (settings_o[chosen*8+:8] == setting && starts_q == free);
      assert (!free || (there && !stream_busy));
    end
`endif
    cover (clean && start_o == 2'b10);
    cover (clean && problem_o && problem_code_o == 4'd8);
  end
endmodule
