// One lane of the requantiser: an accumulator becomes an activation, score, logit or residual.
//
//   a = SAT18(SHR(acc, shift));  y = (a * mant) >>> exp;  z = SAT_bits((y + bias) >>> 4)
//   SHR(x, s) = floor(x / 2^s + 1/2);  SAT_b clamps to +-(2^(b-1) - 1)
//
// Parameters: AccW   accumulator width in bits
//             BiasW  bias width in bits
// Formats:    acc, bias, z two's complement; mant unsigned, 2^15 = 1.0; bias in units of z / 16,
//             its rounding half (8) included; out_bits 2..16
// Latency:    7 cycles, one value per cycle. The inputs are sampled when the value gets there:
//             acc_i, shift_i at t0; mant_i at t0+1; exp_i at t0+4; bias_i at t0+5;
//             out_bits_i at t0+4, for its limit goes to many lanes; z_o is valid at t0+7
// Does not:   carry a valid bit, reset or stall.
`default_nettype none

module requant_lane #(
    parameter int AccW  = 32,
    parameter int BiasW = 24
) (
    input  logic                    clk_i,
    input  logic signed [ AccW-1:0] acc_i,
    input  logic        [      4:0] shift_i,
    input  logic        [     15:0] mant_i,
    input  logic        [      5:0] exp_i,
    input  logic signed [BiasW-1:0] bias_i,
    input  logic        [      4:0] out_bits_i,
    output logic signed [     15:0] z_o
);
  localparam int SHIFT_W = (AccW + 1 > 20) ? AccW + 1 : 20;  // one bit below for the rounding
  localparam int PRODUCT_W = 35;  // 18 bits times 17
  localparam int SUM_W = ((BiasW > PRODUCT_W) ? BiasW : PRODUCT_W) + 1;

  // t0 -> t0+1: shift, one bit kept below the point
  logic signed [SHIFT_W-1:0] acc_wide, shifted_q;
  assign acc_wide = {{(SHIFT_W - AccW - 1) {acc_i[AccW-1]}}, acc_i, 1'b0};
  always_ff @(posedge clk_i) shifted_q <= acc_wide >>> shift_i;

  // t0+1: round and clamp to 18 bits; whether to clamp is seen beside the carry chain
  logic sign, too_high, too_low, unused_half;
  logic [17:0] rounded, factor;
  assign {rounded, unused_half} = shifted_q[18:0] + 19'd1;
  assign sign = shifted_q[SHIFT_W-1];
  assign too_high = !sign && ((shifted_q[SHIFT_W-2:18] != '0) || (shifted_q[17:0] == '1));
  assign too_low  = sign && ((shifted_q[SHIFT_W-2:18] != '1) || (shifted_q[17:0] == '0));
  always_comb begin
    factor = rounded;
    if (too_high) factor = 18'h1ffff;
    if (too_low) factor = 18'h20001;
  end

  // t0+1 -> t0+4
  logic signed [PRODUCT_W-1:0] product;
  mul #(
      .AW(18),
      .BW(17)
  ) u_mul (
      .clk_i(clk_i),
      .a_i  (factor),
      .b_i  ({1'b0, mant_i}),
      .p_o  (product)
  );

  // t0+4 -> t0+5: the shift, but for up to three places
  logic signed [PRODUCT_W-1:0] coarse_q, scaled;
  logic [1:0] fine_q;
  always_ff @(posedge clk_i) begin
    coarse_q <= product >>> {exp_i[5:2], 2'd0};
    fine_q   <= exp_i[1:0];
  end

  // t0+5 -> t0+6
  assign scaled = coarse_q >>> fine_q;
  logic signed [SUM_W-1:0] sum_q;
  always_ff @(posedge clk_i) begin
    sum_q <= {{(SUM_W - PRODUCT_W) {scaled[PRODUCT_W-1]}}, scaled} +
             {{(SUM_W - BiasW) {bias_i[BiasW-1]}}, bias_i};
  end

  // t0+6 -> t0+7: drop the four guard bits
  logic signed [15:0] saturated;
  logic [14:0] limit, limit_q, limit_t6;
  bits_limit #(
      .W(15)
  ) u_limit (
      .bits_i (out_bits_i),
      .limit_o(limit)
  );
  always_ff @(posedge clk_i) begin
    limit_q  <= limit;
    limit_t6 <= limit_q;
  end
  logic unused_guard;
  assign unused_guard = &{1'b0, sum_q[3:0]};
  saturate #(
      .InW (SUM_W - 4),
      .OutW(16)
  ) u_saturate (
      .value_i(sum_q[SUM_W-1:4]),
      .limit_i(limit_t6),
      .value_o(saturated)
  );
  always_ff @(posedge clk_i) z_o <= saturated;
endmodule
