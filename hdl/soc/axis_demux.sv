// One AXI4-Stream to many: TDEST says to which; beats of a destination that is not there are dropped.
//
// Params    Streams  1..8
// Latency   none; tready of the input is that of its destination.
// Output    lost_o for one cycle with each beat that is dropped.
// Does not  store, so one stream that is not ready stops those whose beats are behind it.
`default_nettype none

module axis_demux #(
    parameter integer Streams = 2
) (
    // in
    input  wire                  s_axis_tvalid,
    output wire                  s_axis_tready,
    input  wire [          15:0] s_axis_tdata,
    input  wire                  s_axis_tlast,
    input  wire [           7:0] s_axis_tdest,
    output wire                  lost_o,
    // out, packed by stream
    output wire [   Streams-1:0] m_axis_tvalid,
    input  wire [   Streams-1:0] m_axis_tready,
    output wire [Streams*16-1:0] m_axis_tdata,
    output wire [   Streams-1:0] m_axis_tlast
);
  wire [Streams-1:0] chosen;

  for (genvar s = 0; s < Streams; s = s + 1) begin : g_stream
    localparam integer NUMBER_INT = s;
    localparam logic [7:0] NUMBER = NUMBER_INT[7:0];
    assign chosen[s] = s_axis_tdest == NUMBER;
  end

  assign m_axis_tvalid = s_axis_tvalid ? chosen : '0;
  assign m_axis_tdata = {Streams{s_axis_tdata}};
  assign m_axis_tlast = {Streams{s_axis_tlast}};
  assign s_axis_tready = chosen == '0 || (chosen & m_axis_tready) != '0;
  assign lost_o = s_axis_tvalid && chosen == '0;
endmodule

`default_nettype wire
