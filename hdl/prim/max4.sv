// The largest of four signed values and its index, registered.
//
// Parameters: W       width of a value in bits
//             IndexW  width of an index in bits
// Formats:    value n at [n*W +: W], two's complement; index n at [n*IndexW +: IndexW]
// Latency:    1 cycle
// Ties:       the lower n wins.
// Does not:   reset (data runs free).
`default_nettype none

module max4 #(
    parameter int W = 16,
    parameter int IndexW = 4
) (
    input  logic                  clk_i,
    input  logic [       4*W-1:0] values_i,
    input  logic [  4*IndexW-1:0] indices_i,
    output logic signed [  W-1:0] max_o,
    output logic [    IndexW-1:0] index_o
);
  logic signed [W-1:0] value0, value1, value2, value3;
  logic take1, take3, take_high;
  logic high_20, high_21, high_30, high_31;

  assign value0  = values_i[0*W+:W];
  assign value1  = values_i[1*W+:W];
  assign value2  = values_i[2*W+:W];
  assign value3  = values_i[3*W+:W];
  // All six comparisons at once, so that a node costs the time of one.
  assign take1   = value1 > value0;
  assign take3   = value3 > value2;
  assign high_20 = value2 > value0;
  assign high_21 = value2 > value1;
  assign high_30 = value3 > value0;
  assign high_31 = value3 > value1;

  always_comb begin
    take_high = take1 ? high_21 : high_20;
    if (take3) take_high = take1 ? high_31 : high_30;
  end

  always_ff @(posedge clk_i) begin
    if (take_high) begin
      max_o   <= take3 ? value3 : value2;
      index_o <= take3 ? indices_i[3*IndexW+:IndexW] : indices_i[2*IndexW+:IndexW];
    end else begin
      max_o   <= take1 ? value1 : value0;
      index_o <= take1 ? indices_i[1*IndexW+:IndexW] : indices_i[0*IndexW+:IndexW];
    end
  end
endmodule
