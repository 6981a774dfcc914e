// The residual stream of one token, a tile of Cols elements a word.
//
// Purpose   The vector unit reads the old value of a tile and writes the new one a few cycles later.
// Params    Cols, W: elements and bits per element. Tiles: depth. TileW: address width.
// Latency   rtile_i -> rdata_o: 1 cycle. Write to read: the next cycle.
// It does not add (see vector_unit).
`default_nettype none

module residual_mem #(
    parameter integer Cols  = 16,
    parameter integer W     = 16,
    parameter integer Tiles = 4,
    parameter integer TileW = 2
) (
    input  wire              clk_i,
    input  wire              we_i,
    input  wire [ TileW-1:0] wtile_i,
    input  wire [Cols*W-1:0] wdata_i,
    input  wire [ TileW-1:0] rtile_i,
    output wire [Cols*W-1:0] rdata_o
);
  (* no_rw_check *) reg [Cols*W-1:0] mem[0:Tiles-1];  // a word that is written is not read for use
  reg [Cols*W-1:0] rdata_q;

  initial begin
    for (integer i = 0; i < Tiles; i = i + 1) mem[i] = {(Cols * W) {1'b0}};
  end

  always_ff @(posedge clk_i) begin
    if (we_i) mem[wtile_i] <= wdata_i;
    rdata_q <= mem[rtile_i];
  end

  assign rdata_o = rdata_q;
endmodule

`default_nettype wire
