// Unsigned resize from InW to OutW bits: zeros are added on the left, or high bits dropped.
`default_nettype none

module resize #(
    parameter integer InW  = 4,
    parameter integer OutW = 8
) (
    input  wire [ InW-1:0] data_i,
    output wire [OutW-1:0] data_o
);
  if (OutW > InW) begin : g_widen
    assign data_o = {{(OutW - InW) {1'b0}}, data_i};
  end else begin : g_narrow
    assign data_o = data_i[OutW-1:0];
    wire unused = &{1'b0, data_i};
  end
endmodule

`default_nettype wire
