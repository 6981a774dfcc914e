// In place of hdl/prim/mul.sv in proofs about what surrounds a multiplier: any product at any time.
// `a_i` and `b_i` are checked by the proof, the product is read from `p_o`.
module mul #(
    parameter int AW = 18,
    parameter int BW = 18
) (
    input  logic                    clk_i,
    input  logic signed [   AW-1:0] a_i,
    input  logic signed [   BW-1:0] b_i,
    output logic signed [AW+BW-1:0] p_o
);
  (* anyseq *) logic signed [AW+BW-1:0] any;
  assign p_o = any;
endmodule
