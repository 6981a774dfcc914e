// Number of the lowest bit that is set; combinational.
//
// Params    N: bits. W: width of the number.
// Latency   0 cycles. index_o is 0 when no bit is set.
`default_nettype none

module lowest_set #(
    parameter integer N = 4,
    parameter integer W = 2
) (
    input  wire [N-1:0] bits_i,
    output wire         any_o,
    output wire [W-1:0] index_o
);
  wire [(N+1)*W-1:0] chain;  // the answer among the bits from n on

  assign chain[N*W+:W] = {W{1'b0}};
  for (genvar n = 0; n < N; n = n + 1) begin : g_bit
    localparam logic [W-1:0] NUMBER = n[W-1:0];
    assign chain[n*W+:W] = bits_i[n] ? NUMBER : chain[(n+1)*W+:W];
  end

  assign any_o = bits_i != {N{1'b0}};
  assign index_o = chain[W-1:0];
endmodule

`default_nettype wire
