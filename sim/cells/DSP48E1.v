// Simulation model of the 7-series DSP block as our multiplier uses it: P = A * B in three registers.
//
// The registers behind A, B, the multiplier and P; 25 x 18 bits, two's complement. Any other mode
// stops the simulation. Source: AMD UG479 (7 series DSP48E1 slice).
`timescale 1ns / 1ps

module DSP48E1 (
    input CLK,
    input [29:0] A,
    input [17:0] B,
    input [47:0] C,
    input [24:0] D,
    output [47:0] P,
    input [6:0] OPMODE,
    input [3:0] ALUMODE,
    input [4:0] INMODE,
    input CARRYIN,
    input [2:0] CARRYINSEL,
    input CEA1, CEA2, CEB1, CEB2, CEM, CEP,
    input CEAD, CEALUMODE, CEC, CECARRYIN, CECTRL, CED, CEINMODE,
    input RSTA, RSTALLCARRYIN, RSTALUMODE, RSTB, RSTC, RSTCTRL, RSTD, RSTINMODE, RSTM, RSTP,
    input [29:0] ACIN,
    input [17:0] BCIN,
    input CARRYCASCIN, MULTSIGNIN,
    input [47:0] PCIN
);
  parameter integer AREG = 1;
  parameter integer BREG = 1;
  parameter integer MREG = 1;
  parameter integer PREG = 1;
  parameter integer ACASCREG = 1;
  parameter integer BCASCREG = 1;
  parameter integer ADREG = 1;
  parameter integer CREG = 1;
  parameter integer DREG = 1;
  parameter integer ALUMODEREG = 1;
  parameter integer CARRYINREG = 1;
  parameter integer CARRYINSELREG = 1;
  parameter integer INMODEREG = 1;
  parameter integer OPMODEREG = 1;
  parameter USE_DPORT = "FALSE";
  parameter USE_MULT = "MULTIPLY";
  parameter USE_SIMD = "ONE48";

  reg signed [24:0] a_q;
  reg signed [17:0] b_q;
  reg signed [42:0] m_q;
  reg [47:0] p_q;

  assign P = p_q;

  always @(posedge CLK) begin
    if (RSTA) a_q <= 25'd0;
    else if (CEA2) a_q <= A[24:0];
    if (RSTB) b_q <= 18'd0;
    else if (CEB2) b_q <= B;
    if (RSTM) m_q <= 43'd0;
    else if (CEM) m_q <= a_q * b_q;
    if (RSTP) p_q <= 48'd0;
    else if (CEP) p_q <= {{5{m_q[42]}}, m_q};
  end

  // the settings are constants; a block that is used otherwise would be modelled wrongly
  always @(posedge CLK) begin
    if (AREG != 1 || BREG != 1 || MREG != 1 || PREG != 1 || USE_MULT != "MULTIPLY"
        || USE_DPORT != "FALSE" || OPMODE != 7'b0000101 || ALUMODE != 4'd0 || INMODE != 5'd0
        || CARRYIN || CARRYINSEL != 3'd0) begin
      $display("DSP48E1: a setting that the model does not have");
      $finish;
    end
  end
endmodule
