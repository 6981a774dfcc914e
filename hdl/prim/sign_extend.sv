// Two's complement widening from InW to OutW >= InW bits; wires only.
`default_nettype none

module sign_extend #(
    parameter integer InW  = 8,
    parameter integer OutW = 12
) (
    input  wire [ InW-1:0] data_i,
    output wire [OutW-1:0] data_o
);
  if (OutW > InW) begin : g_widen
    assign data_o = {{(OutW - InW) {data_i[InW-1]}}, data_i};
  end else begin : g_same
    assign data_o = data_i;
  end
endmodule

`default_nettype wire
