// Mantissa and exponent of 1/sqrt(value) or 1/value, from a table.
//
//   Even = 1 (rsqrt):      k = floor(log2 value) >> 1, index = (value * N >> 2k) - N, 0..3N-1
//   Even = 0 (reciprocal): k = floor(log2 value),      index = (value * N >> k) - N,  0..N-1
//   result = table[index] * 2^-k, up to the fixed scale of the table
//
// Parameters: InW        width of the value in bits, <= 64
//             Even       see above
//             IndexBits  fraction bits of the index, N = 2^IndexBits above
//             AddrW      width of the table's address
// Formats:    value, mantissa, exponent k unsigned; value >= 1
// Latency:    4 cycles, one value per cycle: table_addr_o at t0+2 (one gate behind its register),
//             table_data_i at t0+3 (a table with a registered output), mant_o and exp_o at t0+4.
//             mant_o and exp_o hold only in the cycle of valid_o
// Does not:   stall.
`default_nettype none

module scalar_lut #(
    parameter int InW = 40,
    parameter int Even = 1,
    parameter int IndexBits = 6,
    parameter int AddrW = IndexBits + 2 * Even
) (
    input  logic             clk_i,
    input  logic             rst_i,
    input  logic             valid_i,
    input  logic [  InW-1:0] value_i,
    output logic [AddrW-1:0] table_addr_o,
    input  logic [     15:0] table_data_i,
    output logic             valid_o,
    output logic [     15:0] mant_o,
    output logic [      5:0] exp_o
);
  localparam int FRAC_W = IndexBits + Even;
  logic [5:0] position, exponent;
  logic [FRAC_W-1:0] fraction;

  normalize #(
      .W(InW),
      .FracW(FRAC_W)
  ) u_normalize (
      .clk_i(clk_i),
      .value_i(value_i),
      .position_o(position),
      .fraction_o(fraction)
  );

  if (Even != 0) begin : g_rsqrt
    // An odd position doubles the mantissa: 2N..4N-1, less N, instead of N..2N-1, less N.
    assign table_addr_o = position[0] ? {fraction[FRAC_W-1], !fraction[FRAC_W-1],
                                         fraction[FRAC_W-2:0]} : {2'd0, fraction[FRAC_W-1:1]};
    assign exponent = {1'b0, position[5:1]};
  end else begin : g_reciprocal
    assign table_addr_o = fraction;
    assign exponent = position;
  end

  delay_line #(
      .W(6),
      .N(2)
  ) u_exponent (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i  (exponent),
      .d_o  (exp_o)
  );
  delay_line #(
      .W(1),
      .N(4),
      .Reset(1)
  ) u_valid (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i  (valid_i),
      .d_o  (valid_o)
  );
  always_ff @(posedge clk_i) mant_o <= table_data_i;
endmodule
