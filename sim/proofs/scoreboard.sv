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
    input logic [       SlotW-1:0] gate_slot_i
);
  logic ready_o, gate_ready_o;
  logic [Slots-1:0] complete_o;
  scoreboard #(.Slots(Slots), .SlotW(SlotW), .LenW(LenW), .Events(Events)) u_dut (.*);

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
    assume ((mine & (mine - 1'b1)) == '0);  // two writers never add to one slot in the same cycle
    if (!was_reset) assume (rst_i);
    if (was_reset) begin
      if (slot_i == chosen) assert (ready_o == (whole || written >= need_i));
      if (gate_slot_i == chosen) assert (gate_ready_o == whole);
      assert (complete_o[chosen] == whole);
      assert (\u_dut.count [chosen*LenW+:LenW] == written);
      if (slot_i == 0) assert (ready_o);
      if (gate_slot_i == 0) assert (gate_ready_o);
      if (slot_i == 1) assert (ready_o == (!busy_i || need_i == 0));
      if (gate_slot_i == 1) assert (gate_ready_o == !busy_i);
      assert (complete_o[1:0] == {!busy_i, 1'b1});
    end
    cover (was_reset && whole && written == 5);
  end
endmodule
