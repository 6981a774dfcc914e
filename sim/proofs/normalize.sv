// normalize: position of the leading one and the FracW bits below it, two cycles later.
module prove_normalize #(
    parameter int W = 40,
    parameter int FracW = 7
) (
    input logic         clk_i,
    input logic [W-1:0] value_i
);
  logic [5:0] position_o;
  logic [FracW-1:0] fraction_o;
  normalize #(.W(W), .FracW(FracW)) u_dut (.*);

  logic [5:0] position, position_1, position_2;
  logic [W+FracW-1:0] below;
  logic [FracW-1:0] fraction_1, fraction_2;
  always_comb begin
    position = 6'd0;
    for (int i = 0; i < W; i = i + 1) if (value_i[i]) position = i;
    below = {value_i, {FracW{1'b0}}} >> position;  // the leading one at bit FracW
  end
  logic [1:0] age = 2'd0;
  always_ff @(posedge clk_i) begin
    position_1 <= position;
    position_2 <= position_1;
    fraction_1 <= below[FracW-1:0];
    fraction_2 <= fraction_1;
    if (age < 2'd2) age <= age + 2'd1;
  end
  always_comb begin
    if (age == 2'd2) begin
      assert (position_o == position_2);
      assert (fraction_o == fraction_2);
    end
    cover (age == 2'd2 && position_o == W - 1 && fraction_o == '1);
  end
endmodule
