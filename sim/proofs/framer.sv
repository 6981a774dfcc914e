// framer: of each message leaves flag, length, content, CRC, flag, each byte once and in order, escaped
// where it must be and nowhere else; a byte that waits does not change; a byte is asked for when the
// one before has left; behind a frame the line is silent for the gap.
module prove_framer #(
    parameter int Gap = 3
) (
    input logic        clk_i,
    input logic        rst_i,
    input logic        valid_i,
    input logic [15:0] length_i,
    input logic [ 7:0] data_i,
    input logic        ready_i
);
  localparam logic [7:0] FLAG = 8'h7E, ESCAPE = 8'h7D;
  logic next_o, done_o, valid_o;
  logic [7:0] data_o;
  framer #(.Gap(Gap)) u_dut (.*);
  (* hierconn *) wire [2:0] \u_dut.state_q ;
  (* hierconn *) wire \u_dut.escaped_q , \u_dut.settled_q ;
  (* hierconn *) wire [15:0] \u_dut.count_q ;
  (* hierconn *) wire [31:0] \u_dut.crc_q , \u_dut.wait_q ;
  (* hierconn *) wire [7:0] \u_dut.plain_q ;

  // a receiver that reads what leaves
  logic clean = 1'b0;
  logic open = 1'b0;  // a first flag has left, not yet the last one
  logic escape = 1'b0;  // an escape has left, not yet its byte
  logic [16:0] n = '0;  // bytes of the frame, escapes not counted
  logic [31:0] crc = '0, next_crc;
  logic closed = 1'b0;  // a frame has left since reset
  logic [31:0] silent = '0;  // cycles in a row in which the line was idle since, up to Gap + 1
  wire beat = valid_o && ready_i;
  wire [7:0] plain = escape ? data_o ^ 8'h20 : data_o;
  wire starts_escape = !escape && data_o == ESCAPE;
  wire [16:0] content_end = {1'b0, length_i} + 17'd2;
  wire [16:0] place = n - content_end;  // of a byte of the CRC
  wire at_end = open && n == content_end + 17'd4;
  wire in_content = open && n >= 17'd2 && n < content_end;
  logic [7:0] wanted;
  logic [31:0] check;
  assign check = ~crc;
  always_comb begin
    next_crc = crc ^ {24'd0, plain};
    for (int i = 0; i < 8; i = i + 1) next_crc = (next_crc >> 1) ^ (next_crc[0] ? 32'hEDB88320 : 32'd0);
    if (!open || at_end) wanted = FLAG;
    else if (n == 17'd0) wanted = length_i[7:0];
    else if (n == 17'd1) wanted = length_i[15:8];
    else if (in_content) wanted = data_i;
    else wanted = check[place[1:0]*8+:8];
  end
  logic stalled_q = 1'b0, pause_q = 1'b0, busy_q = 1'b0, next_q = 1'b0;
  logic [7:0] shown_q = '0, data_q = '0;
  logic [15:0] length_q = '0;
  always_ff @(posedge clk_i) begin
    clean <= clean || rst_i;
    stalled_q <= valid_o && !ready_i && !rst_i;
    pause_q <= open && !valid_o && !rst_i;
    shown_q <= data_o;
    busy_q <= valid_i && !done_o && !rst_i;
    next_q <= next_o;
    data_q <= data_i;
    length_q <= length_i;
    if (silent <= Gap) silent <= ready_i ? silent + 32'd1 : '0;
    if (beat) begin
      if (!open) begin
        open <= 1'b1;
        n <= '0;
        crc <= 32'hFFFFFFFF;
      end else if (at_end) begin
        open <= 1'b0;
        closed <= 1'b1;
        silent <= '0;
      end else begin
        escape <= starts_escape;
        if (!starts_escape) begin
          n <= n + 17'd1;
          if (n < content_end) crc <= next_crc;
        end
      end
    end
    if (rst_i) {open, escape, closed} <= '0;
  end
  always_comb begin
    if (!clean) assume (rst_i);
    // a message stays until its last flag leaves, a byte until the next one is asked for
    if (busy_q) assume (valid_i && length_i == length_q);
    if (busy_q && !next_q) assume (data_i == data_q);
    if (valid_i) assume (length_i != '0);
`ifndef INDUCTION
    assume (length_i == 16'd1 && data_i == ESCAPE);  // enough for a twin to fail
`endif
    if (clean && !rst_i) begin
      if (valid_o) begin
        if (!open || at_end) assert (data_o == FLAG && !escape);
        else assert (starts_escape ? wanted == FLAG || wanted == ESCAPE : plain == wanted);
        if (open && !at_end) assert (data_o != FLAG);
        if (!escape && open && !at_end && (wanted == FLAG || wanted == ESCAPE)) assert (starts_escape);
        if (!open) assert (!closed || silent > Gap);
        assert (busy_q);
      end
      assert (next_o == (beat && in_content && !starts_escape));
      assert (done_o == (beat && at_end));
      if (stalled_q) assert (valid_o && data_o == shown_q);
      if (pause_q) assert (valid_o);
    end
`ifdef INDUCTION
    if (clean) begin
      assert ( \u_dut.escaped_q == escape);
      if (escape) assert (open && !at_end && (wanted == FLAG || wanted == ESCAPE));
      if (valid_o) assert ( \u_dut.plain_q == wanted);
      assert (open == ( \u_dut.state_q >= 3'd2 && \u_dut.state_q != 3'd6));
      assert ( \u_dut.state_q <= 3'd6);
      if ( \u_dut.state_q != 3'd0 && \u_dut.state_q != 3'd6) assert (busy_q);
      if ( \u_dut.state_q == 3'd2) assert (n < 17'd2 && \u_dut.count_q == n);
      if ( \u_dut.state_q == 3'd3) assert (in_content && \u_dut.count_q == n - 2);
      if ( \u_dut.state_q == 3'd4) assert (place < 17'd4 && \u_dut.count_q == place);
      if ( \u_dut.state_q == 3'd4) assert ( \u_dut.crc_q == crc >> (8 * place[1:0]));
      if ( \u_dut.state_q == 3'd5) assert (at_end);
      if ( \u_dut.state_q == 3'd2 || \u_dut.state_q == 3'd3) assert ( \u_dut.crc_q == crc);
      if ( \u_dut.state_q == 3'd6) assert ( \u_dut.wait_q <= silent && \u_dut.wait_q <= Gap);
      if ( \u_dut.state_q == 3'd0 || \u_dut.state_q == 3'd1) assert (!closed || silent > Gap);
    end
    assert (silent <= Gap + 1);
`endif
    cover (clean && done_o && length_i == 16'd1);
    cover (clean && in_content && escape && n == 17'd3);
  end
endmodule
