// The largest magnitude of a symmetric integer: L = 2^(bits-1) - 1; combinational.
//
// Parameters: W  width of the limit in bits, <= 29
// Formats:    limit unsigned: bits - 1 ones
// bits_i:     2..W + 1
// Latency:    0 cycles
// Does not:   saturate (see saturate).
`default_nettype none

module bits_limit #(
    parameter int W = 15
) (
    input  logic [  4:0] bits_i,
    output logic [W-1:0] limit_o
);
  logic [29:0] wide;
  logic unused_high;
  assign wide = {{W{1'b1}}, {(30 - W) {1'b0}}} >> ~bits_i;  // 31 - bits
  assign limit_o = wide[W-1:0];
  assign unused_high = &{1'b0, wide[29:W]};
endmodule
