// saturate: min(max(value, -L), L) with L = 2^(bits-1) - 1, for every value and every width.
module prove_saturate #(
    parameter int InW  = 32,
    parameter int OutW = 16
) (
    input logic signed [InW-1:0] value_i,
    input logic        [    4:0] bits_i
);
  logic signed [OutW-1:0] value_o;
  logic [OutW-2:0] limit_i;
  bits_limit #(.W(OutW - 1)) u_limit (.bits_i, .limit_o(limit_i));
  saturate #(.InW(InW), .OutW(OutW)) u_dut (.*);

  logic signed [InW-1:0] limit, expected;
  assign limit = (64'd1 << (bits_i - 1)) - 64'd1;
  assign expected = (value_i > limit) ? limit : (value_i < -limit) ? -limit : value_i;

  always_comb begin
    assume (bits_i >= 2 && bits_i <= OutW);
    assert ($signed(value_o) == expected);
    cover (value_i == -limit - 1);
  end
endmodule
