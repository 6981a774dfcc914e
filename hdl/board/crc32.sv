// CRC-32 of one more byte: polynomial 0x04C11DB7, reflected, as in IEEE 802.3 and zlib.
//
// A message begins with crc_i = 0xFFFFFFFF and is followed by the complement of the last crc_o, lowest
// byte first; then the register ends as 0xDEBB20E3 whatever the message was.
// Latency: none.
`default_nettype none

module crc32 (
    input  wire [31:0] crc_i,
    input  wire [ 7:0] data_i,
    output wire [31:0] crc_o
);
  wire [9*32-1:0] steps;  // after n bits at [n*32 +: 32]

  assign steps[31:0] = crc_i ^ {24'd0, data_i};
  for (genvar i = 0; i < 8; i = i + 1) begin : g_bit
    wire [31:0] now = steps[i*32+:32];
    assign steps[(i+1)*32+:32] = {1'b0, now[31:1]} ^ (now[0] ? 32'hEDB88320 : 32'd0);
  end
  assign crc_o = steps[8*32+:32];
endmodule

`default_nettype wire
