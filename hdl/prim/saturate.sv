// Symmetric saturation to a width chosen at run time; combinational.
//
// Parameters: InW   width of the value in bits, > OutW
//             OutW  width of the result in bits
// Formats:    two's complement; result = min(max(value, -L), L), L = 2^(bits-1) - 1
// limit_i:    L, of bits_limit: it can be registered on the way
// Latency:    0 cycles
// Does not:   round or shift.
`default_nettype none

module saturate #(
    parameter int InW  = 32,
    parameter int OutW = 16
) (
    input  logic signed [ InW-1:0] value_i,
    input  logic        [OutW-2:0] limit_i,
    output logic signed [OutW-1:0] value_o
);
  logic sign, beyond, lowest;
  logic [OutW-2:0] low, magnitude;

  assign sign   = value_i[InW-1];
  assign low    = value_i[OutW-2:0];
  // Some bit above the limit differs from the sign: |value| > L, but for value = -L - 1,
  assign beyond = (value_i[InW-2:OutW-1] != {(InW - OutW) {sign}}) ||
                  (((low ^ {(OutW - 1) {sign}}) & ~limit_i) != '0);
  // which looks like this:
  assign lowest = sign && ((low & limit_i) == '0);

  always_comb begin
    magnitude = low;
    if (beyond) magnitude = sign ? ~limit_i : limit_i;
  end
  assign value_o = {sign, magnitude[OutW-2:1], magnitude[0] | (sign && (beyond || lowest))};
endmodule
