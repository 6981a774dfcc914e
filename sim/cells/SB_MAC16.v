// Simulation model of the iCE40 UltraPlus multiplier as ours uses it: 16 x 16 bits.
//
// The registers behind A and B and those of the four partial products; then
//   output 3: O = A * B behind the register of the product's sum
//   output 1: O = A * B + {C, D} behind the register of the adder, with the one before it or without
// A signed, B with a sign or without. Any other mode stops the simulation.
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
  parameter [0:0] C_REG = 0;
  parameter [0:0] A_REG = 0;
  parameter [0:0] B_REG = 0;
  parameter [0:0] D_REG = 0;
  parameter [0:0] TOP_8x8_MULT_REG = 0;
  parameter [0:0] BOT_8x8_MULT_REG = 0;
  parameter [0:0] PIPELINE_16x16_MULT_REG1 = 0;
  parameter [0:0] PIPELINE_16x16_MULT_REG2 = 0;
  parameter [1:0] TOPOUTPUT_SELECT = 0;
  parameter [1:0] TOPADDSUB_LOWERINPUT = 0;
  parameter [0:0] TOPADDSUB_UPPERINPUT = 0;
  parameter [1:0] TOPADDSUB_CARRYSELECT = 0;
  parameter [1:0] BOTOUTPUT_SELECT = 0;
  parameter [1:0] BOTADDSUB_LOWERINPUT = 0;
  parameter [0:0] BOTADDSUB_UPPERINPUT = 0;
  parameter [1:0] BOTADDSUB_CARRYSELECT = 0;
  parameter [0:0] A_SIGNED = 0;
  parameter [0:0] B_SIGNED = 0;

  reg signed [15:0] a_q;
  reg signed [16:0] b_q;
  reg signed [31:0] parts_q, sum_q;
  reg [31:0] added_q;

  assign O = TOPOUTPUT_SELECT == 1 ? added_q : sum_q;

  always @(posedge CLK) begin
    if (CE) begin
      a_q <= A;
      b_q <= {B_SIGNED && B[15], B};
      parts_q <= a_q * b_q;
      sum_q <= parts_q;
      added_q <= (PIPELINE_16x16_MULT_REG2 ? sum_q : parts_q) + {C, D};
    end
  end

  localparam REGISTERS = A_REG && B_REG && !C_REG && !D_REG && TOP_8x8_MULT_REG && BOT_8x8_MULT_REG &&
      PIPELINE_16x16_MULT_REG1;
  localparam PRODUCT = TOPOUTPUT_SELECT == 3 && BOTOUTPUT_SELECT == 3 && PIPELINE_16x16_MULT_REG2;
  localparam ADDER = TOPOUTPUT_SELECT == 1 && BOTOUTPUT_SELECT == 1 && TOPADDSUB_UPPERINPUT &&
      BOTADDSUB_UPPERINPUT && TOPADDSUB_LOWERINPUT == 2 && BOTADDSUB_LOWERINPUT == 2 &&
      TOPADDSUB_CARRYSELECT == 3 && BOTADDSUB_CARRYSELECT == 0;

  initial begin
    if (!REGISTERS || !A_SIGNED || !(PRODUCT || ADDER)) begin
      $display("SB_MAC16: this mode has no model");
      $finish;
    end
  end
endmodule
