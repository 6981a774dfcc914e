// scale_index: index times a constant.
module prove_scale_index #(
    parameter int Factor = 24
) (
    input logic [7:0] index_i
);
  logic [15:0] product_o;
  scale_index #(.InW(8), .OutW(16), .Factor(Factor)) u_dut (.*);
  logic [15:0] factor;
  assign factor = Factor;
  always_comb begin
    assume (index_i * factor < 65536);
    assert (product_o == {8'd0, index_i} * factor);
    cover (index_i == 8'd7);
  end
endmodule
