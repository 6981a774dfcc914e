// One processing element: psum_o = psum_i + act_i * weight_i, four register stages.
//
// Purpose   A product of one activation and one weight joins the partial sum that moves down a
//           column. The three stages of `mul` are those of a DSP block; the sum is the fourth.
// Formats   act_i ActW-bit and weight_i WeightW-bit two's complement integers; psum AccW-bit two's
//           complement. export/ proves that no sum exceeds AccW, so nothing saturates here.
// Latency   act_i, weight_i -> psum_o: 4 cycles; psum_i -> psum_o: 1 cycle.
// It does not hold state, stall, or know what the numbers mean.
`default_nettype none

module pe #(
    parameter integer ActW    = 16,
    parameter integer WeightW = 8,
    parameter integer AccW    = 32
) (
    input  wire               clk_i,
    // operands, three cycles ahead of the partial sum
    input  wire [   ActW-1:0] act_i,
    input  wire [WeightW-1:0] weight_i,
    // partial sum from the row above, and to the row below
    input  wire [   AccW-1:0] psum_i,
    output wire [   AccW-1:0] psum_o
);
  localparam integer ProductW = ActW + WeightW;

  wire [ProductW-1:0] product;
  reg  [    AccW-1:0] psum_q;

  mul #(
      .AW(ActW),
      .BW(WeightW)
  ) u_mul (
      .clk_i(clk_i),
      .a_i(act_i),
      .b_i(weight_i),
      .p_o(product)
  );

  always_ff @(posedge clk_i) begin
    psum_q <= psum_i + {{(AccW - ProductW) {product[ProductW-1]}}, product};
  end

  assign psum_o = psum_q;
endmodule

`default_nettype wire
