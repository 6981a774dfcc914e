// The write port of the operand memories: a tile of an embedding, of a step, or of a query.
//
// Purpose   Three sources far apart share one port that reaches every row of the array. Each is
//           kept in registers of its own before the choice, so that what chooses can be copied for
//           each part of the device, and no way has both the choice and the distance.
// Params    Lanes: elements of a tile; W: bits of an element; CtxW, WordW, GroupW: context and address
// Latency   1 cycle
// Needs     at most one valid input in a cycle; export/ schedules steps so that no two meet
// It does not arbitrate or stall. The data are 0 while nothing is valid.
`default_nettype none

module operand_port #(
    parameter integer Lanes  = 16,
    parameter integer W      = 8,
    parameter integer CtxW   = 1,
    parameter integer WordW  = 6,
    parameter integer GroupW = 1
) (
    input  wire               clk_i,
    input  wire               rst_i,
    input  wire               embed_valid_i,
    input  wire [   CtxW-1:0] embed_ctx_i,
    input  wire [  WordW-1:0] embed_word_i,
    input  wire [ GroupW-1:0] embed_group_i,
    input  wire [Lanes*W-1:0] embed_data_i,
    input  wire               tile_valid_i,
    input  wire [   CtxW-1:0] tile_ctx_i,
    input  wire [  WordW-1:0] tile_word_i,
    input  wire [ GroupW-1:0] tile_group_i,
    input  wire [  Lanes-1:0] tile_lanes_i,
    input  wire [Lanes*W-1:0] tile_data_i,
    input  wire               query_valid_i,
    input  wire [   CtxW-1:0] query_ctx_i,
    input  wire [  WordW-1:0] query_word_i,
    input  wire [ GroupW-1:0] query_group_i,
    input  wire [Lanes*W-1:0] query_data_i,
    output wire               we_o,
    output wire [   CtxW-1:0] ctx_o,
    output wire [  WordW-1:0] word_o,
    output wire [ GroupW-1:0] group_o,
    output wire [  Lanes-1:0] lanes_o,
    output wire [Lanes*W-1:0] data_o
);
  localparam integer AllW = CtxW + WordW + GroupW + Lanes + Lanes * W;

  reg embed_valid_q, tile_valid_q, query_valid_q;
  reg [AllW-1:0] embed_q, tile_q, query_q;

  always_ff @(posedge clk_i) begin
    embed_q <= {embed_ctx_i, embed_word_i, embed_group_i, {Lanes{1'b1}}, embed_data_i};
    tile_q <= {tile_ctx_i, tile_word_i, tile_group_i, tile_lanes_i, tile_data_i};
    query_q <= {query_ctx_i, query_word_i, query_group_i, {Lanes{1'b1}}, query_data_i};
    embed_valid_q <= !rst_i && embed_valid_i;
    tile_valid_q <= !rst_i && tile_valid_i;
    query_valid_q <= !rst_i && query_valid_i;
  end

  assign we_o = embed_valid_q || tile_valid_q || query_valid_q;
  assign {ctx_o, word_o, group_o, lanes_o, data_o} = ({AllW{embed_valid_q}} & embed_q) |
      ({AllW{tile_valid_q}} & tile_q) | ({AllW{query_valid_q}} & query_q);
endmodule

`default_nettype wire
