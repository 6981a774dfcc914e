// crc32: one more byte by the definition of IEEE 802.3, bits reflected, polynomial 0x04C11DB7;
// and behind any bytes four more leave the residue exactly if they are the complement of the CRC.
module prove_crc32 (
    input logic [31:0] crc_i,
    input logic [ 7:0] data_i,
    input logic [31:0] check_i
);
  logic [31:0] crc_o;
  wire [5*32-1:0] steps;  // after n bytes of check_i at [n*32 +: 32]
  assign steps[31:0] = crc_i;
  for (genvar n = 0; n < 4; n = n + 1) begin : g_byte
    crc32 u_byte (
        .crc_i (steps[n*32+:32]),
        .data_i(check_i[n*8+:8]),
        .crc_o (steps[(n+1)*32+:32])
    );
  end
  crc32 u_dut (.*);
  logic [31:0] sum, wanted;  // highest power highest
  logic feedback;
  always_comb begin
    for (int i = 0; i < 32; i = i + 1) sum[i] = crc_i[31-i];
    for (int i = 0; i < 8; i = i + 1) begin
      feedback = sum[31] ^ data_i[i];
      sum = {sum[30:0], 1'b0} ^ (feedback ? 32'h04C11DB7 : 32'd0);
    end
    for (int i = 0; i < 32; i = i + 1) wanted[i] = sum[31-i];
    assert (crc_o == wanted);
    assert ((steps[4*32+:32] == 32'hDEBB20E3) == (check_i == ~crc_i));
    cover (crc_o == 32'hDEBB20E3);
  end
endmodule
