// The foot of the array: adds the waves of one tile, one accumulator per column.
//
// Formats   psum_i, acc_o: Cols two's complement integers of AccW bits.
// Latency   psum_i, valid_i, first_i -> acc_o: 1 cycle. `first_i` begins a new tile; sums of cycles
//           in which no wave arrives (valid_i 0) are ignored.
// It does not saturate: export/ proves the bound.
`default_nettype none

module accumulator #(
    parameter integer Cols = 16,
    parameter integer AccW = 32
) (
    input  wire                 clk_i,
    input  wire                 valid_i,
    input  wire                 first_i,
    input  wire [Cols*AccW-1:0] psum_i,
    output wire [Cols*AccW-1:0] acc_o
);
  reg [Cols*AccW-1:0] acc_q, acc_d;

  always_comb begin
    acc_d = acc_q;
    for (integer c = 0; c < Cols; c = c + 1) begin
      acc_d[c*AccW+:AccW] = psum_i[c*AccW+:AccW] + (first_i ? {AccW{1'b0}} : acc_q[c*AccW+:AccW]);
    end
  end

  always_ff @(posedge clk_i) if (valid_i) acc_q <= acc_d;

  assign acc_o = acc_q;
endmodule

`default_nettype wire
