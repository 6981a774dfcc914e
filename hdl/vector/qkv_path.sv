// Queries, keys and values on their way from the lanes to their memories: the rotation.
//
// Purpose   Rotates tiles of queries and keys by the factors of their position, or passes them
//           through (values, and everything without rotary positions); their marks travel beside.
// Params    as in vector_unit. MarksW: bits that travel along.
// Latency   valid_i -> marks_o, data_o: RopeLatency cycles. early_valid_i, early_ctx_i and
//           early_tile_i come one cycle before valid_i; pos_i is the position of that context in the
//           same cycle; cos_i and sin_i answer rope_addr_o after one cycle. early_ctx_o is the
//           context of the tile that leaves one cycle later.
// It does not stall: tiles come at least RopePasses cycles apart.
`default_nettype none

module qkv_path #(
    parameter integer Cols        = 16,
    parameter integer CtxW        = 1,
    parameter integer TileW       = 5,
    parameter integer MarksW      = 8,
    parameter integer Rope        = 0,
    parameter integer RopePasses  = 1,
    parameter integer RopeLatency = 0,
    parameter integer RopePeriod  = 1,
    parameter integer RopePeriodW = 1,
    parameter integer RopeAddrW   = 7,
    parameter integer PosW        = 7
) (
    input  wire                   clk_i,
    input  wire                   rst_i,
    input  wire                   early_valid_i,
    input  wire [       CtxW-1:0] early_ctx_i,
    input  wire [      TileW-1:0] early_tile_i,
    input  wire [       PosW-1:0] pos_i,
    // rotation tables (one cycle): word = position * RopePeriod + tile mod RopePeriod
    output wire [  RopeAddrW-1:0] rope_addr_o,
    input  wire [(Cols/2)*16-1:0] cos_i,
    input  wire [(Cols/2)*16-1:0] sin_i,
    // a tile
    input  wire                   valid_i,
    input  wire                   bypass_i,
    input  wire [            4:0] bits_i,
    input  wire [    Cols*16-1:0] data_i,
    input  wire [     MarksW-1:0] marks_i,
    output wire [       CtxW-1:0] early_ctx_o,
    output wire [     MarksW-1:0] marks_o,
    output wire [    Cols*16-1:0] data_o
);
  delay_line #(
      .W(CtxW),
      .N(RopeLatency)
  ) u_early (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i  (early_ctx_i),
      .d_o  (early_ctx_o)
  );
  delay_line #(
      .W(MarksW),
      .N(RopeLatency),
      .Reset(1)
  ) u_marks (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i  (marks_i),
      .d_o  (marks_o)
  );

  if (Rope != 0) begin : g_rope
    localparam integer PERIOD_LAST_INT = RopePeriod - 1;
    localparam logic [RopePeriodW-1:0] PERIOD_LAST = PERIOD_LAST_INT[RopePeriodW-1:0];
    wire rope_valid;
    // the place of a tile in the period
    wire [RopeAddrW-1:0] pos_base, phase_wide;
    reg [RopePeriodW-1:0] next_phase_q;
    wire [RopePeriodW-1:0] phase =
        (early_tile_i == {TileW{1'b0}}) ? {RopePeriodW{1'b0}} : next_phase_q;

    scale_index #(
        .InW(PosW),
        .OutW(RopeAddrW),
        .Factor(RopePeriod)
    ) u_pos_base (
        .index_i(pos_i),
        .product_o(pos_base)
    );
    resize #(
        .InW (RopePeriodW),
        .OutW(RopeAddrW)
    ) u_phase (
        .data_i(phase),
        .data_o(phase_wide)
    );

    always_ff @(posedge clk_i) begin
      if (early_valid_i) begin
        next_phase_q <= (phase == PERIOD_LAST) ? {RopePeriodW{1'b0}} : phase + 1'b1;
      end
    end

    assign rope_addr_o = pos_base + phase_wide;

    rope #(
        .C(Cols),
        .Passes(RopePasses)
    ) u_rope (
        .clk_i(clk_i),
        .rst_i(rst_i),
        .tile_valid_i(valid_i),
        .bypass_i(bypass_i),
        .out_bits_i(bits_i),
        .data_i(data_i),
        .cos_i(cos_i),
        .sin_i(sin_i),
        .valid_o(rope_valid),
        .data_o(data_o)
    );

    wire unused_rope = &{1'b0, rope_valid};
  end else begin : g_no_rope
    assign data_o = data_i;
    assign rope_addr_o = {RopeAddrW{1'b0}};
    wire unused_rope = &{
      1'b0, cos_i, sin_i, pos_i, early_valid_i, early_tile_i, valid_i, bypass_i, bits_i
    };
  end
endmodule

`default_nettype wire
