// saturating_add: the exact sum, limited to +-(2^(W-1) - 1).
module prove_saturating_add #(
    parameter int W = 16
) (
    input logic signed [W-1:0] a_i,
    input logic signed [W-1:0] b_i
);
  logic [W-1:0] sum_o;
  saturating_add #(.W(W)) u_dut (.*);

  logic signed [W+1:0] exact, limit, expected;
  assign limit = (1 <<< (W - 1)) - 1;
  assign exact = a_i + b_i;
  assign expected = (exact > limit) ? limit : (exact < -limit) ? -limit : exact;

  always_comb begin
    assert ($signed(sum_o) == expected);
    cover (exact == -limit - 1);
  end
endmodule
