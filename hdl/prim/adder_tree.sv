// Pipelined sum of N unsigned values, four per node and cycle.
//
// Parameters: N     number of values
//             W     width of a value in bits
//             OutW  width of the sum in bits, >= W; the sum must fit
// Formats:    value n at [n*W +: W], unsigned
// Latency:    Levels = ceil(log4 N) = ($clog2(N) + 1) / 2 cycles; one sum per cycle
// Does not:   reset (data runs free).
`default_nettype none

module adder_tree #(
    parameter int N = 16,
    parameter int W = 12,
    parameter int OutW = 16
) (
    input  logic            clk_i,
    input  logic [ N*W-1:0] values_i,
    output logic [OutW-1:0] sum_o
);
  localparam int LEVELS = ($clog2(N) + 1) / 2;
  localparam int LEAVES = 1 << (2 * LEVELS);
  localparam int NODES = (LEAVES - 1) / 3;  // a heap: the children of node n are 4n+1 .. 4n+4

  // a variable: Icarus is slow on a net that many instances drive in parts
  logic [(NODES+LEAVES)*OutW-1:0] sums;

  for (genvar leaf = 0; leaf < LEAVES; leaf = leaf + 1) begin : g_leaf
    if (leaf < N) begin : g_value
      logic [OutW+W-1:0] wide;
      logic unused_high;
      assign wide = {{OutW{1'b0}}, values_i[leaf*W+:W]};
      assign unused_high = &{1'b0, wide[OutW+W-1:OutW]};
      logic [OutW-1:0] value;
      assign value = wide[OutW-1:0];
      always_comb sums[(NODES+leaf)*OutW+:OutW] = value;
    end else begin : g_pad
      logic [OutW-1:0] value;
      assign value = '0;
      always_comb sums[(NODES+leaf)*OutW+:OutW] = value;
    end
  end

  for (genvar node = 0; node < NODES; node = node + 1) begin : g_node
    logic [OutW-1:0] sum_q;
    always_ff @(posedge clk_i) begin
      sum_q <= (sums[(4*node+1)*OutW+:OutW] + sums[(4*node+2)*OutW+:OutW]) +
               (sums[(4*node+3)*OutW+:OutW] + sums[(4*node+4)*OutW+:OutW]);
    end
    always_comb sums[node*OutW+:OutW] = sum_q;
  end

  if (NODES == 0) begin : g_single
    logic unused_clock;
    assign unused_clock = clk_i;
  end
  assign sum_o = sums[OutW-1:0];
endmodule
