// rope, one pass: the multipliers get the right pairs; SAT_bits(SHR(even or odd sum, 14)) leaves for
// any products; a tile that passes through is unchanged.
module prove_rope #(
    parameter int C = 2,
    parameter int W = 16
) (
    input logic              clk_i,
    input logic              rst_i,
    input logic              tile_valid_i,
    input logic              bypass_i,
    input logic [       4:0] out_bits_i,
    input logic [   C*W-1:0] data_i,
    input logic [C/2*16-1:0] cos_i,
    input logic [C/2*16-1:0] sin_i
);
  logic valid_o;
  logic [C*W-1:0] data_o;
  rope #(.C(C), .Passes(1), .W(W)) u_dut (.*);
  (* hierconn *) wire [W-1:0] \u_dut.g_place[0].u_direct.a_i ;
  (* hierconn *) wire [W-1:0] \u_dut.g_place[1].u_direct.a_i ;
  (* hierconn *) wire [W-1:0] \u_dut.g_place[0].u_crossed.a_i ;
  (* hierconn *) wire [W-1:0] \u_dut.g_place[1].u_crossed.a_i ;
  (* hierconn *) wire [15:0] \u_dut.g_place[0].u_direct.b_i ;
  (* hierconn *) wire [15:0] \u_dut.g_place[1].u_direct.b_i ;
  (* hierconn *) wire [15:0] \u_dut.g_place[0].u_crossed.b_i ;
  (* hierconn *) wire [15:0] \u_dut.g_place[1].u_crossed.b_i ;
  (* hierconn *) wire [W+15:0] \u_dut.g_place[0].u_direct.p_o ;
  (* hierconn *) wire [W+15:0] \u_dut.g_place[1].u_direct.p_o ;
  (* hierconn *) wire [W+15:0] \u_dut.g_place[0].u_crossed.p_o ;
  (* hierconn *) wire [W+15:0] \u_dut.g_place[1].u_crossed.p_o ;
  wire signed [W+15:0] even_direct, even_crossed, odd_direct, odd_crossed;
  assign even_direct = \u_dut.g_place[0].u_direct.p_o ;
  assign even_crossed = \u_dut.g_place[0].u_crossed.p_o ;
  assign odd_direct = \u_dut.g_place[1].u_direct.p_o ;
  assign odd_crossed = \u_dut.g_place[1].u_crossed.p_o ;

  // out_bits_i, bypass_i and a passed tile until the products come (3) and the sums are rounded (2)
  logic [4:0] bits[1:5];
  logic [5:1] bypass_q;
  logic [C*W-1:0] data[1:6];
  logic [2:0] age = 3'd0;
  always_ff @(posedge clk_i) begin
    bits[1] <= out_bits_i;
    data[1] <= data_i;
    for (int i = 2; i <= 5; i = i + 1) bits[i] <= bits[i-1];
    for (int i = 2; i <= 6; i = i + 1) data[i] <= data[i-1];
    bypass_q <= {bypass_q[4:1], bypass_i};
    if (age < 3'd6) age <= age + 3'd1;
  end

  // sums in one register, roundings in another, saturation in the third
  logic signed [W+16:0] even_q, odd_q;
  logic signed [W+3:0] even_rounded_q, odd_rounded_q, limit, even, odd;
  logic [C*W-1:0] expected_q;
  logic through_q;
  assign limit = (32'd1 << (bits[5] - 1)) - 32'd1;
  assign even = (even_rounded_q > limit) ? limit : (even_rounded_q < -limit) ? -limit : even_rounded_q;
  assign odd = (odd_rounded_q > limit) ? limit : (odd_rounded_q < -limit) ? -limit : odd_rounded_q;
  always_ff @(posedge clk_i) begin
    even_q         <= even_direct - even_crossed;
    odd_q          <= odd_direct + odd_crossed;
    even_rounded_q <= (even_q + 8192) >>> 14;
    odd_rounded_q  <= (odd_q + 8192) >>> 14;
    expected_q     <= {odd[W-1:0], even[W-1:0]};
    through_q      <= bypass_q[5];
  end

  always_comb begin
    assume (out_bits_i >= 2 && out_bits_i <= W);
    assert (\u_dut.g_place[0].u_direct.a_i == data_i[0+:W]);
    assert (\u_dut.g_place[1].u_direct.a_i == data_i[W+:W]);
    assert (\u_dut.g_place[0].u_crossed.a_i == data_i[W+:W]);
    assert (\u_dut.g_place[1].u_crossed.a_i == data_i[0+:W]);
    assert (\u_dut.g_place[0].u_direct.b_i == (bypass_i ? 16'd16384 : cos_i[15:0]));
    assert (\u_dut.g_place[1].u_direct.b_i == (bypass_i ? 16'd16384 : cos_i[15:0]));
    assert (\u_dut.g_place[0].u_crossed.b_i == (bypass_i ? 16'd0 : sin_i[15:0]));
    assert (\u_dut.g_place[1].u_crossed.b_i == (bypass_i ? 16'd0 : sin_i[15:0]));
    // the products of a tile that passes through: times one and times zero
    if (age >= 3'd3 && bypass_q[3]) begin
      assume (even_direct == $signed(data[3][0+:W]) * 64'sd16384);
      assume (odd_direct == $signed(data[3][W+:W]) * 64'sd16384);
      assume (even_crossed == 0);
      assume (odd_crossed == 0);
    end
    if (age == 3'd6) begin
      if (through_q) assert (data_o == data[6]);
      else assert (data_o == expected_q);
    end
    cover (age == 3'd6 && !through_q && data_o[W-1:0] == {1'b1, {(W - 2) {1'b0}}, 1'b1});
  end
endmodule
