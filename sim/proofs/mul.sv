// mul: the exact product of the factors three cycles before.
module prove_mul #(
    parameter int AW = 6,
    parameter int BW = 5
) (
    input logic                 clk_i,
    input logic signed [AW-1:0] a_i,
    input logic signed [BW-1:0] b_i
);
  logic signed [AW+BW-1:0] p_o;
  mul #(.AW(AW), .BW(BW)) u_dut (.*);

  // an independent product: shifted additions
  logic signed [AW+BW-1:0] product, product_1, product_2, product_3;
  always_comb begin
    product = '0;
    for (int i = 0; i < BW; i = i + 1) begin
      if (b_i[i]) begin
        if (i == BW - 1) product = product - ({{BW{a_i[AW-1]}}, a_i} << i);
        else product = product + ({{BW{a_i[AW-1]}}, a_i} << i);
      end
    end
  end

  logic [1:0] age = 2'd0;
  always_ff @(posedge clk_i) begin
    product_1 <= product;
    product_2 <= product_1;
    product_3 <= product_2;
    if (age < 2'd3) age <= age + 2'd1;
  end
  always_comb begin
    if (age == 2'd3) assert (p_o == product_3);
    cover (age == 2'd3 && product_3 == (1 << (AW + BW - 2)));
  end
endmodule
