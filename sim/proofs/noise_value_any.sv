// In place of hdl/top/noise_value.sv in proofs about which random number becomes which value: the low
// bits of the number, after the same 8 cycles.
module noise_value #(
    parameter int NoiseW = 20
) (
    input  logic              clk_i,
    input  logic              rst_i,
    input  logic [      31:0] random_i,
    input  logic [      15:0] temp_i,
    output logic [       9:0] gumbel_addr_o,
    input  logic [      15:0] gumbel_data_i,
    output logic [NoiseW-1:0] noise_o
);
  logic [8*NoiseW-1:0] chain_q;
  always_ff @(posedge clk_i) chain_q <= {chain_q[7*NoiseW-1:0], random_i[NoiseW-1:0]};
  assign noise_o = chain_q[7*NoiseW+:NoiseW];
  assign gumbel_addr_o = '0;
endmodule
