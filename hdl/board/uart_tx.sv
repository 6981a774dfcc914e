// Sends bytes on an asynchronous serial line: start bit, 8 data bits, lowest first, one stop bit.
//
// Params    Step  bit rate / clock frequency * 2^24: a bit lasts 2^24 / Step cycles, rounded so that
//                 no error adds up
// Input     a byte is taken in a cycle with valid_i and ready_o; ready_o is low while one is sent.
// Latency   the line falls one cycle after the byte is taken.
// Does not  buffer.
`default_nettype none

module uart_tx #(
    parameter integer Step = 2097152
) (
    input  wire       clk_i,
    input  wire       rst_i,
    input  wire       valid_i,
    output wire       ready_o,
    input  wire [7:0] data_i,
    output wire       tx_o
);
  localparam logic [23:0] STEP = Step[23:0];

  reg busy_q;
  reg [23:0] phase_q;
  reg [3:0] count_q;  // bits that are still to end
  reg [8:0] bits_q;  // the next bits, the one on the line is tx_q
  reg tx_q;

  wire [24:0] sum = {1'b0, phase_q} + {1'b0, STEP};
  wire tick = sum[24];
  wire take = valid_i && !busy_q;

  always_ff @(posedge clk_i) begin
    if (take) begin
      phase_q <= 24'd0;
      count_q <= 4'd9;
      bits_q  <= {1'b1, data_i};
    end else begin
      phase_q <= sum[23:0];
      if (tick) begin
        count_q <= count_q - 4'd1;
        bits_q  <= {1'b1, bits_q[8:1]};
      end
    end
    if (rst_i) begin
      busy_q <= 1'b0;
      tx_q   <= 1'b1;
    end else if (take) begin
      busy_q <= 1'b1;
      tx_q   <= 1'b0;
    end else if (busy_q && tick) begin
      busy_q <= count_q != 4'd0;
      tx_q   <= bits_q[0];
    end
  end

  assign ready_o = !busy_q;
  assign tx_o = tx_q;
endmodule

`default_nettype wire
