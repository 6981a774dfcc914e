// The RMS scale of the residual stream: (mantissa, exponent) of 1/rms, while the stream is written.
//
// Purpose   Squares every tile as it is written, adds them up, and looks up the inverse square root
//           after the last one. The scale is applied after the next matrix product (requant_lane),
//           so that normalisation costs no pass of its own.
// Params    Cols: elements per tile (integers of W bits, in lanes of 16). Passes: cycles to square a
//           tile; tiles come at least that far apart. SumW: bits of the sum. Eps: epsilon in units
//           of the sum. IndexBits: see scalar_lut.
// Latency   last tile -> mant_o, exp_o: that of sum_squares plus that of scalar_lut; held until the
//           next result.
// It does not subtract a mean (folded away offline) and has no gain (folded into the weights).
`default_nettype none

module norm_unit #(
    parameter integer        Cols   = 16,
    parameter integer        Passes = 4,
    parameter integer        W      = 16,
    parameter integer        SumW   = 40,
    parameter integer        IndexBits = 6,
    parameter logic [SumW-1:0] Eps = 1
) (
    input  wire               clk_i,
    input  wire               rst_i,
    // residual tiles
    input  wire               valid_i,
    input  wire               first_i,
    input  wire               last_i,
    input  wire [Cols*16-1:0] data_i,
    // table of 1/sqrt
    output wire [IndexBits+1:0] table_addr_o,
    input  wire [       15:0] table_data_i,
    // result, held
    output wire               valid_o,
    output wire [       15:0] mant_o,
    output wire [        5:0] exp_o
);
  wire            sum_valid;
  wire [SumW-1:0] sum;
  wire [    15:0] mant;
  wire [     5:0] exponent;
  wire            lut_valid;
  reg  [    15:0] mant_q;
  reg  [     5:0] exp_q;

  wire [Cols*W-1:0] data;
  for (genvar c = 0; c < Cols; c = c + 1) begin : g_lane
    assign data[c*W+:W] = data_i[c*16+:W];
  end

  sum_squares #(
      .C(Cols),
      .Passes(Passes),
      .W(W),
      .SumW(SumW)
  ) u_sum_squares (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .tile_valid_i(valid_i),
      .first_i(first_i),
      .last_i(last_i),
      .data_i(data),
      .eps_i(Eps),
      .valid_o(sum_valid),
      .sum_o(sum)
  );

  scalar_lut #(
      .InW(SumW),
      .Even(1),
      .IndexBits(IndexBits),
      .AddrW(IndexBits + 2)
  ) u_scalar_lut (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .valid_i(sum_valid),
      .value_i(sum),
      .table_addr_o(table_addr_o),
      .table_data_i(table_data_i),
      .valid_o(lut_valid),
      .mant_o(mant),
      .exp_o(exponent)
  );

  always_ff @(posedge clk_i) begin
    if (lut_valid) begin
      mant_q <= mant;
      exp_q  <= exponent;
    end
  end

  // the result is usable in the cycle in which it arrives
  assign valid_o = lut_valid;
  assign mant_o = lut_valid ? mant : mant_q;
  assign exp_o = lut_valid ? exponent : exp_q;

  wire unused = &{1'b0, data_i};  // bits above W are copies of the sign
endmodule

`default_nettype wire
