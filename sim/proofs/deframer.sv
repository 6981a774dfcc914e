// deframer: every byte of content comes out once, in order, with its index; a frame is good exactly if
// the CRC over length, content and the four bytes behind is the residue (crc32.sv: they are the CRC) and
// its length is what it says; whatever else is on the line has one verdict, with its reason, and is
// skipped up to the next flag.
module prove_deframer #(
    parameter int MaxLength = 3,
    parameter int Timeout   = 2
) (
    input logic       clk_i,
    input logic       rst_i,
    input logic       valid_i,
    input logic [7:0] data_i,
    input logic       error_i
);
  localparam logic [7:0] FLAG = 8'h7E, ESCAPE = 8'h7D;
  logic byte_valid_o, good_o, bad_o;
  logic [7:0] byte_o;
  logic [15:0] index_o, length_o;
  logic [3:0] code_o;
  deframer #(.MaxLength(MaxLength), .Timeout(Timeout)) u_dut (.*);
  (* hierconn *) wire [2:0] \u_dut.state_q ;
  (* hierconn *) wire \u_dut.escape_q ;
  (* hierconn *) wire [15:0] \u_dut.index_q ;
  (* hierconn *) wire [31:0] \u_dut.crc_q , \u_dut.silent_q ;

  // what has come since the last flag
  logic open = 1'b0;  // nothing was wrong with it
  logic escape = 1'b0;
  logic [16:0] n = '0;  // bytes, escapes not counted
  logic [15:0] length = '0;
  logic [31:0] sum = '0, next_sum;  // CRC of all of them
  logic [31:0] silent = '0;
  wire inside = open && (n != '0 || escape);
  wire [7:0] plain = escape ? data_i ^ 8'h20 : data_i;
  wire [16:0] check_at = {1'b0, length} + 17'd2, end_at = {1'b0, length} + 17'd6;
  wire [15:0] whole = {plain, length[7:0]};

  always_comb begin
    next_sum = sum ^ {24'd0, plain};
    for (int i = 0; i < 8; i = i + 1) next_sum = (next_sum >> 1) ^ (next_sum[0] ? 32'hEDB88320 : 32'd0);
  end

  // the verdict on this cycle
  logic good, bad, content;
  logic [3:0] code;
  always_comb begin
    good = 1'b0;
    bad = 1'b0;
    content = 1'b0;
    code = 4'd2;
    if (error_i) begin
      bad = 1'b1;
      code = 4'd5;
    end else if (valid_i && data_i == FLAG) begin
      if (open && !escape && n >= 17'd2 && n == end_at) begin
        good = sum == 32'hDEBB20E3;
        bad = sum != 32'hDEBB20E3;
        code = 4'd1;
      end else bad = inside;
    end else if (valid_i && data_i == ESCAPE) bad = open && escape;
    else if (valid_i && open) begin
      if (n == 17'd1) begin
        bad = whole == '0 || whole > MaxLength;
        if (whole > MaxLength) code = 4'd3;
      end else if (n >= 17'd2) begin
        content = n < check_at;
        bad = n == end_at;
      end
    end else if (!valid_i && inside && silent == Timeout) begin
      bad = 1'b1;
      code = 4'd4;
    end
  end

  logic clean = 1'b0;
  logic good_q = 1'b0, bad_q = 1'b0, content_q = 1'b0;
  logic [3:0] code_q = '0;
  logic [7:0] byte_q = '0;
  logic [15:0] index_q = '0, length_q = '0;
  always_ff @(posedge clk_i) begin
    clean <= clean || rst_i;
    good_q <= good && !rst_i;
    bad_q <= bad && !rst_i;
    content_q <= content && !rst_i;
    code_q <= code;
    byte_q <= plain;
    index_q <= n - 17'd2;
    silent <= valid_i || !inside || silent == Timeout ? '0 : silent + 32'd1;
    if (rst_i || (bad && !(valid_i && data_i == FLAG && !error_i))) begin
      open <= 1'b0;
      escape <= 1'b0;
    end else if (valid_i && data_i == FLAG) begin
      open <= 1'b1;
      escape <= 1'b0;
      n <= '0;
      sum <= 32'hFFFFFFFF;
    end else if (valid_i && open) begin
      escape <= data_i == ESCAPE;
      if (data_i != ESCAPE) begin
        n <= n + 17'd1;
        if (n == 17'd0) length <= {8'd0, plain};
        if (n == 17'd1) length <= whole;
        sum <= next_sum;
      end
    end
  end

  // the bytes of content that came out, as commands.sv assumes them
  logic over = 1'b1;  // the frame has its verdict
  logic [15:0] bytes = '0, length_p = '0;
  always_ff @(posedge clk_i) begin
    length_p <= length_o;
    if (byte_valid_o) {over, bytes} <= {1'b0, index_o + 16'd1};
    if (good_o || bad_o || rst_i) over <= 1'b1;
  end
  wire told = byte_valid_o || (!over && !good_o && !bad_o);
  wire [15:0] told_bytes = byte_valid_o ? index_o + 16'd1 : bytes;
  wire [16:0] came = n - check_at;  // bytes of the CRC
  always_comb begin
    if (!clean) assume (rst_i);
    if (clean) begin
      assert (good_o == good_q && bad_o == bad_q && byte_valid_o == content_q);
      if (bad_q || good_q) assert (!bad_q || code_o == code_q);
      if (content_q) assert (byte_o == byte_q && index_o == index_q && index_o < length_o);
      if (good_q) assert (length_o == length);
      if (byte_valid_o) assert (index_o == '0 || (!over && index_o == bytes));
      if (byte_valid_o || !over) assert (length_o <= MaxLength);
      if (!over) assert (length_o == length_p || (byte_valid_o && index_o == '0));
      if (good_o) assert (!over && bytes == length_o);
      assert (good_o + bad_o + byte_valid_o <= 2'd1);
`ifdef INDUCTION
      assert ( \u_dut.escape_q == escape && (open || !escape));
      assert (open == ( \u_dut.state_q != 3'd0) && \u_dut.state_q <= 3'd5);
      if (open) assert (length_o == length || n == '0);
      if (inside) assert ( \u_dut.silent_q == silent && silent <= Timeout);
      if ( \u_dut.state_q == 3'd1) assert (n == '0);
      if ( \u_dut.state_q == 3'd2) assert (n == 17'd1 && length < 16'd256);
      if ( \u_dut.state_q == 3'd3) assert (n >= 17'd2 && n < check_at && \u_dut.index_q == n - 2);
      if ( \u_dut.state_q == 3'd4) assert (came < 17'd4 && n >= 17'd2 && \u_dut.index_q == came);
      if ( \u_dut.state_q == 3'd5) assert (n == end_at);
      if ( \u_dut.state_q >= 3'd3) assert (length != '0 && length <= MaxLength);
      if (open) assert ( \u_dut.crc_q == sum);
      if (!open || n < 17'd2) assert (!told);
      else if (n > 17'd2) assert (told && told_bytes == (n < check_at ? n - 17'd2 : length));
      if (told) assert (length_o == length && told_bytes <= length);
`endif
    end
    cover (clean && good_o);
    cover (clean && bad_o && code_o == 4'd1);
    cover (clean && bad_o && code_o == 4'd4);
  end
endmodule
