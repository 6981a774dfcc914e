// accumulator: while the sum of the magnitudes of a tile's terms is within the declared bound
// (2^(AccW-1) - 1, what export proves of every step), the sum is exact: nothing overflows.
module prove_accumulator #(
    parameter int AccW = 20
) (
    input logic            clk_i,
    input logic            valid_i,
    input logic            first_i,
    input logic [AccW-1:0] psum_i
);
  localparam int WIDE = AccW + 4;
  logic [AccW-1:0] acc_o;
  accumulator #(.Cols(1), .AccW(AccW)) u_dut (.*);

  logic signed [WIDE-1:0] term, sum_q, sum_d;
  logic [WIDE-1:0] size, bound, sizes_q, sizes_d;
  logic begun = 1'b0;
  assign bound = (1 << (AccW - 1)) - 1;
  assign term = $signed(psum_i);
  assign size = (term < 0) ? -term : term;
  assign sum_d = first_i ? term : sum_q + term;
  assign sizes_d = first_i ? size : sizes_q + size;
  always_ff @(posedge clk_i) begin
    if (valid_i) begin
      sum_q   <= sum_d;
      sizes_q <= sizes_d;
      begun   <= 1'b1;
    end
  end
  always_comb begin
    if (!begun) assume (first_i);
    if (valid_i) assume (sizes_d <= bound);
    if (begun) begin
      assert ($signed(acc_o) == sum_q);
      assert (sizes_q <= bound);
      assert (sum_q <= $signed(sizes_q) && -sum_q <= $signed(sizes_q));
    end
    cover (begun && sum_q == -$signed(bound));
  end
endmodule
