// The first set bit above a given number, else the lowest set bit: taking turns; combinational.
//
// Params    N: bits. W: width of a number.
// Latency   0 cycles. index_o is 0 when no bit is set.
`default_nettype none

module next_in_turn #(
    parameter integer N = 4,
    parameter integer W = 2
) (
    input  wire [N-1:0] bits_i,
    input  wire [W-1:0] last_i,
    output wire         any_o,
    output wire [W-1:0] index_o
);
  wire [N-1:0] above;
  wire any_above;
  wire [W-1:0] first_above, first;

  assign above[0] = 1'b0;
  for (genvar n = 1; n < N; n = n + 1) begin : g_bit
    localparam logic [W-1:0] NUMBER = n[W-1:0];
    assign above[n] = bits_i[n] && NUMBER > last_i;
  end

  lowest_set #(
      .N(N),
      .W(W)
  ) u_above (
      .bits_i (above),
      .any_o  (any_above),
      .index_o(first_above)
  );
  lowest_set #(
      .N(N),
      .W(W)
  ) u_all (
      .bits_i (bits_i),
      .any_o  (any_o),
      .index_o(first)
  );

  assign index_o = any_above ? first_above : first;
endmodule

`default_nettype wire
