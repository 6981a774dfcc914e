// uart_rx: every byte that a uart_tx of the same rate sends comes out once, unchanged and in order, in
// the middle of its stop bit, at any pause between bytes, back to back too; no error is told.
module prove_uart_rx (
    input logic       clk_i,
    input logic       rst_i,
    input logic       valid_i,
    input logic [7:0] data_i
);
  localparam int Step = 4194304;  // four cycles a bit
  localparam int END = 42;  // cycles from the start bit's first to valid_o
  logic ready_o, tx_o, valid_o, error_o, break_o;
  logic [7:0] data_o;
  uart_tx #(.Step(Step)) u_tx (.*);
  uart_rx #(.Step(Step)) u_dut (.*, .rx_i(tx_o));
  (* hierconn *) wire [23:0] \u_tx.phase_q , \u_dut.phase_q ;
  (* hierconn *) wire [3:0] \u_tx.count_q , \u_dut.count_q , \u_dut.line_q ;
  (* hierconn *) wire [8:0] \u_tx.bits_q , \u_dut.bits_q ;
  (* hierconn *) wire [1:0] \u_dut.state_q ;
  (* hierconn *) wire \u_dut.level_q ;

  // reset until the line has been high for long enough to be seen so, then never again
  logic [3:0] age = 4'd0;
  wire settled = age == 4'd9;
  // cycles since the start bit of the byte sent last, and of the one before, up to 63
  logic [5:0] t = 6'd63, before_t = 6'd63;
  logic [7:0] byte_ = '0, before = '0;
  logic [4:0] line = 5'h1F;  // of the last cycles, the latest lowest
  always_ff @(posedge clk_i) begin
    if (!settled) age <= age + 4'd1;
    line <= {line[3:0], tx_o};
    if (t != 6'd63) t <= t + 6'd1;
    if (before_t != 6'd63) before_t <= before_t + 6'd1;
    if (valid_i && ready_o && settled) begin
      t <= 6'd0;
      byte_ <= data_i;
      before_t <= t == 6'd63 ? t : t + 6'd1;
      before <= byte_;
    end
  end
  wire [9:0] frame = {1'b1, byte_, 1'b0};
`ifdef INDUCTION
  wire [18:0] bits = {9'h1FF, frame};
  // the byte that is being received: it is sampled every fourth cycle
  wire of_last = t >= 6'd5 && t <= 6'd41;
  wire reads = of_last || before_t <= 6'd41;
  wire [5:0] place = (of_last ? t : before_t) - 6'd2;
  wire [3:0] ticks = place / 4;
  wire [9:0] frame_read = {1'b1, of_last ? byte_ : before, 1'b0};
`endif
  always_comb begin
    assume (rst_i == !settled);
    if (settled) begin
      assert (!error_o);
      assert (valid_o == (t == END || before_t == END));
      if (valid_o) assert (data_o == (t == END ? byte_ : before));
    end
    cover (settled && valid_o && before_t == END && data_o == 8'h5A);
`ifdef INDUCTION
    if (age != 4'd0 && !settled) begin
      assert (tx_o && ready_o && !valid_o && !error_o && \u_dut.state_q == 2'd2);
    end
    assert (age <= 4'd9 && (settled || (t == 6'd63 && before_t == 6'd63)));
    for (int i = 0; i < 5; i = i + 1) begin
      if (!settled && i + 1 < age) assert (line[i]);
      if (settled) assert (line[i] == (t > i && t - 1 - i < 40 ? frame[(t-1-i)/4] : 1'b1));
    end
    for (int i = 0; i < 4; i = i + 1) if (i < age) assert ( \u_dut.line_q [i] == line[i]);
    if (age >= 4'd6)
      assert ( \u_dut.level_q == ((line[2] && line[3]) || (line[2] && line[4]) || (line[3] && line[4])));
    if (settled) begin
      assert (before_t == 6'd63 || before_t >= t + 7'd41);
      assert (ready_o == (t >= 6'd40));
      assert (tx_o == (ready_o ? 1'b1 : frame[t/4]));
      if (!ready_o) begin
        assert ( \u_tx.phase_q == {t[1:0], 22'd0} && \u_tx.count_q == 4'd9 - t / 4);
        assert ( \u_tx.bits_q == bits[t/4+1+:9]);
      end
      if (reads) begin
        assert ( \u_dut.state_q == 2'd1 && \u_dut.count_q == ticks);
        assert ( \u_dut.phase_q == {place[1:0], 22'd0});
        assert ( \u_dut.bits_q >> (9 - ticks) == (frame_read & ((10'd1 << ticks) - 10'd1)));
      end else begin
        assert ( \u_dut.state_q == 2'd0 || ( \u_dut.state_q == 2'd2 && t == 6'd63 && before_t == 6'd63));
      end
    end
`endif
  end
endmodule
