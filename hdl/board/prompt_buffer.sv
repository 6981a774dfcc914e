// Holds the prompt of one stream until it is known to be whole, then offers it to the core.
//
// Params    LogDepth  2^LogDepth tokens at most
// Input     we_i writes token data_i at addr_i, while nothing is offered (busy_o low); start_i with count_i
//           (1 .. 2^LogDepth) begins to offer tokens 0 .. count_i - 1.
// Output    AXI4-Stream, tlast with the last token.
// Latency   the first beat three cycles after start_i; then a token every second cycle at most.
// Does not  check tokens; clear_i ends everything, as a reset.
`default_nettype none

module prompt_buffer #(
    parameter integer LogDepth = 5
) (
    input  wire                clk_i,
    input  wire                rst_i,
    input  wire                clear_i,
    // the token of a frame
    input  wire                we_i,
    input  wire [LogDepth-1:0] addr_i,
    input  wire [        15:0] data_i,
    // the frame was good
    input  wire                start_i,
    input  wire [  LogDepth:0] count_i,
    output wire                busy_o,
    // prompt (AXI4-Stream)
    output wire                m_axis_tvalid_o,
    input  wire                m_axis_tready_i,
    output wire [        15:0] m_axis_tdata_o,
    output wire                m_axis_tlast_o
);
  localparam integer DEPTH = 1 << LogDepth;

  reg [15:0] tokens_q[0:DEPTH-1];
  reg [15:0] token_q;
  reg [LogDepth:0] left_q;  // tokens that have not been taken
  reg [LogDepth-1:0] addr_q;
  reg read_q, valid_q;  // token_q gets token addr_q; it is offered

  wire take = valid_q && m_axis_tready_i;
  wire last = left_q == {{LogDepth{1'b0}}, 1'b1};

  always_ff @(posedge clk_i) begin
    if (we_i) tokens_q[addr_i] <= data_i;
    if (read_q) token_q <= tokens_q[addr_q];
    if (start_i) addr_q <= '0;
    else if (take) addr_q <= addr_q + 1'b1;
    if (rst_i || clear_i) begin
      left_q  <= '0;
      read_q  <= 1'b0;
      valid_q <= 1'b0;
    end else begin
      read_q <= start_i || (take && !last);
      if (read_q) valid_q <= 1'b1;
      else if (take) valid_q <= 1'b0;
      if (start_i) left_q <= count_i;
      else if (take) left_q <= left_q - 1'b1;
    end
  end

  assign busy_o = left_q != '0;
  assign m_axis_tvalid_o = valid_q;
  assign m_axis_tdata_o = token_q;
  assign m_axis_tlast_o = last;
endmodule

`default_nettype wire
