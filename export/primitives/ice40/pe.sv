// One processing element in one SB_MAC16 of the iCE40 UltraPlus: the block's adder joins the partial sum.
//
// Takes the place of hdl/systolic/pe.sv in a build for iCE40, bit for bit and cycle for cycle.
// Formats   act_i ActW-bit and weight_i WeightW-bit two's complement integers; psum AccW-bit two's
//           complement. Above 16 bits of a factor or 32 of the sum the text of the twin is used.
// Latency   act_i, weight_i -> psum_o: 4 cycles; psum_i -> psum_o: 1 cycle.
// It does not hold state, stall, or know what the numbers mean.
`default_nettype none

module pe #(
    parameter integer ActW    = 16,
    parameter integer WeightW = 8,
    parameter integer AccW    = 32
) (
    input  wire               clk_i,
    input  wire [   ActW-1:0] act_i,
    input  wire [WeightW-1:0] weight_i,
    input  wire [   AccW-1:0] psum_i,
    output wire [   AccW-1:0] psum_o
);
  if (ActW <= 16 && WeightW <= 16 && AccW <= 32) begin : g_block
    wire [15:0] act, weight;
    wire [31:0] psum, sum;

    sign_extend #(
        .InW (ActW),
        .OutW(16)
    ) u_act (
        .data_i(act_i),
        .data_o(act)
    );
    sign_extend #(
        .InW (WeightW),
        .OutW(16)
    ) u_weight (
        .data_i(weight_i),
        .data_o(weight)
    );
    resize #(
        .InW (AccW),
        .OutW(32)
    ) u_psum (
        .data_i(psum_i),
        .data_o(psum)
    );
    assign psum_o = sum[AccW-1:0];
    if (AccW < 32) begin : g_unused
      wire unused_high = &{1'b0, sum[31:AccW]};
    end

    SB_MAC16 #(
        .A_REG(1'b1),
        .B_REG(1'b1),
        .TOP_8x8_MULT_REG(1'b1),
        .BOT_8x8_MULT_REG(1'b1),
        .PIPELINE_16x16_MULT_REG1(1'b1),
        .PIPELINE_16x16_MULT_REG2(1'b1),
        .TOPOUTPUT_SELECT(2'd1),
        .TOPADDSUB_LOWERINPUT(2'd2),
        .TOPADDSUB_UPPERINPUT(1'b1),
        .TOPADDSUB_CARRYSELECT(2'd3),
        .BOTOUTPUT_SELECT(2'd1),
        .BOTADDSUB_LOWERINPUT(2'd2),
        .BOTADDSUB_UPPERINPUT(1'b1),
        .BOTADDSUB_CARRYSELECT(2'd0),
        .A_SIGNED(1'b1),
        .B_SIGNED(1'b1)
    ) u_block (
        .CLK(clk_i),
        .CE(1'b1),
        .A(act),
        .B(weight),
        .C(psum[31:16]),
        .D(psum[15:0]),
        .AHOLD(1'b0),
        .BHOLD(1'b0),
        .CHOLD(1'b0),
        .DHOLD(1'b0),
        .IRSTTOP(1'b0),
        .IRSTBOT(1'b0),
        .ORSTTOP(1'b0),
        .ORSTBOT(1'b0),
        .OLOADTOP(1'b0),
        .OLOADBOT(1'b0),
        .ADDSUBTOP(1'b0),
        .ADDSUBBOT(1'b0),
        .OHOLDTOP(1'b0),
        .OHOLDBOT(1'b0),
        .CI(1'b0),
        .ACCUMCI(1'b0),
        .SIGNEXTIN(1'b0),
        .O(sum)
    );
  end else begin : g_wide
    localparam integer ProductW = ActW + WeightW;
    wire [ProductW-1:0] product;
    reg  [    AccW-1:0] psum_q;

    mul #(
        .AW(ActW),
        .BW(WeightW)
    ) u_mul (
        .clk_i(clk_i),
        .a_i  (act_i),
        .b_i  (weight_i),
        .p_o  (product)
    );
    always_ff @(posedge clk_i) begin
      psum_q <= psum_i + {{(AccW - ProductW) {product[ProductW-1]}}, product};
    end
    assign psum_o = psum_q;
  end
endmodule

`default_nettype wire
