// Simulation model of the iCE40 UltraPlus multiplier as ours uses it: O = A * B, 16 x 16 bits.
//
// The registers behind A and B, those of the four partial products, and the one behind their sum;
// both factors signed. Any other mode stops the simulation.
// Source: Lattice TN1295 (DSP function usage guide for iCE40 devices).
`timescale 1ns / 1ps

module SB_MAC16 (
    input CLK, CE,
    input [15:0] C, A, B, D,
    input AHOLD, BHOLD, CHOLD, DHOLD,
    input IRSTTOP, IRSTBOT, ORSTTOP, ORSTBOT,
    input OLOADTOP, OLOADBOT, ADDSUBTOP, ADDSUBBOT, OHOLDTOP, OHOLDBOT,
    input CI, ACCUMCI, SIGNEXTIN,
    output [31:0] O,
    output CO, ACCUMCO, SIGNEXTOUT
);
  parameter [0:0] A_REG = 0;
  parameter [0:0] B_REG = 0;
  parameter [0:0] TOP_8x8_MULT_REG = 0;
  parameter [0:0] BOT_8x8_MULT_REG = 0;
  parameter [0:0] PIPELINE_16x16_MULT_REG1 = 0;
  parameter [0:0] PIPELINE_16x16_MULT_REG2 = 0;
  parameter [1:0] TOPOUTPUT_SELECT = 0;
  parameter [1:0] BOTOUTPUT_SELECT = 0;
  parameter [0:0] A_SIGNED = 0;
  parameter [0:0] B_SIGNED = 0;

  reg signed [15:0] a_q, b_q;
  reg signed [31:0] parts_q, sum_q;

  assign O = sum_q;

  always @(posedge CLK) begin
    if (CE) begin
      a_q <= A;
      b_q <= B;
      parts_q <= a_q * b_q;
      sum_q <= parts_q;
    end
  end

  initial begin
    if (!A_REG || !B_REG || !TOP_8x8_MULT_REG || !BOT_8x8_MULT_REG || !PIPELINE_16x16_MULT_REG1
        || !PIPELINE_16x16_MULT_REG2 || TOPOUTPUT_SELECT != 3 || BOTOUTPUT_SELECT != 3 || !A_SIGNED || !B_SIGNED) begin
      $display("SB_MAC16: this mode has no model");
      $finish;
    end
  end
endmodule
