// Rotary position: rotates the pairs of lanes (2j, 2j+1) of a tile, or passes the tile through.
//
//   out[2j]   = SAT_bits(SHR(z[2j] * cos[j] - z[2j+1] * sin[j], 14))
//   out[2j+1] = SAT_bits(SHR(z[2j+1] * cos[j] + z[2j] * sin[j], 14))
//   bypass_i = 1: out = z, unsaturated, at the same latency.
//
// C / Passes lanes (two multipliers each) work on a tile in Passes cycles.
//
// Parameters: C       lanes of a tile; if odd, the last one has no partner and stays as it is if 0
//             Passes  cycles per tile, a divisor of C
//             W       width of a lane in bits, <= 16
// Formats:    data two's complement, lane l at [l*W +: W]; cos, sin Q1.14, pair j at [j*16 +: 16];
//             out_bits 2..W
// Latency:    Passes + 5 cycles; tiles must come at least Passes cycles apart.
//             data_o holds the tile only in the cycle of valid_o
// Does not:   stall.
`default_nettype none

module rope #(
    parameter int C = 16,
    parameter int Passes = 2,
    parameter int W = 16
) (
    input  logic              clk_i,
    input  logic              rst_i,
    input  logic              tile_valid_i,
    input  logic              bypass_i,
    input  logic [       4:0] out_bits_i,
    input  logic [   C*W-1:0] data_i,
    input  logic [C/2*16-1:0] cos_i,
    input  logic [C/2*16-1:0] sin_i,
    output logic              valid_o,
    output logic [   C*W-1:0] data_o
);
  localparam int GROUP = C / Passes;  // lanes of one pass
  localparam int SUM_W = W + 17;
  localparam int ROUND_W = SUM_W - 13;
  localparam int BYPASS_INT = W + 1;
  localparam logic [4:0] BYPASS_BITS = BYPASS_INT[4:0];  // never saturates
  localparam logic [15:0] ONE = 16'd16384;

  // A tile by lane: the lane itself, its partner, cosine and sine.
  logic [C*W-1:0] partner;
  logic [C*16-1:0] cosine, sine;
  for (genvar lane = 0; lane < C; lane = lane + 1) begin : g_lane
    localparam int PARTNER = ((lane ^ 1) < C) ? (lane ^ 1) : lane;
    localparam int PAIR = (lane / 2 < C / 2) ? lane / 2 : lane / 2 - 1;
    assign partner[lane*W+:W]   = data_i[PARTNER*W+:W];
    assign cosine[lane*16+:16]  = bypass_i ? ONE : cos_i[PAIR*16+:16];
    assign sine[lane*16+:16]    = sin_i[PAIR*16+:16] & {16{!bypass_i}};
  end

  // The lanes of this pass: the first from the ports, the others from a register that moves on.
  logic [GROUP*W-1:0] own_now, partner_now;
  logic [GROUP*16-1:0] cosine_now, sine_now;
  logic [4:0] bits_in, bits_now, bits_sum;
  logic odd_now, odd_sum;  // number of the pass modulo 2
  assign bits_in = bypass_i ? BYPASS_BITS : out_bits_i;

  if (Passes == 1) begin : g_one_pass
    assign own_now = data_i;
    assign partner_now = partner;
    assign cosine_now = cosine;
    assign sine_now = sine;
    assign bits_now = bits_in;
    assign odd_now = 1'b0;
  end else begin : g_passes
    localparam int HELD = C - GROUP;
    logic [HELD*W-1:0] own_q, partner_q;
    logic [HELD*16-1:0] cosine_q, sine_q;
    logic [4:0] bits_q;
    logic odd_q;

    assign own_now = tile_valid_i ? data_i[GROUP*W-1:0] : own_q[GROUP*W-1:0];
    assign partner_now = tile_valid_i ? partner[GROUP*W-1:0] : partner_q[GROUP*W-1:0];
    assign cosine_now = tile_valid_i ? cosine[GROUP*16-1:0] : cosine_q[GROUP*16-1:0];
    assign sine_now = tile_valid_i ? sine[GROUP*16-1:0] : sine_q[GROUP*16-1:0];
    assign bits_now = tile_valid_i ? bits_in : bits_q;
    assign odd_now = !tile_valid_i && odd_q;

    always_ff @(posedge clk_i) begin
      own_q     <= tile_valid_i ? data_i[C*W-1:GROUP*W] : own_q >> (GROUP * W);
      partner_q <= tile_valid_i ? partner[C*W-1:GROUP*W] : partner_q >> (GROUP * W);
      cosine_q  <= tile_valid_i ? cosine[C*16-1:GROUP*16] : cosine_q >> (GROUP * 16);
      sine_q    <= tile_valid_i ? sine[C*16-1:GROUP*16] : sine_q >> (GROUP * 16);
      bits_q    <= bits_now;
      odd_q     <= !odd_now;
    end
  end

  // A lane is even (subtracts) by its place alone if the groups are; else the pass decides too.
  delay_line #(
      .W(1),
      .N(3)
  ) u_odd (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i  (odd_now && (GROUP % 2 != 0)),
      .d_o  (odd_sum)
  );
  delay_line #(
      .W(5),
      .N(5)
  ) u_bits (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i  (bits_now),
      .d_o  (bits_sum)
  );

  logic [W-1:0] limit;
  bits_limit #(
      .W(W)
  ) u_limit (
      .bits_i (bits_sum),
      .limit_o(limit)
  );

  logic [GROUP*W-1:0] turned;
  for (genvar place = 0; place < GROUP; place = place + 1) begin : g_place
    logic signed [W+15:0] direct, crossed;
    logic signed [SUM_W-1:0] direct_wide, crossed_wide, sum_q;
    logic [ROUND_W-1:0] rounded;
    logic [ROUND_W-2:0] rounded_q;
    logic signed [W:0] saturated;
    logic subtract, unused_bits;

    mul #(
        .AW(W),
        .BW(16)
    ) u_direct (
        .clk_i(clk_i),
        .a_i  (own_now[place*W+:W]),
        .b_i  (cosine_now[place*16+:16]),
        .p_o  (direct)
    );
    mul #(
        .AW(W),
        .BW(16)
    ) u_crossed (
        .clk_i(clk_i),
        .a_i  (partner_now[place*W+:W]),
        .b_i  (sine_now[place*16+:16]),
        .p_o  (crossed)
    );

    assign subtract = (place % 2 == 0) ^ odd_sum;
    assign direct_wide = {direct[W+15], direct};
    assign crossed_wide = {crossed[W+15], crossed};
    always_ff @(posedge clk_i) begin
      sum_q <= subtract ? direct_wide - crossed_wide : direct_wide + crossed_wide;
    end

    assign rounded = sum_q[SUM_W-1:13] + {{(ROUND_W - 1) {1'b0}}, 1'b1};
    always_ff @(posedge clk_i) rounded_q <= rounded[ROUND_W-1:1];
    saturate #(
        .InW (ROUND_W - 1),
        .OutW(W + 1)
    ) u_saturate (
        .value_i(rounded_q),
        .limit_i(limit),
        .value_o(saturated)
    );
    assign turned[place*W+:W] = saturated[W-1:0];
    assign unused_bits = &{1'b0, sum_q[12:0], rounded[0], saturated[W]};
  end

  // The passes are collected from the lowest lanes up.
  if (Passes == 1) begin : g_whole
    always_ff @(posedge clk_i) data_o <= turned;
  end else begin : g_collect
    always_ff @(posedge clk_i) data_o <= {turned, data_o[C*W-1:GROUP*W]};
  end

  delay_line #(
      .W(1),
      .N(Passes + 5),
      .Reset(1)
  ) u_valid (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i  (tile_valid_i),
      .d_o  (valid_o)
  );
endmodule
