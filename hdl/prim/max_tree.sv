// Pipelined maximum of up to N signed values and the index of the first lane that holds it.
//
// Parameters: N  number of values, >= 2
//             W  width of a value in bits
// Formats:    value n at [n*W +: W], two's complement; index_o unsigned, 2*Levels bits;
//             present_i: which values count: value 0 and any number of those that follow it
// Latency:    Levels = ceil(log4 N) = ($clog2(N) + 1) / 2 cycles; one maximum per cycle
// Ties:       the lowest index wins.
// Does not:   reset (data runs free).
`default_nettype none

module max_tree #(
    parameter int N = 16,
    parameter int W = 16
) (
    input  logic                             clk_i,
    input  logic [                    N-1:0] present_i,
    input  logic [                  N*W-1:0] values_i,
    output logic [                    W-1:0] max_o,
    output logic [2*(($clog2(N)+1)/2)-1:0] index_o
);
  localparam int LEVELS = ($clog2(N) + 1) / 2;
  localparam int INDEX_W = 2 * LEVELS;
  localparam int LEAVES = 1 << (2 * LEVELS);
  localparam int NODES = (LEAVES - 1) / 3;  // a heap: the children of node n are 4n+1 .. 4n+4

  // a variable: Icarus is slow on a net that many instances drive in parts
  logic [(NODES+LEAVES)*W-1:0] values;
  logic [(NODES+LEAVES)*INDEX_W-1:0] indices;
  logic [NODES+LEAVES-1:0] present;
  logic unused_first;
  assign unused_first = present[0];

  for (genvar leaf = 0; leaf < LEAVES; leaf = leaf + 1) begin : g_leaf
    assign indices[(NODES+leaf)*INDEX_W+:INDEX_W] = leaf[INDEX_W-1:0];
    if (leaf < N) begin : g_value
      logic [W-1:0] value;
      assign value = values_i[leaf*W+:W];
      always_comb values[(NODES+leaf)*W+:W] = value;
      assign present[NODES+leaf] = present_i[leaf];
    end else begin : g_pad
      logic [W-1:0] value;
      assign value = '0;
      always_comb values[(NODES+leaf)*W+:W] = value;
      assign present[NODES+leaf] = 1'b0;
    end
  end

  for (genvar node = 0; node < NODES; node = node + 1) begin : g_node
    logic [W-1:0] largest;
    max4 #(
        .W(W),
        .IndexW(INDEX_W)
    ) u_max4 (
        .clk_i(clk_i),
        .present_i(present[4*node+2+:3]),
        .values_i(values[(4*node+1)*W+:4*W]),
        .indices_i(indices[(4*node+1)*INDEX_W+:4*INDEX_W]),
        .max_o(largest),
        .index_o(indices[node*INDEX_W+:INDEX_W])
    );
    always_comb values[node*W+:W] = largest;
    logic present_q;
    always_ff @(posedge clk_i) present_q <= present[4*node+1];
    assign present[node] = present_q;
  end

  assign max_o   = values[W-1:0];
  assign index_o = indices[INDEX_W-1:0];
endmodule
