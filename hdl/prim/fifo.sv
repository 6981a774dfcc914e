// First-in first-out queue of 2^LogDepth words; the oldest word shows without being asked for.
//
// Parameters: W         width in bits
//             LogDepth  depth is 2^LogDepth words, 1..8: it is made of registers or LUT RAM
// Latency:    a word written in a cycle is offered in the next
// Does not:   accept a word while full, not even in a cycle in which one leaves.
`default_nettype none

module fifo #(
    parameter integer W        = 8,
    parameter integer LogDepth = 4
) (
    input  wire              clk_i,
    input  wire              rst_i,
    // in
    input  wire              valid_i,
    output wire              ready_o,
    input  wire [     W-1:0] data_i,
    // out
    output wire              valid_o,
    input  wire              ready_i,
    output wire [     W-1:0] data_o,
    // words inside
    output wire [LogDepth:0] fill_o
);
  localparam integer DEPTH = 1 << LogDepth;

  reg [W-1:0] words_q[0:DEPTH-1];
  reg [LogDepth:0] write_q, read_q;  // one bit more than an address tells full from empty

  wire full = write_q == {!read_q[LogDepth], read_q[LogDepth-1:0]};
  wire put = valid_i && !full;
  wire take = ready_i && valid_o;

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      write_q <= '0;
      read_q  <= '0;
    end else begin
      if (put) write_q <= write_q + 1'b1;
      if (take) read_q <= read_q + 1'b1;
    end
    if (put) words_q[write_q[LogDepth-1:0]] <= data_i;
  end

  assign ready_o = !full;
  assign valid_o = write_q != read_q;
  assign data_o  = words_q[read_q[LogDepth-1:0]];
  assign fill_o  = write_q - read_q;
endmodule

`default_nettype wire
