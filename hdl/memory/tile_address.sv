// Operand memory address of the tiles of one vector, written in order.
//
// Purpose   A word takes Groups tiles (see operand_bank). The first tile names its place; each
//           following one runs on from there.
// Params    WordW, GroupW: address widths. Groups: tiles per word.
// Latency   word_o, group_o follow the inputs in the same cycle.
// It does not check that tiles come in order.
`default_nettype none

module tile_address #(
    parameter integer WordW  = 6,
    parameter integer GroupW = 1,
    parameter integer Groups = 1
) (
    input  wire              clk_i,
    input  wire              valid_i,
    input  wire              first_i,
    input  wire [ WordW-1:0] base_word_i,
    input  wire [GroupW-1:0] base_group_i,
    output wire [ WordW-1:0] word_o,
    output wire [GroupW-1:0] group_o
);
  localparam integer GROUP_LAST_INT = Groups - 1;
  localparam logic [GroupW-1:0] GROUP_LAST = GROUP_LAST_INT[GroupW-1:0];

  reg [WordW-1:0] next_word_q;
  reg [GroupW-1:0] next_group_q;
  wire [WordW-1:0] word = first_i ? base_word_i : next_word_q;
  wire [GroupW-1:0] group = first_i ? base_group_i : next_group_q;
  wire group_end = group == GROUP_LAST;

  always_ff @(posedge clk_i) begin
    if (valid_i) begin
      next_word_q  <= group_end ? word + 1'b1 : word;
      next_group_q <= group_end ? {GroupW{1'b0}} : group + 1'b1;
    end
  end

  assign word_o = word;
  assign group_o = group;
endmodule

`default_nettype wire
