// Sum of the squares of a vector that comes in tiles of C lanes, plus a constant.
//
//   sum = eps + sum over all lanes of all tiles of data^2
//
// C / Passes multipliers work on a tile in Passes cycles.
//
// Parameters: C       lanes of a tile
//             Passes  cycles per tile, a divisor of C
//             W       width of a lane in bits, symmetric: the code -2^(W-1) does not exist
//             SumW    width of the sum in bits, >= 2W - 1 + $clog2(C / Passes); the sum must fit
// Formats:    lanes two's complement, lane l at [l*W +: W]; eps, sum unsigned
// Latency:    last tile to valid_o: Passes + 3 + ($clog2(C / Passes) + 1) / 2 cycles; tiles must
//             come at least Passes cycles apart. sum_o holds from valid_o to the next first tile
// eps_i:      sampled Passes - 1 cycles before valid_o of a one-tile vector: keep it constant
// Does not:   stall.
`default_nettype none

module sum_squares #(
    parameter int C = 16,
    parameter int Passes = 2,
    parameter int W = 16,
    parameter int SumW = 40
) (
    input  logic            clk_i,
    input  logic            rst_i,
    input  logic            tile_valid_i,
    input  logic            first_i,
    input  logic            last_i,
    input  logic [C*W-1:0] data_i,
    input  logic [SumW-1:0] eps_i,
    output logic            valid_o,
    output logic [SumW-1:0] sum_o
);
  localparam int GROUP = C / Passes;  // lanes of one pass
  localparam int SQUARE_W = 2 * W - 1;
  localparam int TREE_W = SQUARE_W + $clog2(GROUP);
  localparam int TREE_LATENCY = ($clog2(GROUP) + 1) / 2;

  // The lanes of this pass: the first from the ports, the others from a register that moves on.
  logic [GROUP*W-1:0] group_now;
  logic valid_now, start_now, done_now;

  if (Passes == 1) begin : g_one_pass
    assign group_now = data_i;
    assign valid_now = tile_valid_i;
    assign done_now  = tile_valid_i && last_i;
  end else begin : g_passes
    logic [(C-GROUP)*W-1:0] held_q;
    logic [Passes-1:0] pass;  // one-hot
    logic [Passes-2:0] pass_q;
    logic last_q;

    assign pass = {pass_q, tile_valid_i};
    assign group_now = tile_valid_i ? data_i[GROUP*W-1:0] : held_q[GROUP*W-1:0];
    assign valid_now = pass != '0;
    assign done_now = pass[Passes-1] && last_q;

    always_ff @(posedge clk_i) begin
      held_q <= tile_valid_i ? data_i[C*W-1:GROUP*W] : held_q >> (GROUP * W);
      if (tile_valid_i) last_q <= last_i;
      pass_q <= rst_i ? '0 : pass[Passes-2:0];
    end
  end
  assign start_now = tile_valid_i && first_i;

  logic [GROUP*SQUARE_W-1:0] squares;
  for (genvar place = 0; place < GROUP; place = place + 1) begin : g_place
    logic signed [2*W-1:0] square;
    logic unused_sign;
    mul #(
        .AW(W),
        .BW(W)
    ) u_mul (
        .clk_i(clk_i),
        .a_i  (group_now[place*W+:W]),
        .b_i  (group_now[place*W+:W]),
        .p_o  (square)
    );
    assign squares[place*SQUARE_W+:SQUARE_W] = square[2*W-2:0];
    assign unused_sign = square[2*W-1];
  end

  logic [TREE_W-1:0] tree_sum;
  adder_tree #(
      .N(GROUP),
      .W(SQUARE_W),
      .OutW(TREE_W)
  ) u_tree (
      .clk_i(clk_i),
      .values_i(squares),
      .sum_o(tree_sum)
  );

  logic valid_sum, start_sum, done_sum;
  delay_line #(
      .W(3),
      .N(3 + TREE_LATENCY),
      .Reset(1)
  ) u_flags (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i  ({valid_now, start_now, done_now}),
      .d_o  ({valid_sum, start_sum, done_sum})
  );

  logic [SumW-1:0] tree_wide;
  if (SumW > TREE_W) begin : g_extend
    assign tree_wide = {{(SumW - TREE_W) {1'b0}}, tree_sum};
  end else begin : g_same
    assign tree_wide = tree_sum;
  end

  always_ff @(posedge clk_i) begin
    if (valid_sum) sum_o <= (start_sum ? eps_i : sum_o) + tree_wide;
    valid_o <= !rst_i && done_sum;
  end
endmodule
