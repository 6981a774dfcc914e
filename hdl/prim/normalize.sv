// Position of the leading one of an unsigned value, and the bits that follow it.
//
// Parameters: W      width of the value in bits, <= 64
//             FracW  number of following bits
// Formats:    position_o = floor(log2 value); fraction_o = the FracW bits below the leading one
//             (zeros below bit 0); a value of 0 gives 0 and 0
// Latency:    2 cycles: the highest group of four bits that is not zero, then the bit in the group
// Does not:   reset (data runs free).
`default_nettype none

module normalize #(
    parameter int W = 32,
    parameter int FracW = 6
) (
    input  logic             clk_i,
    input  logic [    W-1:0] value_i,
    output logic [      5:0] position_o,
    output logic [FracW-1:0] fraction_o
);
  localparam int GROUPS = (W + 3) / 4;
  localparam int WINDOW = 4 + FracW;

  logic [4*GROUPS-1:0] value;
  logic [GROUPS-1:0] above_zero, group_d, group_q;  // one-hot: the group of the leading one
  logic [4*GROUPS+FracW-1:0] value_q;
  logic [WINDOW-1:0] window;  // that group and the FracW bits below it
  logic one_1, one_2, one_3;  // ones in the group
  logic [1:0] place;
  logic [WINDOW-1:0] window_shifted;
  logic unused_high;

  if (W == 4 * GROUPS) begin : g_whole
    assign value = value_i;
  end else begin : g_pad
    assign value = {{(4 * GROUPS - W) {1'b0}}, value_i};
  end

  for (genvar group = 0; group < GROUPS; group = group + 1) begin : g_group
    if (group == GROUPS - 1) begin : g_top
      assign above_zero[group] = 1'b1;
    end else begin : g_below
      assign above_zero[group] = value[4*GROUPS-1:4*(group+1)] == '0;
    end
    assign group_d[group] = above_zero[group] && (value[4*group+:4] != 4'd0);
  end

  // AND-OR multiplexers: one product per group, collected group by group.
  for (genvar group = 0; group < GROUPS; group = group + 1) begin : g_select
    logic [WINDOW-1:0] window_sum;
    logic [3:0] number_sum;
    if (group == 0) begin : g_first
      assign window_sum = value_q[WINDOW-1:0] & {WINDOW{group_q[0]}};
      assign number_sum = '0;
    end else begin : g_next
      assign window_sum = g_select[group-1].window_sum |
                          (value_q[4*group+:WINDOW] & {WINDOW{group_q[group]}});
      assign number_sum = g_select[group-1].number_sum | (group[3:0] & {4{group_q[group]}});
    end
  end
  assign window = g_select[GROUPS-1].window_sum;
  assign {one_3, one_2, one_1} = window[FracW+3:FracW+1];

  always_comb begin
    place = 2'd0;
    if (one_1) place = 2'd1;
    if (one_2) place = 2'd2;
    if (one_3) place = 2'd3;
  end
  assign window_shifted = window >> place;
  assign unused_high = &{1'b0, window_shifted[WINDOW-1:FracW]};

  always_ff @(posedge clk_i) begin
    group_q    <= group_d;
    value_q    <= {value, {FracW{1'b0}}};
    position_o <= {g_select[GROUPS-1].number_sum, place};
    fraction_o <= window_shifted[FracW-1:0];
  end
endmodule
