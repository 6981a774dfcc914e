// sum_o = a_i + b_i, clamped to +-(2^(W-1) - 1); combinational.
//
// Formats   a_i, b_i, sum_o: W-bit two's complement integers. The most negative code never comes out.
`default_nettype none

module saturating_add #(
    parameter integer W = 16
) (
    input  wire [W-1:0] a_i,
    input  wire [W-1:0] b_i,
    output wire [W-1:0] sum_o
);
  localparam logic [W-1:0] MAX = {1'b0, {(W - 1) {1'b1}}};
  localparam logic [W-1:0] MIN = {1'b1, {(W - 2) {1'b0}}, 1'b1};

  wire [W:0] sum = {a_i[W-1], a_i} + {b_i[W-1], b_i};
  wire too_high = !sum[W] && sum[W-1];
  wire too_low = sum[W] && (!sum[W-1] || sum[W-2:0] == {(W - 1) {1'b0}});

  assign sum_o = too_high ? MAX : too_low ? MIN : sum[W-1:0];
endmodule

`default_nettype wire
