// Many AXI4-Streams to one: beats take turns, TID says whose they are; closing beats are noted.
//
// Params    Streams  1..8
// Latency   one cycle.
// Output    closed_o[s] for one cycle when the closing beat (tuser) of stream s is taken, status_o holds
//           its data from then on.
// Does not  keep the beats of a stream together: a receiver sorts them by TID.
`default_nettype none

module axis_mux #(
    parameter integer Streams = 2
) (
    input  wire                  clk_i,
    input  wire                  rst_i,
    // in, packed by stream
    input  wire [   Streams-1:0] s_axis_tvalid,
    output wire [   Streams-1:0] s_axis_tready,
    input  wire [Streams*16-1:0] s_axis_tdata,
    input  wire [   Streams-1:0] s_axis_tlast,
    input  wire [   Streams-1:0] s_axis_tuser,
    // out
    output wire                  m_axis_tvalid,
    input  wire                  m_axis_tready,
    output wire [          15:0] m_axis_tdata,
    output wire                  m_axis_tlast,
    output wire                  m_axis_tuser,
    output wire [           7:0] m_axis_tid,
    // closing beats
    output wire [   Streams-1:0] closed_o,
    output wire [ Streams*8-1:0] status_o
);
  reg valid_q, last_q, user_q;
  reg [15:0] data_q;
  reg [ 2:0] id_q;
  wire any;
  wire [2:0] turn;
  wire [7:0] lasts, users;  // eight of them, so that every index is one
  wire take = any && (!valid_q || m_axis_tready);

  round_robin #(
      .N(Streams),
      .IndexW(3)
  ) u_turn (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .request_i(s_axis_tvalid),
      .take_i(take),
      .any_o(any),
      .index_o(turn)
  );

  for (genvar s = 0; s < Streams; s = s + 1) begin : g_stream
    localparam integer NUMBER_INT = s;
    localparam logic [2:0] NUMBER = NUMBER_INT[2:0];
    reg [7:0] status_q;
    reg closed_q;

    assign s_axis_tready[s] = take && turn == NUMBER;
    always_ff @(posedge clk_i) begin
      if (rst_i) begin
        closed_q <= 1'b0;
        status_q <= 8'd0;
      end else begin
        closed_q <= s_axis_tready[s] && s_axis_tuser[s];
        if (s_axis_tready[s] && s_axis_tuser[s]) status_q <= s_axis_tdata[s*16+:8];
      end
    end
    assign closed_o[s] = closed_q;
    assign status_o[s*8+:8] = status_q;
  end

  resize #(
      .InW (Streams),
      .OutW(8)
  ) u_lasts (
      .data_i(s_axis_tlast),
      .data_o(lasts)
  );
  resize #(
      .InW (Streams),
      .OutW(8)
  ) u_users (
      .data_i(s_axis_tuser),
      .data_o(users)
  );

  always_ff @(posedge clk_i) begin
    if (rst_i) valid_q <= 1'b0;
    else if (take) valid_q <= 1'b1;
    else if (m_axis_tready) valid_q <= 1'b0;
    if (take) begin
      data_q <= s_axis_tdata[turn*16+:16];
      last_q <= lasts[turn];
      user_q <= users[turn];
      id_q   <= turn;
    end
  end

  assign m_axis_tvalid = valid_q;
  assign m_axis_tdata = data_q;
  assign m_axis_tlast = last_q;
  assign m_axis_tuser = user_q;
  assign m_axis_tid = {5'd0, id_q};
endmodule

`default_nettype wire
