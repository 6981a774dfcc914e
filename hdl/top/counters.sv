// What every cycle of a request is spent on: one counter of all cycles, and one for each cause.
//
// Purpose   While busy_i, each cycle has exactly one cause, so the counters of the causes add up to
//           the counter of the cycles:
//             0 issued   a wave enters          1 operand  the next wave's elements are not written
//             2 gate     keys or values are not  3 noise    the noise is not drawn
//             4 fetch    no step is loaded yet   5 host     a prompt token or an answer waits
//             6 idle     anything else: between tokens
// Params    W: width of a counter; it wraps.
// Formats   counters_o: cycles at [0+:W], cause n at [(1+n)*W+:W], unsigned.
// Latency   inputs -> cause_o: 0; -> counters_o: 2 cycles. clear_i zeroes all; the cycle of clear_i
//           is not counted, the one before it is dropped too.
// It does not know tokens: whoever clears it decides what is measured.
`default_nettype none

module counters #(
    parameter integer W = 32
) (
    input  wire           clk_i,
    input  wire           rst_i,
    input  wire           clear_i,
    input  wire           busy_i,
    // sequencer and scoreboard
    input  wire           issue_i,     // a wave enters
    input  wire           loaded_i,    // a step is loaded
    input  wire           ready_i,     // the elements of its next wave are written
    input  wire           noise_i,     // its gate is the noise
    input  wire           running_i,   // the program is not at its end
    // controller: it waits for one of the streams
    input  wire           host_i,
    output wire [    2:0] cause_o,
    output wire [8*W-1:0] counters_o
);
  reg [2:0] cause, cause_q;
  reg counted_q;

  always_comb begin
    cause = 3'd6;
    if (issue_i) cause = 3'd0;
    else if (loaded_i && !ready_i) cause = 3'd1;
    else if (loaded_i && !noise_i) cause = 3'd2;
    else if (loaded_i) cause = 3'd3;
    else if (running_i) cause = 3'd4;
    else if (host_i) cause = 3'd5;
  end

  always_ff @(posedge clk_i) begin
    cause_q   <= cause;
    counted_q <= busy_i && !clear_i && !rst_i;
  end

  for (genvar n = 0; n < 8; n = n + 1) begin : g_counter
    localparam int CAUSE_INT = (n == 0) ? 7 : n - 1;
    localparam logic [2:0] CAUSE = CAUSE_INT[2:0];
    reg [W-1:0] count_q;

    always_ff @(posedge clk_i) begin
      if (rst_i || clear_i) count_q <= {W{1'b0}};
      else if (counted_q && (n == 0 || cause_q == CAUSE)) count_q <= count_q + 1'b1;
    end

    assign counters_o[n*W+:W] = count_q;
  end

  assign cause_o = cause;
endmodule

`default_nettype wire
