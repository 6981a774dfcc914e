// Eight lights that say what the board does; short events are made long enough to see.
//
// Params    LogHold  an event shows for 2^LogHold to 2^(LogHold+1) cycles, and the heartbeat has a
//                    period of 2^(LogHold+3)
// Output    leds_o: 0 heartbeat, 1 a request runs, 2 a frame came, 3 a frame was sent, 4 something on
//           the line was not a good frame or not obeyed, 5 a request ended with an error,
//           6 reset was released, 7 the line from the host is low (idle: high, so dark)
`default_nettype none

module status_leds #(
    parameter integer LogHold = 21
) (
    input  wire       clk_i,
    input  wire       rst_i,
    input  wire       busy_i,
    input  wire       received_i,
    input  wire       sent_i,
    input  wire       refused_i,
    input  wire       failed_i,
    input  wire       line_i,
    output wire [7:0] leds_o
);
  reg [LogHold+2:0] time_q;
  reg [3:0] seen_q, shown_q;  // since the last beat; in the beat before
  reg line_q;
  wire [3:0] events = {failed_i, refused_i, sent_i, received_i};
  wire beat = time_q[LogHold-1:0] == '0;

  always_ff @(posedge clk_i) begin
    line_q <= line_i;
    if (rst_i) begin
      time_q  <= '0;
      seen_q  <= 4'd0;
      shown_q <= 4'd0;
    end else begin
      time_q <= time_q + 1'b1;
      seen_q <= beat ? events : seen_q | events;
      if (beat) shown_q <= seen_q;
    end
  end

  wire [3:0] lit = seen_q | shown_q;
  assign leds_o = {!line_q, !rst_i, lit[3:0], busy_i, time_q[LogHold+2]};
endmodule

`default_nettype wire
