// axis_mux: a beat that is taken is the next one at the output, once, under the number of its stream,
// and does not change while it waits; nothing is taken while there is no place; where there is a beat
// and a place, one is taken; a closing beat is told once and its status kept.
module prove_axis_mux #(
    parameter int Streams = 3
) (
    input logic                  clk_i,
    input logic                  rst_i,
    input logic [   Streams-1:0] s_axis_tvalid,
    input logic [Streams*16-1:0] s_axis_tdata,
    input logic [   Streams-1:0] s_axis_tlast,
    input logic [   Streams-1:0] s_axis_tuser,
    input logic                  m_axis_tready
);
  logic [Streams-1:0] s_axis_tready, closed_o;
  logic m_axis_tvalid, m_axis_tlast, m_axis_tuser;
  logic [15:0] m_axis_tdata;
  logic [7:0] m_axis_tid;
  logic [Streams*8-1:0] status_o;
  axis_mux #(.Streams(Streams)) u_dut (.*);

  (* anyconst *) logic [2:0] chosen;  // a stream
  wire [Streams-1:0] taken = s_axis_tvalid & s_axis_tready;
  wire mine = taken[chosen];
  wire place = !m_axis_tvalid || m_axis_tready;
  logic clean = 1'b0, full = 1'b0, mine_q = 1'b0, shown = 1'b0;
  logic [17:0] beat = '0;
  logic [7:0] status = '0;
  always_ff @(posedge clk_i) begin
    clean <= clean || rst_i;
    full <= !rst_i && (taken != '0 || (full && !m_axis_tready));
    shown <= !rst_i && (mine || (shown && !m_axis_tready));  // a beat of the chosen stream
    mine_q <= mine && s_axis_tuser[chosen] && !rst_i;
    if (mine) beat <= {s_axis_tdata[chosen*16+:16], s_axis_tlast[chosen], s_axis_tuser[chosen]};
    if (rst_i) status <= '0;
    else if (mine && s_axis_tuser[chosen]) status <= s_axis_tdata[chosen*16+:8];
  end
  always_comb begin
    if (!clean) assume (rst_i);
    assume (chosen < Streams);
    if (clean) begin
      assert ((taken & (taken - 1'b1)) == '0);
      assert ((taken != '0) == (place && s_axis_tvalid != '0));
      assert ((s_axis_tready & ~s_axis_tvalid) == '0);
      assert (m_axis_tvalid == full);
      if (full) assert (shown == (m_axis_tid == {5'd0, chosen}) && m_axis_tid < Streams);
      if (shown) assert (full && beat == {m_axis_tdata, m_axis_tlast, m_axis_tuser});
      assert (closed_o[chosen] == mine_q);
      assert (status_o[chosen*8+:8] == status);
    end
    cover (clean && shown && !m_axis_tready && chosen == Streams - 1 && closed_o[chosen]);
  end
endmodule
