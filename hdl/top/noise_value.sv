// Gumbel noise of one random number: a table and a multiplier.
//
//   z = min(leading zeros, 15), frac = the 6 bits after bit 31 - z,
//   noise = SHR(GUMBEL[z * 64 + frac] * temp, 12)
//
// Parameters: NoiseW  width of a noise value in bits (see noise)
// Formats:    table Q5.10 two's complement, noise two's complement in logit units;
//             temp unsigned, Q4.12 of logit units
// Latency:    random_i to noise_o: 8 cycles, of them gumbel_addr_o to gumbel_data_i: 1 cycle
// Does not:   stall. Keep temp_i constant while numbers are on their way.
`default_nettype none

module noise_value #(
    parameter int NoiseW = 20
) (
    input  logic              clk_i,
    input  logic              rst_i,
    input  logic [      31:0] random_i,
    input  logic [      15:0] temp_i,
    output logic [       9:0] gumbel_addr_o,
    input  logic [      15:0] gumbel_data_i,
    output logic [NoiseW-1:0] noise_o
);
  // Cell of the table: leading zeros and the bits after the leading one.
  logic [5:0] position, fraction, fraction_low;
  logic [3:0] zeros;
  logic clipped;
  normalize #(
      .W(32),
      .FracW(6)
  ) u_normalize (
      .clk_i(clk_i),
      .value_i(random_i),
      .position_o(position),
      .fraction_o(fraction)
  );
  delay_line #(
      .W(6),
      .N(2)
  ) u_fraction_low (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i  (random_i[15:10]),
      .d_o  (fraction_low)
  );
  logic unused_bit;
  assign unused_bit = position[5];
  assign clipped = !position[4];
  assign zeros = clipped ? 4'd15 : ~position[3:0];
  always_ff @(posedge clk_i) gumbel_addr_o <= {zeros, clipped ? fraction_low : fraction};

  // Temperature.
  logic signed [32:0] product;
  logic signed [NoiseW-1:0] noise_q;
  logic [21:0] rounded;
  logic unused_low;
  mul #(
      .AW(16),
      .BW(17)
  ) u_mul (
      .clk_i(clk_i),
      .a_i  (gumbel_data_i),
      .b_i  ({1'b0, temp_i}),
      .p_o  (product)
  );
  assign rounded = product[32:11] + 22'd1;
  assign unused_low = &{1'b0, product[10:0], rounded[21:NoiseW+1], rounded[0]};
  always_ff @(posedge clk_i) noise_q <= rounded[NoiseW:1];
  assign noise_o = noise_q;
endmodule
