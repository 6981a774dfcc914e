// One row of the systolic array, with its own operand, probability and KV banks.
//
// Purpose   Row r multiplies element r of a wave with Cols weights and adds the products to the
//           partial sums from above. The wave itself (two read addresses and two selects) arrives
//           from the row above and is handed down one cycle later, so addresses march down with
//           the partial sums. The activation is the same for all columns of the row.
// Params    Rows, Cols, Row: array shape and this row. ActW: operand bits; ProbW: probability bits
//           (unsigned, < ActW); WeightW: weight ROM bits; KvW: KV cache bits; AccW: partial sums.
//           The depths and address widths of the three memories and of the weight ROM.
// Latency   wave_*_i -> psum_o: 6 cycles (memory 2, multiplier 3, sum 1); wave_*_i -> wave_*_o: 1.
// It does not hold weights: the rendered ROM of the row answers weight_addr_o one cycle later.
`default_nettype none

module systolic_row #(
    parameter integer Rows       = 8,
    parameter integer Cols       = 16,
    parameter integer Row        = 0,
    parameter integer ActW       = 16,
    parameter integer ProbW      = 12,
    parameter integer WeightW    = 8,
    parameter integer KvW        = 8,
    parameter integer AccW       = 32,
    parameter integer OpWords    = 64,
    parameter integer ProbWords  = 64,
    parameter integer OpWordW    = 6,
    parameter integer KvDepth    = 256,
    parameter integer AddrW      = 10,
    parameter integer KvAddrW    = 8,
    parameter integer SubW       = 1,
    parameter integer Sub        = 2,
    parameter integer GroupW     = 1,
    parameter integer RowW       = 3,
    parameter integer ColW       = 4
) (
    input  wire                    clk_i,
    // wave from above, and to the row below
    input  wire [     OpWordW-1:0] wave_word_i,
    input  wire [        SubW-1:0] wave_sub_i,
    input  wire                    wave_prob_i,   // operand from the probability bank
    input  wire [       AddrW-1:0] wave_addr_i,   // weight ROM or KV bank
    input  wire                    wave_kv_i,     // weights from the KV bank
    output wire [     OpWordW-1:0] wave_word_o,
    output wire [        SubW-1:0] wave_sub_o,
    output wire                    wave_prob_o,
    output wire [       AddrW-1:0] wave_addr_o,
    output wire                    wave_kv_o,
    // weight ROM of this row (one cycle)
    output wire [       AddrW-1:0] weight_addr_o,
    input  wire [Cols*WeightW-1:0] weight_data_i,
    // tile writes; of operands and probabilities this row's elements (see operand_bank)
    input  wire                    op_we_i,
    input  wire [     OpWordW-1:0] op_word_i,
    input  wire [      GroupW-1:0] op_group_i,
    input  wire [         Sub-1:0] op_lane_en_i,
    input  wire [    Sub*ActW-1:0] op_data_i,
    input  wire                    prob_we_i,
    input  wire [     OpWordW-1:0] prob_word_i,
    input  wire [      GroupW-1:0] prob_group_i,
    input  wire [   Sub*ProbW-1:0] prob_data_i,
    input  wire                    kv_we_i,
    input  wire                    kv_is_v_i,
    input  wire [     KvAddrW-1:0] kv_addr_i,
    input  wire [        SubW-1:0] kv_sub_i,
    input  wire [      GroupW-1:0] kv_group_i,
    input  wire [        RowW-1:0] kv_row_i,
    input  wire [        ColW-1:0] kv_col_i,
    input  wire [    Cols*KvW-1:0] kv_data_i,
    // partial sums
    input  wire [   Cols*AccW-1:0] psum_i,
    output wire [   Cols*AccW-1:0] psum_o
);
  localparam integer BW = (WeightW > KvW) ? WeightW : KvW;
  localparam integer OpAddrW = (OpWords > 1) ? $clog2(OpWords) : 1;
  localparam integer ProbAddrW = (ProbWords > 1) ? $clog2(ProbWords) : 1;

  // the wave moves down
  reg [OpWordW-1:0] word_q;
  reg [   SubW-1:0] sub_q;
  reg               prob_q;
  reg [  AddrW-1:0] addr_q;
  reg               kv_q;

  always_ff @(posedge clk_i) begin
    word_q <= wave_word_i;
    sub_q  <= wave_sub_i;
    prob_q <= wave_prob_i;
    addr_q <= wave_addr_i;
    kv_q   <= wave_kv_i;
  end

  assign wave_word_o = word_q;
  assign wave_sub_o = sub_q;
  assign wave_prob_o = prob_q;
  assign wave_addr_o = addr_q;
  assign wave_kv_o = kv_q;

  // two cycles of memory
  wire [       ActW-1:0] op;
  wire [      ProbW-1:0] prob;
  wire [   Cols*KvW-1:0] kv;
  reg  [Cols*WeightW-1:0] weight_q;
  reg  [       ActW-1:0] act_q;
  reg                    kv_sel_q;  // delayed with the data

  operand_bank #(
      .Rows(Rows),
      .Cols(Cols),
      .Row(Row),
      .W(ActW),
      .Words(OpWords),
      .WordW(OpAddrW),
      .SubW(SubW),
      .Sub(Sub),
      .GroupW(GroupW)
  ) u_operand_bank (
      .clk_i(clk_i),
      .we_i(op_we_i),
      .waddr_word_i(op_word_i[OpAddrW-1:0]),
      .waddr_group_i(op_group_i),
      .wlane_en_i(op_lane_en_i),
      .wdata_i(op_data_i),
      .raddr_word_i(wave_word_i[OpAddrW-1:0]),
      .raddr_sub_i(wave_sub_i),
      .rdata_o(op)
  );

  operand_bank #(
      .Rows(Rows),
      .Cols(Cols),
      .Row(Row),
      .ZeroFill(1),
      .W(ProbW),
      .Words(ProbWords),
      .WordW(ProbAddrW),
      .SubW(SubW),
      .Sub(Sub),
      .GroupW(GroupW)
  ) u_prob_bank (
      .clk_i(clk_i),
      .we_i(prob_we_i),
      .waddr_word_i(prob_word_i[ProbAddrW-1:0]),
      .waddr_group_i(prob_group_i),
      .wlane_en_i({Sub{1'b1}}),
      .wdata_i(prob_data_i),
      .raddr_word_i(wave_word_i[ProbAddrW-1:0]),
      .raddr_sub_i(wave_sub_i),
      .rdata_o(prob)
  );

  kv_bank #(
      .Rows(Rows),
      .Cols(Cols),
      .Row(Row),
      .W(KvW),
      .Depth(KvDepth),
      .AddrW(KvAddrW),
      .SubW(SubW),
      .Sub(Sub),
      .GroupW(GroupW),
      .RowW(RowW),
      .ColW(ColW)
  ) u_kv_bank (
      .clk_i(clk_i),
      .we_i(kv_we_i),
      .wis_v_i(kv_is_v_i),
      .waddr_i(kv_addr_i),
      .wsub_i(kv_sub_i),
      .wgroup_i(kv_group_i),
      .wrow_i(kv_row_i),
      .wcol_i(kv_col_i),
      .wdata_i(kv_data_i),
      .raddr_i(wave_addr_i[KvAddrW-1:0]),
      .rdata_o(kv)
  );

  assign weight_addr_o = wave_addr_i;

  // one address bus serves memories of different depths
  wire unused = &{1'b0, wave_word_i, op_word_i, prob_word_i};

  always_ff @(posedge clk_i) begin
    weight_q <= weight_data_i;
    act_q    <= prob_q ? {{(ActW - ProbW) {1'b0}}, prob} : op;
    kv_sel_q <= kv_q;
  end

  // Lanes are gathered in a variable: Icarus is slow on a net that many instances drive in parts.
  reg [Cols*AccW-1:0] psums;
  assign psum_o = psums;

  for (genvar c = 0; c < Cols; c = c + 1) begin : g_col
    wire [BW-1:0] weight_ext;
    wire [BW-1:0] kv_ext;
    wire [AccW-1:0] psum;

    sign_extend #(
        .InW (WeightW),
        .OutW(BW)
    ) u_weight_ext (
        .data_i(weight_q[c*WeightW+:WeightW]),
        .data_o(weight_ext)
    );
    sign_extend #(
        .InW (KvW),
        .OutW(BW)
    ) u_kv_ext (
        .data_i(kv[c*KvW+:KvW]),
        .data_o(kv_ext)
    );

    pe #(
        .ActW(ActW),
        .WeightW(BW),
        .AccW(AccW)
    ) u_pe (
        .clk_i(clk_i),
        .act_i(act_q),
        .weight_i(kv_sel_q ? kv_ext : weight_ext),
        .psum_i(psum_i[c*AccW+:AccW]),
        .psum_o(psum)
    );

    always_comb psums[c*AccW+:AccW] = psum;
  end
endmodule

`default_nettype wire
