// Signed multiplier in one SB_MAC16 of the iCE40 UltraPlus: its input, pipeline and product registers.
//
// Takes the place of hdl/prim/mul.sv in a build for iCE40, bit for bit and cycle for cycle. Yosys'
// own way to the block (ice40_dsp) loses registers: partial sums of the array read as x. A block
// takes 16 x 16 bits; what a factor has above them, at most two bits, is multiplied in logic.
//
// Parameters: AW, BW  widths of the two factors in bits; above 18 the text of the twin is used
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
  if (AW <= 18 && BW <= 18) begin : g_block
    logic signed [17:0] a, b;
    logic [31:0] block;
    logic signed [35:0] p;

    sign_extend #(
        .InW (AW),
        .OutW(18)
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
    assign p_o = p[AW+BW-1:0];
    if (AW + BW < 36) begin : g_unused
      logic unused_high;
      assign unused_high = &{1'b0, p[35:AW+BW]};
    end

    SB_MAC16 #(
        .A_REG(1'b1),
        .B_REG(1'b1),
        .TOP_8x8_MULT_REG(1'b1),
        .BOT_8x8_MULT_REG(1'b1),
        .PIPELINE_16x16_MULT_REG1(1'b1),
        .PIPELINE_16x16_MULT_REG2(1'b1),
        .TOPOUTPUT_SELECT(2'b11),
        .BOTOUTPUT_SELECT(2'b11),
        .A_SIGNED(1'b1),
        .B_SIGNED(1'b1)
    ) u_block (
        .CLK(clk_i),
        .CE(1'b1),
        .A(a[15:0]),
        .B(b[15:0]),
        .C(16'd0),
        .D(16'd0),
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
        .O(block)
    );

    if (AW <= 16 && BW <= 16) begin : g_narrow
      logic unused_sign;
      assign unused_sign = &{1'b0, a[17:16], b[17:16]};
      assign p = {{4{block[31]}}, block};
    end else begin : g_split
      // with low(x) = x[15:0] signed, high(x) = (x - low(x)) / 2^16:
      // a * b = low(a) * low(b) + (high(a) * low(b) + a * high(b)) * 2^16
      logic signed [17:0] a_q;
      logic signed [15:0] b_low_q;
      logic signed [2:0] a_high_q, b_high_q;
      logic signed [19:0] early_q, rest_q;
      always_ff @(posedge clk_i) begin
        a_q      <= a;
        b_low_q  <= b[15:0];
        a_high_q <= {a[17], a[17:16]} + {2'b00, a[15]};
        b_high_q <= {b[17], b[17:16]} + {2'b00, b[15]};
        early_q  <= a_high_q * b_low_q + a_q * b_high_q;
        rest_q   <= early_q;
      end
      assign p = {rest_q + {{4{block[31]}}, block[31:16]}, block[15:0]};
    end
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
