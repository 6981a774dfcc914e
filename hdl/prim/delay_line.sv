// Delay of N cycles: a chain of N registers, a wire for N = 0.
//
// Parameters: W      width in bits
//             N      delay in cycles, >= 0
//             Reset  1: rst_i clears the whole chain (valid bits); 0: it runs free (data)
// Latency:    N cycles
// Does not:   stall.
`default_nettype none

module delay_line #(
    parameter int W = 1,
    parameter int N = 1,
    parameter int Reset = 0
) (
    input  logic         clk_i,
    input  logic         rst_i,
    input  logic [W-1:0] d_i,
    output logic [W-1:0] d_o
);
  if (N == 0) begin : g_wire
    logic unused_clock_and_reset;
    assign unused_clock_and_reset = &{1'b0, clk_i, rst_i};
    assign d_o = d_i;
  end else begin : g_chain
    logic [N*W-1:0] chain_d, chain_q;  // stage n at [n*W +: W], the newest lowest

    if (N == 1) begin : g_one
      assign chain_d = d_i;
    end else begin : g_many
      assign chain_d = {chain_q[(N-1)*W-1:0], d_i};
    end

    if (Reset != 0) begin : g_reset
      always_ff @(posedge clk_i) begin
        if (rst_i) chain_q <= '0;
        else chain_q <= chain_d;
      end
    end else begin : g_free
      logic unused_reset;
      assign unused_reset = rst_i;
      always_ff @(posedge clk_i) chain_q <= chain_d;
    end
    assign d_o = chain_q[(N-1)*W+:W];
  end
endmodule
