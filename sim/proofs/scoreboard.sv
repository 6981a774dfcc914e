// scoreboard: a solver-chosen slot follows the rules of the header, for any events.
module prove_scoreboard #(
    parameter int Slots = 6,
    parameter int SlotW = 3,
    parameter int LenW = 4,
    parameter int Events = 3
) (
    input logic                    clk_i,
    input logic                    rst_i,
    input logic                    busy_i,
    input logic                    clear_i,
    input logic [       SlotW-1:0] clear_slot_i,
    input logic [      Events-1:0] event_valid_i,
    input logic [Events*SlotW-1:0] event_slot_i,
    input logic [ Events*LenW-1:0] event_amount_i,
    input logic [      Events-1:0] event_final_i,
    input logic [       SlotW-1:0] slot_i,
    input logic [        LenW-1:0] need_i,
    input logic [       SlotW-1:0] gate_slot_i,
    input logic                    load_i,
    input logic [       SlotW-1:0] load_slot_i,
    input logic [       SlotW-1:0] load_gate_slot_i
);
  logic ready_o, gate_ready_o;
  logic [Slots-1:0] complete_o;
  scoreboard #(.Slots(Slots), .SlotW(SlotW), .LenW(LenW), .Events(Events), .First(3)) u_dut (.*);

  (* hierconn *) wire [Slots*LenW-1:0] \u_dut.count ;

  (* anyconst *) logic [SlotW-1:0] chosen;
  logic [Events-1:0] mine;
  logic [LenW-1:0] written = '0, amount;
  logic whole = 1'b0, final_event, was_reset = 1'b0;
  always_comb begin
    amount = '0;
    final_event = 1'b0;
    for (int e = 0; e < Events; e = e + 1) begin
      mine[e] = event_valid_i[e] && event_slot_i[e*SlotW+:SlotW] == chosen;
      if (mine[e]) amount = amount | event_amount_i[e*LenW+:LenW];
      if (mine[e]) final_event = final_event | event_final_i[e];
    end
  end
  // the question, and what its answer has to be in the next cycle
  wire [SlotW-1:0] asked = load_i ? load_slot_i : slot_i;
  wire [SlotW-1:0] asked_gate = load_i ? load_gate_slot_i : gate_slot_i;
  wire [LenW-1:0] needed = load_i ? LenW'(3) : need_i;
  logic ready_known = 1'b0, ready_expected, gate_known = 1'b0, gate_expected;
  always_ff @(posedge clk_i) begin
    ready_known <= was_reset && (asked == chosen || asked < 2);
    ready_expected <= asked == chosen ? whole || written >= needed :
        asked == 0 || !busy_i || needed == 0;
    gate_known <= was_reset && (asked_gate == chosen || asked_gate < 2);
    gate_expected <= asked_gate == chosen ? whole : asked_gate == 0 || !busy_i;
  end

  always_ff @(posedge clk_i) begin
    was_reset <= was_reset || rst_i;
    if (rst_i || (clear_i && clear_slot_i == chosen)) begin
      written <= '0;
      whole   <= 1'b0;
    end else if (mine != '0) begin
      written <= written + amount;
      whole   <= final_event;
    end
  end

  always_comb begin
    assume (chosen >= 2 && chosen < Slots);
    assume (slot_i < Slots && gate_slot_i < Slots);
    assume (load_slot_i < Slots && load_gate_slot_i < Slots);
    assume ((mine & (mine - 1'b1)) == '0);  // two writers never add to one slot in the same cycle
    if (!was_reset) assume (rst_i);
    if (was_reset) begin
      if (ready_known) assert (ready_o == ready_expected);
      if (gate_known) assert (gate_ready_o == gate_expected);
      assert (complete_o[chosen] == whole);
      assert (\u_dut.count [chosen*LenW+:LenW] == written);
      assert (complete_o[1:0] == {!busy_i, 1'b1});
    end
    cover (was_reset && whole && written == 5);
  end
endmodule
