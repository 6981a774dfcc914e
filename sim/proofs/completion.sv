// completion: a solver-chosen slot of a chosen context is complete from its last write until the next
// step that writes it is loaded, whatever happens to the others.
module prove_completion #(
    parameter int Contexts = 3,
    parameter int Slots = 10
) (
    input logic       clk_i,
    input logic       rst_i,
    input logic [2:0] noise_ready_i,
    input logic       clear_i,
    input logic [1:0] clear_ctx_i,
    input logic [3:0] clear_slot_i,
    input logic       x_done_i,
    input logic [1:0] x_ctx_i,
    input logic       q_done_i,
    input logic [1:0] q_ctx_i,
    input logic       k_done_i,
    input logic       v_done_i,
    input logic [1:0] kv_ctx_i,
    input logic       op_done_i,
    input logic [3:0] op_slot_i,
    input logic [1:0] op_ctx_i,
    input logic       head_done_i,
    input logic       head_i,
    input logic [1:0] head_ctx_i
);
  logic [Contexts*Slots-1:0] complete_o;
  completion #(.Contexts(Contexts), .CtxW(2), .Slots(Slots), .SlotW(4), .HeadW(1)) u_dut (.*);

  (* anyconst *) logic [1:0] context_;
  (* anyconst *) logic [3:0] slot;
  logic clean = 1'b0, complete = 1'b0, event_;
  always_comb begin
    case (slot)
      4'd2: event_ = x_done_i && x_ctx_i == context_;
      4'd3: event_ = q_done_i && q_ctx_i == context_;
      4'd4: event_ = k_done_i && kv_ctx_i == context_;
      4'd5: event_ = v_done_i && kv_ctx_i == context_;
      4'd6, 4'd7: event_ = op_done_i && op_ctx_i == context_ && op_slot_i == slot;
      default: event_ = head_done_i && head_ctx_i == context_ && head_i == slot[0];
    endcase
  end
  wire cleared = clear_i && clear_ctx_i == context_ && clear_slot_i == slot;
  always_ff @(posedge clk_i) begin
    clean <= clean || rst_i;
    if (rst_i || cleared) complete <= 1'b0;
    else if (event_) complete <= 1'b1;
  end
  always_comb begin
    if (!clean) assume (rst_i);
    assume (context_ < Contexts && slot >= 2 && slot < Slots);
    if (clean) begin
      assert (complete_o[context_*Slots+slot] == complete);
      assert (complete_o[context_*Slots]);
      assert (complete_o[context_*Slots+1] == noise_ready_i[context_]);
    end
    cover (clean && complete && slot == Slots - 1 && context_ == Contexts - 1);
  end
endmodule
