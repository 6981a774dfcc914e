// Chooses one of N requests; whoever was served last comes last.
//
// Parameters: N      requests, >= 1
//             IndexW width of an index, at least $clog2(N)
// Latency:    none; take_i in a cycle makes the choice of that cycle the last one served
// Does not:   hold a choice: it may change every cycle until it is taken.
`default_nettype none

module round_robin #(
    parameter integer N      = 4,
    parameter integer IndexW = 2
) (
    input  wire              clk_i,
    input  wire              rst_i,
    input  wire [     N-1:0] request_i,
    input  wire              take_i,
    output wire              any_o,
    output wire [IndexW-1:0] index_o
);
  reg [N-1:0] later_q;  // requests behind the one served last
  wire [N-1:0] first_choice = request_i & later_q;
  wire [N-1:0] candidates = first_choice == '0 ? request_i : first_choice;
  wire [N-1:0] up_to = candidates ^ (candidates - 1'b1);  // the lowest candidate and all below
  wire [N-1:0] chosen = candidates & up_to;

  for (genvar b = 0; b < IndexW; b = b + 1) begin : g_bit
    wire [N-1:0] has_bit;
    for (genvar i = 0; i < N; i = i + 1) begin : g_request
      assign has_bit[i] = chosen[i] && (i >> b) % 2 == 1;
    end
    assign index_o[b] = has_bit != '0;
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) later_q <= '0;
    else if (take_i && any_o) later_q <= {N{1'b1}} ^ up_to;
  end

  assign any_o = request_i != '0;
endmodule

`default_nettype wire
