// Which vectors of every context are complete: where data hazards are decided with several contexts.
//
// Purpose   A slot is a vector in a memory (residual, q, hidden, ...). The step that writes it clears
//           its slot when it is loaded; the last write sets it. Steps are loaded only when the slot
//           that they read and their gate are complete, so no elements are counted.
// Params    Contexts, CtxW. Slots, SlotW: numbers of slots as in export/geometry.py: 0 is always
//           complete, 1 is the noise, then residual, q, k, v, attention, hidden, heads.
//           HeadW: width of a head's number.
// Latency   events and clears are seen in complete_o in the next cycle.
// It does not know addresses; an event and a clear of the same slot never meet.
`default_nettype none

module completion #(
    parameter integer Contexts = 2,
    parameter integer CtxW     = 1,
    parameter integer Slots    = 12,
    parameter integer SlotW    = 4,
    parameter integer HeadW    = 2
) (
    input  wire                      clk_i,
    input  wire                      rst_i,
    input  wire [      Contexts-1:0] noise_ready_i,
    // a step that writes `clear_slot` is loaded
    input  wire                      clear_i,
    input  wire [          CtxW-1:0] clear_ctx_i,
    input  wire [         SlotW-1:0] clear_slot_i,
    // last writes: readable from the next cycle on
    input  wire                      x_done_i,
    input  wire [          CtxW-1:0] x_ctx_i,
    input  wire                      q_done_i,
    input  wire [          CtxW-1:0] q_ctx_i,
    input  wire                      k_done_i,
    input  wire                      v_done_i,
    input  wire [          CtxW-1:0] kv_ctx_i,
    input  wire                      op_done_i,      // attention or hidden
    input  wire [         SlotW-1:0] op_slot_i,
    input  wire [          CtxW-1:0] op_ctx_i,
    input  wire                      head_done_i,    // probabilities
    input  wire [         HeadW-1:0] head_i,
    input  wire [          CtxW-1:0] head_ctx_i,
    output wire [Contexts*Slots-1:0] complete_o
);
  localparam integer SLOT_X = 2;
  localparam integer SLOT_Q = 3;
  localparam integer SLOT_K = 4;
  localparam integer SLOT_V = 5;
  localparam integer SLOT_ATTN = 6;
  localparam integer FIRST_HEAD = 8;

  for (genvar c = 0; c < Contexts; c = c + 1) begin : g_context
    localparam logic [CtxW-1:0] CTX = c[CtxW-1:0];
    wire [Slots-1:2] set;
    reg [Slots-1:2] complete_q;

    assign set[SLOT_X] = x_done_i && x_ctx_i == CTX;
    assign set[SLOT_Q] = q_done_i && q_ctx_i == CTX;
    assign set[SLOT_K] = k_done_i && kv_ctx_i == CTX;
    assign set[SLOT_V] = v_done_i && kv_ctx_i == CTX;

    for (genvar s = SLOT_ATTN; s < Slots; s = s + 1) begin : g_slot
      localparam logic [SlotW-1:0] SLOT = s[SlotW-1:0];
      localparam integer HEAD_INT = s - FIRST_HEAD;
      localparam logic [HeadW-1:0] HEAD = HEAD_INT[HeadW-1:0];
      if (s < FIRST_HEAD) begin : g_operand
        assign set[s] = op_done_i && op_ctx_i == CTX && op_slot_i == SLOT;
      end else begin : g_head
        assign set[s] = head_done_i && head_ctx_i == CTX && head_i == HEAD;
      end
    end

    for (genvar s = SLOT_X; s < Slots; s = s + 1) begin : g_flag
      localparam logic [SlotW-1:0] SLOT = s[SlotW-1:0];
      always_ff @(posedge clk_i) begin
        if (rst_i) complete_q[s] <= 1'b0;
        else if (clear_i && clear_ctx_i == CTX && clear_slot_i == SLOT) complete_q[s] <= 1'b0;
        else if (set[s]) complete_q[s] <= 1'b1;
      end
    end

    assign complete_o[c*Slots+:Slots] = {complete_q, noise_ready_i[c], 1'b1};
  end
endmodule

`default_nettype wire
