// Sum of the squares of a vector that comes in tiles of C lanes, plus a constant.
//
//   sum = eps + sum over all lanes of all tiles of data^2
//
// C / Passes multipliers work on a tile in Passes cycles.
//
// Parameters: C       lanes of a tile
//             Passes  cycles per tile, a divisor of C
//             SumW    width of the sum in bits, >= 31 + $clog2(C / Passes); the sum must fit
// Formats:    lanes two's complement, lane l at [l*16 +: 16]; eps, sum unsigned
// Latency:    last tile to valid_o: Passes + 3 + ($clog2(C / Passes) + 1) / 2 cycles; tiles must
//             come at least Passes cycles apart. sum_o holds from valid_o to the next first tile
// eps_i:      sampled Passes - 1 cycles before valid_o of a one-tile vector: keep it constant
// Does not:   stall.
`default_nettype none

module sum_squares #(
    parameter int C = 16,
    parameter int Passes = 2,
    parameter int SumW = 40
) (
    input  logic            clk_i,
    input  logic            rst_i,
    input  logic            tile_valid_i,
    input  logic            first_i,
    input  logic            last_i,
    input  logic [C*16-1:0] data_i,
    input  logic [SumW-1:0] eps_i,
    output logic            valid_o,
    output logic [SumW-1:0] sum_o
);
  localparam int GROUP = C / Passes;  // lanes of one pass
  localparam int TREE_W = 31 + $clog2(GROUP);
  localparam int TREE_LATENCY = ($clog2(GROUP) + 1) / 2;

  // The lanes of this pass: the first from the ports, the others from a register that moves on.
  logic [GROUP*16-1:0] group_now;
  logic valid_now, start_now, done_now;

  if (Passes == 1) begin : g_one_pass
    assign group_now = data_i;
    assign valid_now = tile_valid_i;
    assign done_now  = tile_valid_i && last_i;
  end else begin : g_passes
    logic [(C-GROUP)*16-1:0] held_q;
    logic [Passes-1:0] pass;  // one-hot
    logic [Passes-2:0] pass_q;
    logic last_q;

    assign pass = {pass_q, tile_valid_i};
    assign group_now = tile_valid_i ? data_i[GROUP*16-1:0] : held_q[GROUP*16-1:0];
    assign valid_now = pass != '0;
    assign done_now = pass[Passes-1] && last_q;

    always_ff @(posedge clk_i) begin
      held_q <= tile_valid_i ? data_i[C*16-1:GROUP*16] : held_q >> (GROUP * 16);
      if (tile_valid_i) last_q <= last_i;
      pass_q <= rst_i ? '0 : pass[Passes-2:0];
    end
  end
  assign start_now = tile_valid_i && first_i;

  logic [GROUP*31-1:0] squares;
  for (genvar place = 0; place < GROUP; place = place + 1) begin : g_place
    logic signed [31:0] square;
    logic unused_sign;
    mul #(
        .AW(16),
        .BW(16)
    ) u_mul (
        .clk_i(clk_i),
        .a_i  (group_now[place*16+:16]),
        .b_i  (group_now[place*16+:16]),
        .p_o  (square)
    );
    assign squares[place*31+:31] = square[30:0];
    assign unused_sign = square[31];
  end

  logic [TREE_W-1:0] tree_sum;
  adder_tree #(
      .N(GROUP),
      .W(31),
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
