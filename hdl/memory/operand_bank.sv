// The share of one array row in an operand memory: element e of a vector lies in row e mod Rows.
//
// Purpose   The vector unit writes tiles of Cols elements; the array reads waves of Rows elements,
//           one per row. One memory word is lcm(Rows, Cols) elements of a vector: Sub waves, or
//           Groups tiles. A row holds Sub elements of it, element s*Rows + Row in a memory of its
//           own, written by the tile `group` in which it falls.
// Params    Rows, Cols: array shape. Row: this bank's row. Sub: lcm(Rows, Cols) / Rows.
//           ZeroFill: a write of group 0 clears the other groups of its word (vectors that grow).
//           W: bits per element. Words: depth. WordW, SubW, GroupW: address widths (>= 1).
// Latency   raddr_word_i, raddr_sub_i -> rdata_o: 1 cycle, and a choice of one element of the word;
//           the reader registers it. Write to read: the next cycle.
// It does not know which vectors lie where, and does not detect hazards (see scoreboard).
`default_nettype none

module operand_bank #(
    parameter integer Rows     = 8,
    parameter integer Cols     = 16,
    parameter integer Row      = 0,
    parameter integer ZeroFill = 0,
    parameter integer W        = 16,
    parameter integer Words    = 64,
    parameter integer WordW    = 6,
    parameter integer SubW     = 1,
    parameter integer Sub      = 2,
    parameter integer GroupW   = 1
) (
    input  wire              clk_i,
    // write port: lanes (s*Rows + Row) mod Cols of a tile, for s = 0, 1, .. Sub-1
    input  wire              we_i,
    input  wire [ WordW-1:0] waddr_word_i,
    input  wire [GroupW-1:0] waddr_group_i,
    input  wire [   Sub-1:0] wlane_en_i,
    input  wire [ Sub*W-1:0] wdata_i,
    // read port: this row's element of one wave
    input  wire [ WordW-1:0] raddr_word_i,
    input  wire [  SubW-1:0] raddr_sub_i,
    output wire [     W-1:0] rdata_o
);
  wire               clear = ZeroFill != 0 && waddr_group_i == {GroupW{1'b0}};
  wire [  Sub*W-1:0] word;
  reg  [  SubW-1:0]  sub_q;

  for (genvar s = 0; s < Sub; s = s + 1) begin : g_sub
    localparam integer GROUP_INT = (s * Rows + Row) / Cols;
    localparam logic [GroupW-1:0] GROUP = GROUP_INT[GroupW-1:0];
    wire group_hit = waddr_group_i == GROUP;
    (* no_rw_check *) reg [W-1:0] mem[0:Words-1];  // a word that is written is not read for use
    reg [W-1:0] read_q;

    initial begin
      for (integer i = 0; i < Words; i = i + 1) mem[i] = {W{1'b0}};
    end

    always_ff @(posedge clk_i) begin
      if (we_i && (group_hit ? wlane_en_i[s] : clear)) begin
        mem[waddr_word_i] <= group_hit ? wdata_i[s*W+:W] : {W{1'b0}};
      end
      read_q <= mem[raddr_word_i];
    end

    assign word[s*W+:W] = read_q;
  end

  always_ff @(posedge clk_i) sub_q <= raddr_sub_i;

  assign rdata_o = word[sub_q*W+:W];
endmodule

`default_nettype wire
