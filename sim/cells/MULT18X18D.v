// Simulation model of the ECP5 multiplier block, 18 x 18 bits: what our netlists use of it.
//
// A register stage (inputs A and B, pipeline, output) is there if its REG_*_CLK names CLK0, and is
// passed if it is "NONE"; any other setting stops the simulation. Clock enable is CE0, reset RST0,
// both as the parameters say by default. Sources: Lattice FPGA-TN-02205 (sysDSP usage guide).
`timescale 1ns / 1ps

module MULT18X18D (
    input A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0,
    input B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0,
    input C17, C16, C15, C14, C13, C12, C11, C10, C9, C8, C7, C6, C5, C4, C3, C2, C1, C0,
    input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
    input CLK3, CLK2, CLK1, CLK0,
    input CE3, CE2, CE1, CE0,
    input RST3, RST2, RST1, RST0,
        output P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20,
        P19, P18, P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
);
  parameter REG_INPUTA_CLK = "NONE";
  parameter REG_INPUTA_CE = "CE0";
  parameter REG_INPUTA_RST = "RST0";
  parameter REG_INPUTB_CLK = "NONE";
  parameter REG_INPUTB_CE = "CE0";
  parameter REG_INPUTB_RST = "RST0";
  parameter REG_INPUTC_CLK = "NONE";
  parameter REG_INPUTC_CE = "CE0";
  parameter REG_INPUTC_RST = "RST0";
  parameter REG_PIPELINE_CLK = "NONE";
  parameter REG_PIPELINE_CE = "CE0";
  parameter REG_PIPELINE_RST = "RST0";
  parameter REG_OUTPUT_CLK = "NONE";
  parameter REG_OUTPUT_CE = "CE0";
  parameter REG_OUTPUT_RST = "RST0";
  parameter CLK0_DIV = "ENABLED";
  parameter CLK1_DIV = "ENABLED";
  parameter CLK2_DIV = "ENABLED";
  parameter CLK3_DIV = "ENABLED";
  parameter HIGHSPEED_CLK = "NONE";
  parameter GSR = "ENABLED";
  parameter CAS_MATCH_REG = "FALSE";
  parameter SOURCEB_MODE = "B_SHIFT";
  parameter MULT_BYPASS = "DISABLED";
  parameter RESETMODE = "SYNC";

  wire [17:0] a = {A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0};
  wire [17:0] b = {B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0};
  reg [17:0] a_q, b_q;
  reg signed_a_q, signed_b_q;
  reg [35:0] pipeline_q, output_q;

  wire [17:0] a_used = REG_INPUTA_CLK == "NONE" ? a : a_q;
  wire [17:0] b_used = REG_INPUTB_CLK == "NONE" ? b : b_q;
  wire signed_a = REG_INPUTA_CLK == "NONE" ? SIGNEDA : signed_a_q;
  wire signed_b = REG_INPUTB_CLK == "NONE" ? SIGNEDB : signed_b_q;
  wire [35:0] a_wide = {{18{signed_a && a_used[17]}}, a_used};
  wire [35:0] b_wide = {{18{signed_b && b_used[17]}}, b_used};
  wire [35:0] product = a_wide * b_wide;
  wire [35:0] pipeline = REG_PIPELINE_CLK == "NONE" ? product : pipeline_q;
  wire [35:0] result = REG_OUTPUT_CLK == "NONE" ? pipeline : output_q;

  assign {P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19,
      P18, P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0} =
      result;

  always @(posedge CLK0) begin
    if (RST0) begin
      a_q <= 18'd0;
      b_q <= 18'd0;
      pipeline_q <= 36'd0;
      output_q <= 36'd0;
    end else if (CE0) begin
      a_q <= a;
      b_q <= b;
      signed_a_q <= SIGNEDA;
      signed_b_q <= SIGNEDB;
      pipeline_q <= product;
      output_q <= pipeline;
    end
  end

  initial begin
    if ((REG_INPUTA_CLK != "NONE" && REG_INPUTA_CLK != "CLK0")
        || (REG_INPUTB_CLK != "NONE" && REG_INPUTB_CLK != "CLK0")
        || (REG_PIPELINE_CLK != "NONE" && REG_PIPELINE_CLK != "CLK0")
        || (REG_OUTPUT_CLK != "NONE" && REG_OUTPUT_CLK != "CLK0")
        || MULT_BYPASS != "DISABLED") begin
      $display("MULT18X18D: a setting that the model does not have");
      $finish;
    end
  end
endmodule
