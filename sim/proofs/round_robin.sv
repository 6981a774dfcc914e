// round_robin: it chooses a request where there is one, and a request that waits is served after at
// most N - 1 others.
module prove_round_robin #(
    parameter int N = 4,
    parameter int IndexW = 2
) (
    input logic         clk_i,
    input logic         rst_i,
    input logic [N-1:0] request_i,
    input logic         take_i
);
  logic any_o;
  logic [IndexW-1:0] index_o;
  round_robin #(.N(N), .IndexW(IndexW)) u_dut (.*);
  (* hierconn *) wire [N-1:0] \u_dut.later_q ;

  (* anyconst *) logic [IndexW-1:0] chosen;
  logic clean = 1'b0;
  logic [2:0] others = 3'd0;  // served while `chosen` waited
  wire waits = request_i[chosen];
  wire served = take_i && any_o;
  logic [N-1:0] earlier;
  assign earlier = ~ \u_dut.later_q ;
  // how many may come first, from who was served last
  logic [2:0] before;
  always_comb begin
    before = 3'd0;
    for (int i = 0; i < N; i = i + 1) begin
      if (\u_dut.later_q [chosen] ? (i < chosen && \u_dut.later_q [i]) :
          (i < chosen || \u_dut.later_q [i])) before = before + 3'd1;
    end
  end
  always_ff @(posedge clk_i) begin
    clean <= clean || rst_i;
    if (rst_i || !waits || (served && index_o == chosen)) others <= 3'd0;
    else if (served) others <= others + 3'd1;
  end
  always_comb begin
    if (!clean) assume (rst_i);
    assume (chosen < N);
    if (clean) begin
      assert (any_o == (request_i != '0));
      if (any_o) assert (request_i[index_o]);
      assert (others + before <= N - 1);
      assert ((earlier & (earlier + 1'b1)) == '0);  // later_q is a run of ones at the top
    end
    cover (clean && others == N - 1 && served && index_o == chosen);
  end
endmodule
