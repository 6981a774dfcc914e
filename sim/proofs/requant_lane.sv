// requant_lane: the multiplier gets SAT18(SHR(acc, shift)) and mant, and what leaves is
// SAT_bits(((product >>> exp) + bias) >>> 4), for any product, at the cycles of the header.
module prove_requant_lane #(
    parameter int AccW  = 32,
    parameter int BiasW = 24
) (
    input logic                    clk_i,
    input logic signed [ AccW-1:0] acc_i,
    input logic        [      4:0] shift_i,
    input logic        [     15:0] mant_i,
    input logic        [      5:0] exp_i,
    input logic signed [BiasW-1:0] bias_i,
    input logic        [      4:0] out_bits_i
);
  logic signed [15:0] z_o;
  requant_lane #(.AccW(AccW), .BiasW(BiasW)) u_dut (.*);
  (* hierconn *) wire [17:0] \u_dut.u_mul.a_i ;
  (* hierconn *) wire [16:0] \u_dut.u_mul.b_i ;
  (* hierconn *) wire [34:0] \u_dut.u_mul.p_o ;
  wire signed [34:0] product;
  assign product = \u_dut.u_mul.p_o ;

  // the multiplier's inputs, one cycle after acc_i and shift_i
  localparam int WIDE = (AccW > 32) ? AccW + 2 : 34;
  logic signed [WIDE-1:0] half, shifted, reduced, reduced_q;
  assign half = (72'd1 << shift_i) >> 1;
  assign shifted = (acc_i + half) >>> shift_i;
  assign reduced = (shifted > 131071) ? 131071 : (shifted < -131071) ? -131071 : shifted;

  // what leaves, from a product three cycles before
  logic signed [34:0] scaled_q;
  logic signed [39:0] sum_q, guarded, limit, expected, expected_q;
  assign guarded = sum_q >>> 4;
  logic [4:0] bits_q, bits_qq;  // those of the value, two cycles before
  assign limit = (40'd1 << (bits_qq - 1)) - 40'd1;
  assign expected = (guarded > limit) ? limit : (guarded < -limit) ? -limit : guarded;

  logic [2:0] age = 3'd0;
  always_ff @(posedge clk_i) begin
    reduced_q  <= reduced;
    scaled_q   <= product >>> exp_i;
    sum_q      <= scaled_q + bias_i;
    expected_q <= expected;
    bits_q     <= out_bits_i;
    bits_qq    <= bits_q;
    if (age < 3'd3) age <= age + 3'd1;
  end

  always_comb begin
    assume (out_bits_i >= 2 && out_bits_i <= 16);
    if (age >= 3'd1) assert ($signed(\u_dut.u_mul.a_i ) == reduced_q);
    assert (\u_dut.u_mul.b_i == {1'b0, mant_i});
    if (age >= 3'd3) assert ($signed(z_o) == expected_q);
    cover (age == 3'd3 && z_o == 16'sh8001);
  end
endmodule
