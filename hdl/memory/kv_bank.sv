// The share of one array row in the KV cache, which is the weight bank of attention.
//
// Purpose   K lies transposed: the word of a wave holds, for one channel i with i mod Rows == Row,
//           Cols consecutive positions t. V lies straight: the word holds, for one position t with
//           t mod Rows == Row, Cols consecutive channels. A new K element is therefore one column
//           of a word, a new V tile is a whole word of one row.
// Params    Rows, Cols, Row: array shape and this bank's row. W: bits per element. Depth, AddrW.
//           Sub, SubW, GroupW as in operand_bank.
// Latency   raddr_i -> rdata_o: 2 cycles. Write to read: three cycles, one for the way here with the
//           choice of this row's element, and one for the choice between it and a whole tile.
// It does not compute addresses (see kv_writer).
`default_nettype none

module kv_bank #(
    parameter integer Rows   = 8,
    parameter integer Cols   = 16,
    parameter integer Row    = 0,
    parameter integer W      = 8,
    parameter integer Depth  = 256,
    parameter integer AddrW  = 8,
    parameter integer Sub    = 2,
    parameter integer SubW   = 1,
    parameter integer GroupW = 1,
    parameter integer RowW   = 3,
    parameter integer ColW   = 4
) (
    input  wire              clk_i,
    // write port: V writes the whole tile into row `wrow`; K one element into column `wcol`, that of
    // wave `wsub` of a word of channels, if it lies in the word's tile `wgroup`
    input  wire              we_i,
    input  wire              wis_v_i,
    input  wire [ AddrW-1:0] waddr_i,
    input  wire [  SubW-1:0] wsub_i,
    input  wire [GroupW-1:0] wgroup_i,
    input  wire [  RowW-1:0] wrow_i,
    input  wire [  ColW-1:0] wcol_i,
    input  wire [Cols*W-1:0] wdata_i,
    // read port
    input  wire [ AddrW-1:0] raddr_i,
    output wire [Cols*W-1:0] rdata_o
);
  localparam logic [Cols-1:0] FIRST_COL = 1;
  localparam logic [RowW-1:0] ROW = Row[RowW-1:0];

  (* no_rw_check *) reg [Cols*W-1:0] mem[0:Depth-1];  // a word that is written is not read for use
  reg  [Cols*W-1:0] read_q;
  reg  [Cols*W-1:0] rdata_q;

  wire [ Sub*W-1:0] mine;  // this row's elements of a K tile, if it is the right one
  wire [   Sub-1:0] group_hit;
  wire [     W-1:0] element;

  for (genvar s = 0; s < Sub; s = s + 1) begin : g_sub
    localparam integer PLACE = s * Rows + Row;  // in the word
    localparam integer GROUP_INT = PLACE / Cols;
    localparam logic [GroupW-1:0] GROUP = GROUP_INT[GroupW-1:0];
    assign group_hit[s] = wgroup_i == GROUP;
    assign mine[s*W+:W] = wdata_i[(PLACE%Cols)*W+:W];
  end
  assign element = mine[wsub_i*W+:W];

  initial begin
    for (integer i = 0; i < Depth; i = i + 1) mem[i] = {(Cols * W) {1'b0}};
  end

  reg hit_q, is_v_q;
  reg [Cols-1:0] col_q;
  reg [W-1:0] element_q;
  reg [Cols*W-1:0] tile_q;
  reg [Cols-1:0] we_q;
  reg [AddrW-1:0] addr_q, waddr_q;
  reg [Cols*W-1:0] wdata_q;

  always_ff @(posedge clk_i) begin
    hit_q     <= we_i && (wis_v_i ? wrow_i == ROW : group_hit[wsub_i]);
    is_v_q    <= wis_v_i;
    col_q     <= FIRST_COL << wcol_i;
    element_q <= element;
    tile_q    <= wdata_i;
    addr_q    <= waddr_i;
    we_q      <= {Cols{hit_q}} & ({Cols{is_v_q}} | col_q);
    waddr_q   <= addr_q;
    wdata_q   <= is_v_q ? tile_q : {Cols{element_q}};
    for (integer c = 0; c < Cols; c = c + 1) begin
      if (we_q[c]) mem[waddr_q][c*W+:W] <= wdata_q[c*W+:W];
    end
    read_q  <= mem[raddr_i];
    rdata_q <= read_q;
  end

  assign rdata_o = rdata_q;
endmodule

`default_nettype wire
