// kv_writer: every element of a step's K and V tiles is written exactly once, at the word, row and
// column of its channel and position, and nothing else is written there; done comes with the last.
module prove_kv_writer #(
    parameter int Rows = 2,
    parameter int Cols = 4,
    parameter int Sub = 2,  // waves of a word
    parameter int Writes = 2  // of a tile, at most
) (
    input logic       clk_i,
    input logic       rst_i,
    input logic       valid_i,
    input logic       is_v_i,
    input logic       first_i,
    input logic       last_i,
    input logic [3:0] base_i,
    input logic [1:0] pos_waves_i,
    input logic [1:0] pos_row_i,
    input logic [1:0] pos_tiles_i,
    input logic [1:0] pos_col_i,
    input logic [3:0] data_i
);
  localparam int W = 1, AddrW = 4, SubW = 2, GroupW = 2, RowW = 2, ColW = 2, CountW = 2, TileW = 2;
  localparam int KStride = 2, VStride = 3;
  localparam int TILES = 2, CHANNELS = TILES * Cols;
  logic ctx_i, ctx_o;
  logic we_o, wis_v_o, done_k_o, done_v_o;
  logic [AddrW-1:0] waddr_o;
  logic [SubW-1:0] wsub_o;
  logic [GroupW-1:0] wgroup_o;
  logic [RowW-1:0] wrow_o;
  logic [ColW-1:0] wcol_o;
  logic [Cols*W-1:0] wdata_o;
  kv_writer #(
      .Rows(Rows), .Cols(Cols), .W(W), .AddrW(AddrW), .Sub(Sub), .SubW(SubW), .GroupW(GroupW), .RowW(RowW),
      .ColW(ColW), .CountW(CountW), .TileW(TileW), .KStride(KStride), .VStride(VStride)
  ) u_dut (.*, .data_i(data_i[Cols*W-1:0]));
  // one step of TILES tiles, of K or of V, Writes cycles apart at least; the position is constant
  (* anyconst *) logic step_is_v;
  (* anyconst *) logic [AddrW-1:0] step_base;
  (* anyconst *) logic [3:0] position;
  (* anyconst *) logic [2:0] channel;  // the element that is watched
  logic [1:0] tiles = 2'd0;
  logic [2:0] gap = 3'd7;  // cycles since the last tile
  logic [1:0] writes = 2'd0;  // to the place of the element
  logic done = 1'b0, settled = 1'b0;
  logic [W-1:0] element = '0;
  wire done_now = step_is_v ? done_v_o : done_k_o;
  always_ff @(posedge clk_i) begin
    if (gap != 3'd7) gap <= gap + 3'd1;
    if (valid_i) begin
      tiles <= tiles + 2'd1;
      gap <= 3'd1;
      if (channel / Cols == tiles) element <= data_i[(channel%Cols)*W+:W];
    end
    done <= done || done_now;
    settled <= 1'b1;  // the position is there a cycle before the first tile
    if (hit) writes <= writes + 2'd1;
  end

  logic [AddrW-1:0] word;
  logic [1:0] row, column;
  assign word = step_base + (step_is_v ? (position / Rows) * VStride + channel / Cols :
                             (channel / Rows) * KStride + position / Cols);
  assign row = step_is_v ? position % Rows : channel % Rows;
  assign column = step_is_v ? channel % Cols : position % Cols;

  // a write of K goes to the rows whose place in the word lies in the tile wgroup (see kv_bank)
  wire [3:0] place = wsub_o * Rows + row;
  wire hit = we_o && waddr_o == word &&
      (wis_v_o ? wrow_o == row : wgroup_o == place / Cols && wcol_o == column);
  wire stored = wis_v_o ? wdata_o[column*W+:W] : wdata_o[(place%Cols)*W+:W];

  always_comb begin
    assume (channel < CHANNELS && position < KStride * Cols);
    assume (rst_i == 1'b0);
    assume (pos_waves_i == position / Rows && pos_row_i == position % Rows);
    assume (pos_tiles_i == position / Cols && pos_col_i == position % Cols);
    assume (is_v_i == step_is_v && base_i == step_base);
    assume (first_i == (tiles == 2'd0) && last_i == (tiles == TILES - 1));
    if (valid_i) assume (settled && tiles < TILES && gap >= Writes);
    if (tiles == 2'd0) assume (!we_o);  // idle before the step
    if (tiles != 2'd0 && tiles < TILES && gap > Writes) assume (valid_i);  // the pause is that or one more
    if (hit) assert (stored == element && writes == 2'd0 && wis_v_o == step_is_v);
    if (done) assert (writes == 2'd1);
    if (done_now) assert (tiles == TILES && !done);
    if (tiles == TILES && gap > Writes + 2) assert (done);
    cover (done && element != '0 && channel == CHANNELS - 1 && !step_is_v);
  end
endmodule
