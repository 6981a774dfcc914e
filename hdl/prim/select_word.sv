// One of several words, by its number; combinational.
//
// Params    N: words. W: bits of a word. IndexW: width of a number.
// Latency   0 cycles. A number that no word has gives 0.
// By comparisons: yosys would make a multiplier of an index times W.
`default_nettype none

module select_word #(
    parameter integer N      = 4,
    parameter integer W      = 8,
    parameter integer IndexW = 2
) (
    input  wire [   N*W-1:0] words_i,
    input  wire [IndexW-1:0] index_i,
    output wire [     W-1:0] word_o
);
  wire [(N+1)*W-1:0] chain;  // the answer among the words from n on

  assign chain[N*W+:W] = {W{1'b0}};
  for (genvar n = 0; n < N; n = n + 1) begin : g_word
    localparam logic [IndexW-1:0] NUMBER = n[IndexW-1:0];
    assign chain[n*W+:W] = chain[(n+1)*W+:W] | (words_i[n*W+:W] & {W{index_i == NUMBER}});
  end

  assign word_o = chain[W-1:0];
endmodule

`default_nettype wire
