// One word for each context: one write port, one read port that answers at once.
//
// Params    W: bits of a word. Words: how many; AddrW: their address.
// Latency   addr_i -> data_o: 0 cycles. Write to read: the next cycle.
`default_nettype none

module context_file #(
    parameter integer W     = 8,
    parameter integer Words = 2,
    parameter integer AddrW = 1
) (
    input  wire             clk_i,
    input  wire             we_i,
    input  wire [AddrW-1:0] waddr_i,
    input  wire [    W-1:0] wdata_i,
    input  wire [AddrW-1:0] addr_i,
    output wire [    W-1:0] data_o
);
  reg [W-1:0] mem[0:Words-1];

  initial begin
    for (integer i = 0; i < Words; i = i + 1) mem[i] = {W{1'b0}};
  end

  always_ff @(posedge clk_i) if (we_i) mem[waddr_i] <= wdata_i;

  assign data_o = mem[addr_i];
endmodule

`default_nettype wire
