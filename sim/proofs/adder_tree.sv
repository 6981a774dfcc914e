// adder_tree: the exact sum, ceil(log4 N) cycles later.
module prove_adder_tree #(
    parameter int N = 6,
    parameter int W = 4,
    parameter int OutW = 7
) (
    input logic           clk_i,
    input logic [N*W-1:0] values_i
);
  localparam int LEVELS = ($clog2(N) + 1) / 2;
  logic [OutW-1:0] sum_o;
  adder_tree #(.N(N), .W(W), .OutW(OutW)) u_dut (.*);
  logic [OutW-1:0] sum;
  always_comb begin
    sum = '0;
    for (int i = 0; i < N; i = i + 1) sum = sum + values_i[i*W+:W];
  end
  logic [OutW-1:0] sums[1:LEVELS];
  logic [3:0] age = 4'd0;
  always_ff @(posedge clk_i) begin
    sums[1] <= sum;
    for (int i = 2; i <= LEVELS; i = i + 1) sums[i] <= sums[i-1];
    if (age < LEVELS) age <= age + 4'd1;
  end
  always_comb begin
    if (age == LEVELS) assert (sum_o == sums[LEVELS]);
    cover (age == LEVELS && sum_o == N * ((1 << W) - 1));
  end
endmodule
