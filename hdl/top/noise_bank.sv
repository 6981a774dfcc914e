// Noise of a vocabulary, written one value after the other, read as tiles of C lanes.
//
// Parameters: C       lanes of a tile
//             Vocab   values of one filling
//             Tiles   tiles of the vocabulary, ceil(Vocab / C)
//             NoiseW  width of a value in bits
//             Words   depth: Tiles for each vocabulary that is kept
//             AddrW   width of an address
// Formats:    value v in tile v / C, lane v % C at [lane*NoiseW +: NoiseW]
// Latency:    draw_i to the write of value_i: 9 cycles (one, and noise_value), where tile_o is the tile
//             and waddr_i the word to write; last_o comes with the last write of a filling.
//             raddr_i to noise_o: 1 cycle; zero_i, in the same cycle as raddr_i, reads zeros
// Does not:   keep reads and writes apart.
`default_nettype none

module noise_bank #(
    parameter int C = 16,
    parameter int Vocab = 64,
    parameter int Tiles = (Vocab + C - 1) / C,
    parameter int NoiseW = 20,
    parameter int TileW = (Tiles > 1) ? $clog2(Tiles) : 1,
    parameter int Words = Tiles,
    parameter int AddrW = TileW
) (
    input  logic                clk_i,
    input  logic                rst_i,
    input  logic                draw_i,
    input  logic [  NoiseW-1:0] value_i,
    output logic [   TileW-1:0] tile_o,
    input  logic [   AddrW-1:0] waddr_i,
    output logic                last_o,
    input  logic [   AddrW-1:0] raddr_i,
    input  logic                zero_i,
    output logic [C*NoiseW-1:0] noise_o
);
  localparam int LAST_LANE = (Vocab - 1) % C;
  localparam int LAST_TILE_INT = (Vocab - 1) / C;
  localparam logic [TileW-1:0] LAST_TILE = LAST_TILE_INT[TileW-1:0];

  logic write;
  logic [C-1:0] lane_q;  // one-hot
  logic [TileW-1:0] tile_q;
  delay_line #(
      .W(1),
      .N(9),
      .Reset(1)
  ) u_write (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i  (draw_i),
      .d_o  (write)
  );
  assign tile_o = tile_q;
  assign last_o = write && lane_q[LAST_LANE] && (tile_q == LAST_TILE);
  always_ff @(posedge clk_i) begin
    if (rst_i || last_o) begin
      lane_q <= {{(C - 1) {1'b0}}, 1'b1};
      tile_q <= '0;
    end else if (write) begin
      lane_q <= {lane_q[C-2:0], lane_q[C-1]};
      if (lane_q[C-1]) tile_q <= tile_q + 1'b1;
    end
  end

  for (genvar lane = 0; lane < C; lane = lane + 1) begin : g_lane
    (* no_rw_check *) reg [NoiseW-1:0] values[0:Words-1];  // reads and writes are apart
    logic [NoiseW-1:0] value_q;
    initial for (int word = 0; word < Words; word = word + 1) values[word] = '0;
    always_ff @(posedge clk_i) begin
      if (write && !rst_i && lane_q[lane]) values[waddr_i] <= value_i;
      value_q <= values[raddr_i];
      if (zero_i) value_q <= '0;
    end
    assign noise_o[lane*NoiseW+:NoiseW] = value_q;
  end
endmodule
