// Index times a constant, by shifts and adds (no multiplier block); combinational.
//
// Parameters: InW     width of the index in bits
//             OutW    width of the result in bits; the product must fit
//             Factor  the constant, >= 1
// Formats:    unsigned
// Latency:    0 cycles
`default_nettype none

module scale_index #(
    parameter int InW = 8,
    parameter int OutW = 16,
    parameter int Factor = 3
) (
    input  logic [ InW-1:0] index_i,
    output logic [OutW-1:0] product_o
);
  logic [OutW+InW-1:0] index_wide;
  logic [OutW-1:0] index_out;
  logic unused_high;

  assign index_wide  = {{OutW{1'b0}}, index_i};
  assign index_out   = index_wide[OutW-1:0];
  assign unused_high = &{1'b0, index_wide[OutW+InW-1:OutW]};

  always_comb begin
    product_o = '0;
    for (int bit_number = 0; bit_number < 31; bit_number = bit_number + 1) begin
      if (((Factor >> bit_number) & 1) != 0) product_o = product_o + (index_out << bit_number);
    end
  end
endmodule
