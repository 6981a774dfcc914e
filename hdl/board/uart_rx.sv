// Receives bytes from an asynchronous serial line: 8 data bits, lowest first, no parity, one stop bit.
//
// Params    Step  bit rate / clock frequency * 2^24, so that a bit lasts 2^24 / Step cycles (>= 4;
//                 8 or more for a sender whose clock is 2 % off)
// Filter    The line passes two synchronising registers and a majority of three cycles: a pulse of
//           one cycle is no edge.
// Output    valid_o for one cycle with data_o in the middle of the stop bit. If the stop bit is low
//           error_o instead: with break_o if all bits were low. Then the line must be high before a new
//           byte begins. A start bit that is high in its middle was noise and is dropped.
// It does not buffer and cannot be stalled: valid_o must be taken in its cycle.
`default_nettype none

module uart_rx #(
    parameter integer Step = 2097152
) (
    input  wire       clk_i,
    input  wire       rst_i,
    input  wire       rx_i,      // asynchronous, high when idle
    output wire       valid_o,
    output wire [7:0] data_o,
    output wire       error_o,
    output wire       break_o
);
  localparam logic [23:0] STEP = Step[23:0];
  // half a bit, and a cycle less: an edge is seen half a cycle late and a tick comes half a cycle late
  localparam integer FIRST_INT = (1 << 23) + Step;
  localparam logic [23:0] FIRST = FIRST_INT[23:0];

  typedef enum logic [1:0] {
    IDLE,
    BITS,
    LOW
  } state_e;

  state_e state_q, state_d;
  reg [3:0] line_q;  // newest lowest
  reg level_q;
  reg [23:0] phase_q, phase_d;
  reg [3:0] count_q, count_d;  // 0: start bit, 1..8: data, 9: stop bit
  reg [8:0] bits_q, bits_d;
  reg valid_q, valid_d, error_q, error_d;

  wire majority = (line_q[1] & line_q[2]) | (line_q[1] & line_q[3]) | (line_q[2] & line_q[3]);
  wire [24:0] sum = {1'b0, phase_q} + {1'b0, STEP};
  wire tick = sum[24];
  wire [23:0] next_phase = sum[23:0];
  wire [8:0] next_bits = {level_q, bits_q[8:1]};

  always_comb begin
    state_d = state_q;
    phase_d = FIRST;
    count_d = 4'd0;
    bits_d  = bits_q;
    valid_d = 1'b0;
    error_d = 1'b0;
    case (state_q)
      IDLE: if (!level_q) state_d = BITS;
      BITS: begin
        phase_d = next_phase;
        count_d = count_q;
        if (tick) begin
          count_d = count_q + 4'd1;
          bits_d  = next_bits;
          if (count_q == 4'd0 && level_q) state_d = IDLE;
          if (count_q == 4'd9) begin
            valid_d = level_q;
            error_d = !level_q;
            if (level_q) state_d = IDLE;
            else state_d = LOW;
          end
        end
      end
      LOW: if (level_q) state_d = IDLE;
      default: state_d = IDLE;
    endcase
  end

  always_ff @(posedge clk_i) begin
    line_q  <= {line_q[2:0], rx_i};
    level_q <= majority;
    phase_q <= phase_d;
    count_q <= count_d;
    bits_q  <= bits_d;
    if (rst_i) begin
      state_q <= LOW;  // a line that is low after reset is no start bit
      valid_q <= 1'b0;
      error_q <= 1'b0;
    end else begin
      state_q <= state_d;
      valid_q <= valid_d;
      error_q <= error_d;
    end
  end

  assign valid_o = valid_q;
  assign data_o  = bits_q[7:0];
  assign error_o = error_q;
  assign break_o = bits_q[7:0] == 8'd0;
endmodule

`default_nettype wire
