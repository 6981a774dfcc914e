// Embedding: adds the rows of a token and of a position and emits them tile by tile.
//
//   x[tile] = SAT_W(tok_table[token * Tiles + tile] + pos_table[pos * Tiles + tile])
//   HasPos = 0: x[tile] = tok_table[token * Tiles + tile]
//
// Parameters: C         lanes of a tile
//             Tiles     tiles of a row (d_model / C)
//             TokenW    width of a token in bits
//             PosW      width of a position in bits
//             HasPos    1: there is a position table
//             Gap       a tile every Gap cycles, >= 1
//             W         width of table entries and of x in bits, <= 16
//             TokAddrW  width of the token table's address
//             PosAddrW  width of the position table's address
// Formats:    two's complement; table entries: lane l at [l*W +: W]; x, extended: [l*16 +: 16]
// Latency:    start_i to tile n on x_o: 4 + n * Gap cycles; tok_addr_o and pos_addr_o at
//             t0 + 1 + n * Gap, *_data_i one cycle later (tables with a registered output)
// Needs:      start_i at least Tiles * Gap cycles after the start before
// Does not:   stall, or check token and position.
`default_nettype none

module embed #(
    parameter int C = 16,
    parameter int Tiles = 4,
    parameter int TokenW = 8,
    parameter int PosW = 7,
    parameter int HasPos = 1,
    parameter int Gap = 1,
    parameter int W = 16,
    parameter int TokAddrW = TokenW + $clog2(Tiles),
    parameter int PosAddrW = PosW + $clog2(Tiles),
    parameter int TileW = (Tiles > 1) ? $clog2(Tiles) : 1
) (
    input  logic                clk_i,
    input  logic                rst_i,
    input  logic                start_i,
    input  logic [  TokenW-1:0] token_i,
    input  logic [    PosW-1:0] pos_i,
    output logic [TokAddrW-1:0] tok_addr_o,
    input  logic [     C*W-1:0] tok_data_i,
    output logic [PosAddrW-1:0] pos_addr_o,
    input  logic [     C*W-1:0] pos_data_i,
    output logic                x_valid_o,
    output logic [   TileW-1:0] x_tile_o,
    output logic                x_first_o,
    output logic                x_last_o,
    output logic [    C*16-1:0] x_o
);
  localparam int WAIT_W = $clog2(Gap + 1);
  localparam int LAST_INT = Tiles - 1;
  localparam logic [TileW-1:0] LAST = LAST_INT[TileW-1:0];
  localparam int WAIT_INT = Gap - 1;
  localparam logic [WAIT_W-1:0] WAIT = WAIT_INT[WAIT_W-1:0];

  // One address per tile, held for Gap cycles; `fresh` in the first of them.
  logic active_q, fresh_q, next_tile;
  logic [WAIT_W-1:0] wait_q;
  logic [TileW-1:0] tile_q;
  logic [TokAddrW-1:0] tok_base;
  assign next_tile = active_q && (wait_q == '0) && (tile_q != LAST);

  scale_index #(
      .InW(TokenW),
      .OutW(TokAddrW),
      .Factor(Tiles)
  ) u_tok_base (
      .index_i(token_i),
      .product_o(tok_base)
  );

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      tile_q <= '0;
      wait_q <= WAIT;
      tok_addr_o <= tok_base;
    end else if (next_tile) begin
      tile_q <= tile_q + 1'b1;
      wait_q <= WAIT;
      tok_addr_o <= tok_addr_o + 1'b1;
    end else begin
      wait_q <= wait_q - 1'b1;
    end
    active_q <= !rst_i && (start_i || (active_q && ((wait_q != '0) || next_tile)));
    fresh_q  <= !rst_i && (start_i || next_tile);
  end

  delay_line #(
      .W(1),
      .N(3),
      .Reset(1)
  ) u_valid (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i  (fresh_q),
      .d_o  (x_valid_o)
  );
  delay_line #(
      .W(TileW + 2),
      .N(3)
  ) u_marks (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i  ({tile_q, tile_q == '0, tile_q == LAST}),
      .d_o  ({x_tile_o, x_first_o, x_last_o})
  );

  logic [C*W-1:0] tok_q;
  always_ff @(posedge clk_i) tok_q <= tok_data_i;

  if (HasPos != 0) begin : g_position
    logic [PosAddrW-1:0] pos_base;
    logic [C*W-1:0] pos_q;

    scale_index #(
        .InW(PosW),
        .OutW(PosAddrW),
        .Factor(Tiles)
    ) u_pos_base (
        .index_i(pos_i),
        .product_o(pos_base)
    );
    always_ff @(posedge clk_i) begin
      if (start_i) pos_addr_o <= pos_base;
      else if (next_tile) pos_addr_o <= pos_addr_o + 1'b1;
      pos_q <= pos_data_i;
    end

    for (genvar lane = 0; lane < C; lane = lane + 1) begin : g_lane
      logic signed [W:0] sum;
      logic signed [W-1:0] saturated;
      assign sum = {tok_q[lane*W+W-1], tok_q[lane*W+:W]} + {pos_q[lane*W+W-1], pos_q[lane*W+:W]};
      saturate #(
          .InW (W + 1),
          .OutW(W)
      ) u_saturate (
          .value_i(sum),
          .limit_i({(W - 1) {1'b1}}),
          .value_o(saturated)
      );
      always_ff @(posedge clk_i) begin
        x_o[lane*16+:16] <= {{(17 - W) {saturated[W-1]}}, saturated[W-2:0]};
      end
    end
  end else begin : g_no_position
    logic unused_position;
    assign unused_position = &{1'b0, pos_i, pos_data_i};
    assign pos_addr_o = '0;
    for (genvar lane = 0; lane < C; lane = lane + 1) begin : g_lane
      always_ff @(posedge clk_i) begin
        x_o[lane*16+:16] <= {{(17 - W) {tok_q[lane*W+W-1]}}, tok_q[lane*W+:W-1]};
      end
    end
  end
endmodule
