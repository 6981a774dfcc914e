// Signed multiplier with the three register stages of an FPGA multiplier block.
//
// Behavioural twin of a DSP primitive (input, pipeline and output register, no reset): a board
// build may put an instance of the primitive in its place, every simulation uses this text.
//
// Parameters: AW, BW  widths of the two factors in bits (18 x 18 fits one ECP5 block)
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
  logic signed [AW-1:0] a_q;
  logic signed [BW-1:0] b_q;
  logic signed [AW+BW-1:0] product_q;

  always_ff @(posedge clk_i) begin
    a_q       <= a_i;
    b_q       <= b_i;
    product_q <= $signed({{BW{a_q[AW-1]}}, a_q}) * $signed({{AW{b_q[BW-1]}}, b_q});
    p_o       <= product_q;
  end
endmodule
