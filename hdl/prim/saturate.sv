// Symmetric saturation to a width chosen at run time; combinational.
//
// Parameters: InW   width of the value in bits, > OutW
//             OutW  width of the result in bits, <= 30
// Formats:    two's complement; result = min(max(value, -L), L), L = 2^(bits-1) - 1
// bits_i:     2..OutW
// Latency:    0 cycles
// Does not:   round or shift.
`default_nettype none

module saturate #(
    parameter int InW  = 32,
    parameter int OutW = 16
) (
    input  logic signed [ InW-1:0] value_i,
    input  logic        [     4:0] bits_i,
    output logic signed [OutW-1:0] value_o
);
  logic sign, beyond, lowest;
  logic [OutW-2:0] low, limit, magnitude;
  logic [29:0] limit_wide;
  logic unused_high;

  assign sign   = value_i[InW-1];
  assign low    = value_i[OutW-2:0];
  assign limit_wide = {{(OutW - 1) {1'b1}}, {(31 - OutW) {1'b0}}} >> ~bits_i;  // 31 - bits
  assign limit = limit_wide[OutW-2:0];
  assign unused_high = &{1'b0, limit_wide[29:OutW-1]};
  // Some bit above the limit differs from the sign: |value| > L, but for value = -L - 1,
  assign beyond = (value_i[InW-2:OutW-1] != {(InW - OutW) {sign}}) ||
                  (((low ^ {(OutW - 1) {sign}}) & ~limit) != '0);
  // which looks like this:
  assign lowest = sign && ((low & limit) == '0);

  always_comb begin
    magnitude = low;
    if (beyond) magnitude = sign ? ~limit : limit;
  end
  assign value_o = {sign, magnitude[OutW-2:1], magnitude[0] | (sign && (beyond || lowest))};
endmodule
