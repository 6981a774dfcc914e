// Argmax of logit plus noise over the vocabulary, which comes in tiles of C lanes.
//
// Parameters: C       lanes of a tile, >= 2
//             Vocab   number of tokens; lanes beyond it in the last tile are ignored
//             Tiles   tiles of the vocabulary, ceil(Vocab / C)
//             TokenW  width of a token in bits
//             NoiseW  width of a noise value in bits
// Formats:    logit (16 bits) and noise two's complement in the same units; token unsigned
// Latency:    last tile to token_valid_o: L + 2 cycles, L = ($clog2(C) + 1) / 2; one tile per cycle.
//             token_o holds from token_valid_o until the next logits
// Ties:       the lowest token wins.
// Needs:      tiles 0 .. Tiles - 1 in order, idle cycles allowed; logit_last_i at Tiles - 1
// Does not:   stall.
`default_nettype none

module sampler #(
    parameter int C = 16,
    parameter int Vocab = 64,
    parameter int Tiles = (Vocab + C - 1) / C,
    parameter int TokenW = $clog2(Vocab),
    parameter int NoiseW = 20,
    parameter int TileW = (Tiles > 1) ? $clog2(Tiles) : 1
) (
    input  logic                clk_i,
    input  logic                rst_i,
    input  logic                logit_valid_i,
    input  logic [   TileW-1:0] logit_tile_i,
    input  logic                logit_last_i,
    input  logic [    C*16-1:0] logit_i,
    input  logic [C*NoiseW-1:0] noise_i,
    output logic                token_valid_o,
    output logic [  TokenW-1:0] token_o
);
  localparam int LEVELS = ($clog2(C) + 1) / 2;
  localparam int SCORE_W = ((NoiseW > 16) ? NoiseW : 16) + 1;
  localparam int LANES_LEFT = Vocab - (Tiles - 1) * C;  // lanes of the last tile
  localparam int INDEX_W = TileW + 2 * LEVELS;
  localparam int NUMBER_W = ((INDEX_W > TokenW) ? INDEX_W : TokenW) + 1;

  logic [C*SCORE_W-1:0] scores_q;
  logic [C-1:0] present_d, present_q;
  for (genvar lane = 0; lane < C; lane = lane + 1) begin : g_lane
    logic [SCORE_W-1:0] score;
    assign score = {{(SCORE_W - 16) {logit_i[lane*16+15]}}, logit_i[lane*16+:16]} +
                   {{(SCORE_W - NoiseW) {noise_i[(lane+1)*NoiseW-1]}},
                    noise_i[lane*NoiseW+:NoiseW]};
    assign present_d[lane] = (lane < LANES_LEFT) || !logit_last_i;
    always_ff @(posedge clk_i) scores_q[lane*SCORE_W+:SCORE_W] <= score;
  end

  always_ff @(posedge clk_i) present_q <= present_d;

  logic [SCORE_W-1:0] tile_max, best_q;
  logic [SCORE_W:0] best_minus_tile;
  logic [2*LEVELS-1:0] lane_index;
  max_tree #(
      .N(C),
      .W(SCORE_W)
  ) u_max (
      .clk_i(clk_i),
      .present_i(present_q),
      .values_i(scores_q),
      .max_o(tile_max),
      .index_o(lane_index)
  );

  logic tile_valid, tile_first, tile_last;
  logic [NUMBER_W-1:0] tile_base_d, tile_base, number;
  scale_index #(
      .InW(TileW),
      .OutW(NUMBER_W),
      .Factor(C)
  ) u_base (
      .index_i(logit_tile_i),
      .product_o(tile_base_d)
  );
  delay_line #(
      .W(3),
      .N(LEVELS + 1),
      .Reset(1)
  ) u_flags (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i  ({logit_valid_i, logit_tile_i == '0, logit_last_i}),
      .d_o  ({tile_valid, tile_first, tile_last})
  );
  delay_line #(
      .W(NUMBER_W),
      .N(LEVELS + 1)
  ) u_tile_base (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i  (tile_base_d),
      .d_o  (tile_base)
  );
  assign number = tile_base + {{(NUMBER_W - 2 * LEVELS) {1'b0}}, lane_index};

  assign best_minus_tile = {best_q[SCORE_W-1], best_q} - {tile_max[SCORE_W-1], tile_max};

  logic unused_bits;
  assign unused_bits = &{1'b0, number[NUMBER_W-1:TokenW], best_minus_tile[SCORE_W-1:0]};
  always_ff @(posedge clk_i) begin
    if (tile_valid && (tile_first || best_minus_tile[SCORE_W])) begin
      best_q  <= tile_max;
      token_o <= number[TokenW-1:0];
    end
    token_valid_o <= !rst_i && tile_valid && tile_last;
  end
endmodule
