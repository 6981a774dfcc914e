// Signed multiplier in one DSP48E1 of the 7 series: its input, multiplier and output registers.
//
// Takes the place of hdl/prim/mul.sv in a build for 7 series, bit for bit and cycle for cycle.
//
// Parameters: AW, BW  widths of the two factors in bits, at most 25 and 18; wider factors are left
//                     to synthesis
// Formats:    two's complement integers, p = a * b exact
// Latency:    3 cycles
// Does not:   reset, stall, round or saturate.
`default_nettype none

module mul #(
    parameter int AW = 18,
    parameter int BW = 18
) (
    input  logic                    clk_i,
    input  logic signed [   AW-1:0] a_i,
    input  logic signed [   BW-1:0] b_i,
    output logic signed [AW+BW-1:0] p_o
);
  if (AW <= 25 && BW <= 18) begin : g_block
    logic [29:0] a;
    logic [17:0] b;
    logic [47:0] p;

    sign_extend #(
        .InW (AW),
        .OutW(30)
    ) u_a (
        .data_i(a_i),
        .data_o(a)
    );
    sign_extend #(
        .InW (BW),
        .OutW(18)
    ) u_b (
        .data_i(b_i),
        .data_o(b)
    );
    logic unused_high;
    assign unused_high = &{1'b0, p[47:AW+BW]};
    assign p_o = p[AW+BW-1:0];

    DSP48E1 #(
        .AREG(1),
        .BREG(1),
        .MREG(1),
        .PREG(1),
        .ACASCREG(1),
        .BCASCREG(1),
        .ADREG(0),
        .CREG(0),
        .DREG(0),
        .ALUMODEREG(0),
        .CARRYINREG(0),
        .CARRYINSELREG(0),
        .INMODEREG(0),
        .OPMODEREG(0),
        .USE_DPORT("FALSE"),
        .USE_MULT("MULTIPLY"),
        .USE_SIMD("ONE48")
    ) u_block (
        .CLK(clk_i),
        .A(a),
        .B(b),
        .C(48'd0),
        .D(25'd0),
        .P(p),
        .OPMODE(7'b0000101),
        .ALUMODE(4'd0),
        .INMODE(5'd0),
        .CARRYIN(1'b0),
        .CARRYINSEL(3'd0),
        .CEA1(1'b0),
        .CEA2(1'b1),
        .CEB1(1'b0),
        .CEB2(1'b1),
        .CEM(1'b1),
        .CEP(1'b1),
        .CEAD(1'b0),
        .CEALUMODE(1'b0),
        .CEC(1'b0),
        .CECARRYIN(1'b0),
        .CECTRL(1'b0),
        .CED(1'b0),
        .CEINMODE(1'b0),
        .RSTA(1'b0),
        .RSTALLCARRYIN(1'b0),
        .RSTALUMODE(1'b0),
        .RSTB(1'b0),
        .RSTC(1'b0),
        .RSTCTRL(1'b0),
        .RSTD(1'b0),
        .RSTINMODE(1'b0),
        .RSTM(1'b0),
        .RSTP(1'b0),
        .ACIN(30'd0),
        .BCIN(18'd0),
        .CARRYCASCIN(1'b0),
        .MULTSIGNIN(1'b0),
        .PCIN(48'd0)
    );
  end else begin : g_wide
    logic signed [AW-1:0] a_q;
    logic signed [BW-1:0] b_q;
    logic signed [AW+BW-1:0] product_q;

    always_ff @(posedge clk_i) begin
      a_q       <= a_i;
      b_q       <= b_i;
      product_q <= $signed({{BW{a_q[AW-1]}}, a_q}) * $signed({{AW{b_q[BW-1]}}, b_q});
      p_o       <= product_q;
    end
  end
endmodule
