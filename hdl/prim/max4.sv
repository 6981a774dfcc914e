// The largest of four signed values and its index, registered.
//
// Parameters: W       width of a value in bits
//             IndexW  width of an index in bits
// Formats:    value n at [n*W +: W], two's complement; index n at [n*IndexW +: IndexW];
//             present_i: which of the values 1, 2, 3 count; one that does not count must not
//             come before one that does
// Latency:    1 cycle
// Ties:       the lower n wins.
// Does not:   reset (data runs free).
`default_nettype none

module max4 #(
    parameter int W = 16,
    parameter int IndexW = 4
) (
    input  logic                clk_i,
    input  logic [         3:1] present_i,
    input  logic [     4*W-1:0] values_i,
    input  logic [4*IndexW-1:0] indices_i,
    output logic [       W-1:0] max_o,
    output logic [  IndexW-1:0] index_o
);
  // Differences n - m of one bit more, whose sign says m > n: all six at once, and no choice waits
  // for another, so that a node costs the time of one comparison and two tables.
  logic [W:0] value0, value1, value2, value3;
  logic [W:0] minus_01, minus_23, minus_02, minus_12, minus_03, minus_13;
  logic take1, take3, take_high, unused_bits;

  assign value0 = {values_i[1*W-1], values_i[0*W+:W]};
  assign value1 = {values_i[2*W-1], values_i[1*W+:W]};
  assign value2 = {values_i[3*W-1], values_i[2*W+:W]};
  assign value3 = {values_i[4*W-1], values_i[3*W+:W]};
  assign minus_01 = value0 - value1;
  assign minus_23 = value2 - value3;
  assign minus_02 = value0 - value2;
  assign minus_12 = value1 - value2;
  assign minus_03 = value0 - value3;
  assign minus_13 = value1 - value3;
  assign unused_bits = &{1'b0, minus_01[W-1:0], minus_23[W-1:0], minus_02[W-1:0],
                         minus_12[W-1:0], minus_03[W-1:0], minus_13[W-1:0]};

  assign take1 = minus_01[W] && present_i[1];
  assign take3 = minus_23[W] && present_i[3];
  // one of them is above both of the others
  assign take_high = (present_i[2] && minus_02[W] && minus_12[W]) ||
                     (present_i[3] && minus_03[W] && minus_13[W]);

  logic [W+IndexW-1:0] low, high;
  assign low  = take1 ? {values_i[1*W+:W], indices_i[1*IndexW+:IndexW]}
                      : {values_i[0*W+:W], indices_i[0*IndexW+:IndexW]};
  assign high = take3 ? {values_i[3*W+:W], indices_i[3*IndexW+:IndexW]}
                      : {values_i[2*W+:W], indices_i[2*IndexW+:IndexW]};
  always_ff @(posedge clk_i) {max_o, index_o} <= take_high ? high : low;
endmodule
