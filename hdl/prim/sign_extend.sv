// Two's complement widening from InW to OutW >= InW bits; wires only.
`default_nettype none

module sign_extend #(
    parameter integer InW  = 8,
    parameter integer OutW = 12
) (
    input  wire [ InW-1:0] data_i,
    output wire [OutW-1:0] data_o
);
  for (genvar i = 0; i < OutW; i = i + 1) begin : g_bit
    assign data_o[i] = data_i[(i < InW) ? i : InW-1];
  end
endmodule

`default_nettype wire
