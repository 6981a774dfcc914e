// Signed multiplier in one SB_MAC16 of the iCE40 UltraPlus: its input, pipeline and product registers.
//
// Takes the place of hdl/prim/mul.sv in a build for iCE40, bit for bit and cycle for cycle. Yosys'
// own way to the block (ice40_dsp) loses registers: partial sums of the array read as x. A block
// takes 16 x 16 bits. Of a wider `a` it takes the upper 16; the product of the two bits below is made
// in logic and added by the block. Of a wider `b` it takes the lower 16, without a sign; the product of
// the bits above is made in logic and added there: nothing, where they are constant zeros.
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
    localparam bit SPLIT = AW > 16;  // two bits of a are below the block's
    localparam bit SIGNED = BW <= 16;  // nothing of b is above the block's

    logic signed [17:0] a, b;
    logic [15:0] upper;  // of a
    logic signed [16:0] lower;  // of b
    logic signed [18:0] rest;  // lower * a[1:0], at the block's adder
    logic [31:0] block;
    logic signed [33:0] main;  // a * lower
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
    assign lower = {SIGNED && b[15], b[15:0]};
    assign p_o   = p[AW+BW-1:0];
    if (AW + BW < 36) begin : g_unused
      logic unused_high;
      assign unused_high = &{1'b0, p[35:AW+BW]};
    end

    if (SPLIT) begin : g_split
      logic signed [18:0] once_q, twice_q, rest_q;
      logic [1:0] low_q;
      always_ff @(posedge clk_i) begin
        once_q  <= a[0] ? {{2{lower[16]}}, lower} : 19'd0;
        twice_q <= a[1] ? {lower[16], lower, 1'b0} : 19'd0;
        rest_q  <= once_q + twice_q;
        low_q   <= rest_q[1:0];
      end
      assign upper = a[17:2];
      assign rest  = rest_q;
      assign main  = {block, low_q};
    end else begin : g_whole
      logic unused_sign;
      assign unused_sign = &{1'b0, a[17:16], lower[16]};
      assign upper = a[15:0];
      assign rest = 19'd0;
      assign main = {{2{block[31]}}, block};
    end

    SB_MAC16 #(
        .A_REG(1'b1),
        .B_REG(1'b1),
        .TOP_8x8_MULT_REG(1'b1),
        .BOT_8x8_MULT_REG(1'b1),
        .PIPELINE_16x16_MULT_REG1(1'b1),
        .PIPELINE_16x16_MULT_REG2(!SPLIT),
        .TOPOUTPUT_SELECT(SPLIT ? 2'd1 : 2'd3),
        .TOPADDSUB_LOWERINPUT(2'd2),
        .TOPADDSUB_UPPERINPUT(1'b1),
        .TOPADDSUB_CARRYSELECT(2'd3),
        .BOTOUTPUT_SELECT(SPLIT ? 2'd1 : 2'd3),
        .BOTADDSUB_LOWERINPUT(2'd2),
        .BOTADDSUB_UPPERINPUT(1'b1),
        .BOTADDSUB_CARRYSELECT(2'd0),
        .A_SIGNED(1'b1),
        .B_SIGNED(SIGNED)
    ) u_block (
        .CLK(clk_i),
        .CE(1'b1),
        .A(upper),
        .B(b[15:0]),
        .C({16{rest[18]}}),
        .D(rest[17:2]),
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

    if (SIGNED) begin : g_narrow
      logic unused_sign;
      assign unused_sign = &{1'b0, b[17:16]};
      assign p = {{2{main[33]}}, main};
    end else begin : g_above
      logic signed [17:0] a_q;
      logic signed [1:0] above_q;
      logic signed [19:0] early_q, late_q;
      always_ff @(posedge clk_i) begin
        a_q     <= a;
        above_q <= b[17:16];
        early_q <= a_q * above_q;
        late_q  <= early_q;
      end
      assign p = {late_q + {{2{main[33]}}, main[33:16]}, main[15:0]};
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
