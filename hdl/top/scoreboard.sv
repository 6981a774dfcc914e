// How much of every vector has been written: the one place where data hazards are decided.
//
// Purpose   A slot is a vector in a memory (residual, q, hidden, ... ). The sequencer clears a slot
//           when the step that writes it begins; writers add elements, and the last one completes
//           it. A wave may read when its elements are there, or the slot is complete.
// Params    Slots: number of slots; slot 0 is always complete, slot 1 is complete when not busy_i.
//           SlotW, LenW: widths of a slot number and of an element count. Events: writers.
//           First: elements that the first wave of a step needs.
// Latency   events and clears are seen by complete_o in the next cycle, by ready_o and gate_ready_o
//           one cycle later: these answer the question of the cycle before. In a cycle with load_i
//           that is the one of the step that is loaded.
// It does not know addresses; two writers never add to one slot in the same cycle.
`default_nettype none

module scoreboard #(
    parameter integer Slots  = 12,
    parameter integer SlotW  = 4,
    parameter integer LenW   = 9,
    parameter integer Events = 5,
    parameter integer First  = 8
) (
    input  wire                    clk_i,
    input  wire                    rst_i,
    input  wire                    busy_i,
    // a step that writes `clear_slot` begins
    input  wire                    clear_i,
    input  wire [       SlotW-1:0] clear_slot_i,
    // writers: elements that are readable in two cycles
    input  wire [      Events-1:0] event_valid_i,
    input  wire [Events*SlotW-1:0] event_slot_i,
    input  wire [ Events*LenW-1:0] event_amount_i,
    input  wire [      Events-1:0] event_final_i,
    // queries of the sequencer: of its next wave, in the step in progress or in one that is loaded
    input  wire [       SlotW-1:0] slot_i,
    input  wire [        LenW-1:0] need_i,
    input  wire [       SlotW-1:0] gate_slot_i,
    input  wire                    load_i,
    input  wire [       SlotW-1:0] load_slot_i,
    input  wire [       SlotW-1:0] load_gate_slot_i,
    output wire                    ready_o,
    output wire                    gate_ready_o,
    output wire [       Slots-1:0] complete_o
);
  wire [Slots*LenW-1:0] count;
  wire [     Slots-1:0] complete;

  assign count[2*LenW-1:0] = {(2 * LenW) {1'b0}};
  assign complete[0] = 1'b1;
  assign complete[1] = !busy_i;

  for (genvar s = 2; s < Slots; s = s + 1) begin : g_slot
    localparam logic [SlotW-1:0] SLOT = s[SlotW-1:0];
    reg [LenW-1:0] count_q, count_d;
    reg complete_q, complete_d;

    always_comb begin
      count_d    = count_q;
      complete_d = complete_q;
      for (integer e = 0; e < Events; e = e + 1) begin
        if (event_valid_i[e] && event_slot_i[e*SlotW+:SlotW] == SLOT) begin
          count_d    = count_q + event_amount_i[e*LenW+:LenW];
          complete_d = event_final_i[e];
        end
      end
      if (clear_i && clear_slot_i == SLOT) begin
        count_d    = {LenW{1'b0}};
        complete_d = 1'b0;
      end
    end

    always_ff @(posedge clk_i) begin
      if (rst_i) begin
        count_q    <= {LenW{1'b0}};
        complete_q <= 1'b0;
      end else begin
        count_q    <= count_d;
        complete_q <= complete_d;
      end
    end

    assign count[s*LenW+:LenW] = count_q;
    assign complete[s] = complete_q;
  end

  // both answers, and the choice last: load_i comes late
  localparam logic [LenW-1:0] FIRST = First[LenW-1:0];
  wire ready = complete[slot_i] || count[slot_i*LenW+:LenW] >= need_i;
  wire [Slots-1:0] first_there;  // whether the first wave's elements are, by slot
  for (genvar s = 0; s < Slots; s = s + 1) begin : g_first
    assign first_there[s] = complete[s] || count[s*LenW+:LenW] >= FIRST;
  end
  wire load_ready = first_there[load_slot_i];
  reg ready_q, gate_ready_q;
  always_ff @(posedge clk_i) begin
    ready_q      <= load_i ? load_ready : ready;
    gate_ready_q <= load_i ? complete[load_gate_slot_i] : complete[gate_slot_i];
  end
  assign ready_o = ready_q;
  assign gate_ready_o = gate_ready_q;
  assign complete_o = complete;
endmodule

`default_nettype wire
