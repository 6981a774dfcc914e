// Writes the new token's K and V tiles into the KV banks of all rows.
//
// Purpose   Turns tiles of channels into bank writes. A V tile is one write (row = position mod
//           Rows). A K tile of Cols channels takes a write for each wave in which it has channels,
//           each to another address. Waves and tiles meet again after a word (see operand_bank) of
//           Sub waves and Groups tiles; before, a wave may be written by several tiles.
// Params    Rows, Cols, W, AddrW and address-part widths. KStride: words between two waves of K
//           (context / Cols). VStride: words between two row groups of V. Sub, SubW, GroupW as in
//           operand_bank. Tiles of K come at least as many cycles apart as a tile has writes
//           (export pads the step).
// Latency   valid_i -> first bank write (registered outputs): 1 cycle; then a write each cycle.
//           done_k_o, done_v_o rise with the last write of a step's last tile.
// It does not stall and does not check addresses: export/validate does.
`default_nettype none

module kv_writer #(
    parameter integer Rows    = 8,
    parameter integer Cols    = 16,
    parameter integer W       = 8,
    parameter integer AddrW   = 8,
    parameter integer Sub     = 2,
    parameter integer SubW    = 1,
    parameter integer GroupW  = 1,
    parameter integer RowW    = 3,
    parameter integer ColW    = 4,
    parameter integer CountW  = 6,
    parameter integer TileW   = 5,
    parameter integer KStride = 8,
    parameter integer VStride = 4,
    parameter integer CtxW    = 1
) (
    input  wire              clk_i,
    input  wire              rst_i,
    // tiles of K (is_v 0) or V (is_v 1); first and last tile of the step
    input  wire              valid_i,
    input  wire              is_v_i,
    input  wire              first_i,
    input  wire              last_i,
    input  wire [  CtxW-1:0] ctx_i,        // context of the tile, on its way to ctx_o
    input  wire [ AddrW-1:0] base_i,       // first word of the layer's K or V
    // position, from the cycle before the tile on: / Rows, mod Rows, / Cols, mod Cols
    input  wire [CountW-1:0] pos_waves_i,
    input  wire [  RowW-1:0] pos_row_i,
    input  wire [ TileW-1:0] pos_tiles_i,
    input  wire [  ColW-1:0] pos_col_i,
    input  wire [Cols*W-1:0] data_i,
    // to kv_bank of every row
    output wire              we_o,
    output wire              wis_v_o,
    output wire [ AddrW-1:0] waddr_o,
    output wire [  SubW-1:0] wsub_o,
    output wire [GroupW-1:0] wgroup_o,
    output wire [  RowW-1:0] wrow_o,
    output wire [  ColW-1:0] wcol_o,
    output wire [Cols*W-1:0] wdata_o,
    output wire              done_k_o,
    output wire              done_v_o,
    output wire [  CtxW-1:0] ctx_o         // of done_k_o and done_v_o
);
  localparam integer Groups = Sub * Rows / Cols;
  localparam integer GROUP_LAST_INT = Groups - 1;
  localparam logic [GroupW-1:0] GROUP_LAST = GROUP_LAST_INT[GroupW-1:0];
  localparam logic [AddrW-1:0] K_STRIDE = KStride[AddrW-1:0];
  localparam logic [AddrW-1:0] V_STRIDE = VStride[AddrW-1:0];
  localparam logic [AddrW-1:0] ONE = 1;

  wire [AddrW-1:0] pos_waves, pos_tiles;
  reg [AddrW-1:0] k_offset_q, v_offset_q;  // of the position

  resize #(
      .InW (CountW),
      .OutW(AddrW)
  ) u_pos_waves (
      .data_i(pos_waves_i),
      .data_o(pos_waves)
  );
  resize #(
      .InW (TileW),
      .OutW(AddrW)
  ) u_pos_tiles (
      .data_i(pos_tiles_i),
      .data_o(pos_tiles)
  );

  always_ff @(posedge clk_i) begin
    k_offset_q <= pos_tiles;
    v_offset_q <= pos_waves * V_STRIDE;
  end

  reg we_q, we_d;
  reg is_v_q, is_v_d;
  reg last_q, last_d;
  reg [AddrW-1:0] addr_q, addr_d;
  reg [SubW-1:0] sub_q, sub_d;
  reg [GroupW-1:0] group_q, group_d;
  reg [RowW-1:0] row_q;
  reg [ColW-1:0] col_q;
  reg [CtxW-1:0] ctx_q;
  reg [Cols*W-1:0] data_q;

  // the last wave of each tile of a word; the tile after it goes on in the same wave, or in a word
  wire [Groups*SubW-1:0] last_subs;
  for (genvar g = 0; g < Groups; g = g + 1) begin : g_group
    localparam integer LAST_INT = (g * Cols + Cols - 1) / Rows;
    assign last_subs[g*SubW+:SubW] = LAST_INT[SubW-1:0];
  end
  wire [SubW-1:0] sub = (Sub == 1) ? {SubW{1'b0}} : sub_q;
  wire [GroupW-1:0] group = (Groups == 1) ? {GroupW{1'b0}} : group_q;
  wire group_end = group == GROUP_LAST;
  wire tile_end = sub == last_subs[group*SubW+:SubW];
  wire wave_end = group_end || !tile_end;
  // address after the current write, within one step
  wire [AddrW-1:0] addr_next = is_v_q ? addr_q + ONE : wave_end ? addr_q + K_STRIDE : addr_q;

  always_comb begin
    we_d    = 1'b0;
    is_v_d  = is_v_q;
    last_d  = last_q;
    addr_d  = addr_q;
    sub_d   = sub_q;
    group_d = group_q;
    if (we_q) begin
      addr_d = addr_next;
      if (!is_v_q && !tile_end) begin
        we_d  = 1'b1;
        sub_d = sub + 1'b1;
      end else begin
        group_d = group_end ? {GroupW{1'b0}} : group + 1'b1;
        if (group_end) sub_d = {SubW{1'b0}};
      end
    end
    if (valid_i) begin
      we_d   = 1'b1;
      is_v_d = is_v_i;
      last_d = last_i;
      if (first_i) begin
        sub_d = {SubW{1'b0}};
        addr_d  = base_i + (is_v_i ? v_offset_q : k_offset_q);
        group_d = {GroupW{1'b0}};
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) we_q <= 1'b0;
    else we_q <= we_d;
    is_v_q  <= is_v_d;
    last_q  <= last_d;
    addr_q  <= addr_d;
    sub_q   <= sub_d;
    group_q <= group_d;
    if (valid_i) begin
      row_q  <= pos_row_i;
      col_q  <= pos_col_i;
      data_q <= data_i;
      ctx_q  <= ctx_i;
    end
  end

  assign we_o = we_q;
  assign wis_v_o = is_v_q;
  assign waddr_o = addr_q;
  assign wsub_o = sub;
  assign wgroup_o = group;
  assign wrow_o = row_q;
  assign wcol_o = col_q;
  assign wdata_o = data_q;
  assign ctx_o = ctx_q;
  assign done_v_o = we_q && is_v_q && last_q;
  assign done_k_o = we_q && !is_v_q && last_q && tile_end;
endmodule

`default_nettype wire
