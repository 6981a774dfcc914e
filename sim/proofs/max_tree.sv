// max_tree: the largest of the values that count, and the first lane that holds it.
module prove_max_tree #(
    parameter int N = 6,
    parameter int W = 5
) (
    input logic           clk_i,
    input logic [  N-1:0] present_i,
    input logic [N*W-1:0] values_i
);
  localparam int LEVELS = ($clog2(N) + 1) / 2;
  logic [W-1:0] max_o;
  logic [2*LEVELS-1:0] index_o;
  max_tree #(.N(N), .W(W)) u_dut (.*);

  logic signed [W-1:0] best;
  logic [2*LEVELS-1:0] index;
  always_comb begin
    best = values_i[W-1:0];
    index = '0;
    for (int i = 1; i < N; i = i + 1) begin
      if (present_i[i] && $signed(values_i[i*W+:W]) > best) begin
        best = values_i[i*W+:W];
        index = i;
      end
    end
  end
  logic signed [W-1:0] bests[1:LEVELS];
  logic [2*LEVELS-1:0] indices[1:LEVELS];
  logic [3:0] age = 4'd0;
  always_ff @(posedge clk_i) begin
    bests[1]   <= best;
    indices[1] <= index;
    for (int i = 2; i <= LEVELS; i = i + 1) begin
      bests[i]   <= bests[i-1];
      indices[i] <= indices[i-1];
    end
    if (age < LEVELS) age <= age + 4'd1;
  end
  always_comb begin
    assume (present_i[0] && ((present_i + 1'b1) & present_i) == '0);  // the first ones
    if (age == LEVELS) begin
      assert (max_o == bests[LEVELS]);
      assert (index_o == indices[LEVELS]);
    end
    cover (age == LEVELS && index_o == N - 1);
  end
endmodule
