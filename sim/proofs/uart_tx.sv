// uart_tx: a byte that is taken is on the line as start bit, data bits, lowest first, and stop bit;
// bit n ends when n + 1 bits have lasted, to a cycle, so no error adds up; else the line is high.
module prove_uart_tx #(
    parameter int Step = 4194304
) (
    input logic       clk_i,
    input logic       rst_i,
    input logic       valid_i,
    input logic [7:0] data_i
);
  logic ready_o, tx_o;
  uart_tx #(.Step(Step)) u_dut (.*);
  (* hierconn *) wire [23:0] \u_dut.phase_q ;
  (* hierconn *) wire [3:0] \u_dut.count_q ;
  (* hierconn *) wire [8:0] \u_dut.bits_q ;

  logic clean = 1'b0, busy = 1'b0;
  logic [27:0] time_ = '0, later;  // since the byte was taken, in bits of 2^24
  logic [9:0] frame = '0;
  wire [3:0] place = time_[27:24];
  wire [18:0] line = {9'h1FF, frame};
  assign later = time_ + Step;
  always_ff @(posedge clk_i) begin
    clean <= clean || rst_i;
    if (rst_i) busy <= 1'b0;
    else if (!busy) begin
      busy <= valid_i;
      time_ <= '0;
      frame <= {1'b1, data_i, 1'b0};
    end else begin
      time_ <= later;
      busy <= later[27:24] < 4'd10;
    end
  end
  always_comb begin
    if (!clean) assume (rst_i);
    if (clean) begin
      assert (ready_o == !busy);
      assert (tx_o == (busy ? frame[place] : 1'b1));
`ifdef INDUCTION
      if (busy) begin
        assert (place < 4'd10 && \u_dut.count_q == 4'd9 - place);
        assert ( \u_dut.phase_q == time_[23:0]);
        assert ( \u_dut.bits_q == line[place+1+:9]);
      end
`endif
    end
    cover (clean && busy && place == 4'd1 && frame[1] != frame[2]);
  end
endmodule
