// axis_demux: a beat reaches the stream that TDEST names and no other, and is taken when that one
// takes it; a beat for a stream that is not there is dropped and told.
module prove_axis_demux #(
    parameter int Streams = 3
) (
    input logic               s_axis_tvalid,
    input logic [       15:0] s_axis_tdata,
    input logic               s_axis_tlast,
    input logic [        7:0] s_axis_tdest,
    input logic [Streams-1:0] m_axis_tready
);
  logic s_axis_tready, lost_o;
  logic [Streams-1:0] m_axis_tvalid, m_axis_tlast;
  logic [Streams*16-1:0] m_axis_tdata;
  axis_demux #(.Streams(Streams)) u_dut (.*);
  (* anyconst *) logic [7:0] chosen;
  wire mine = s_axis_tvalid && s_axis_tdest == chosen;
  always_comb begin
    assume (chosen < Streams);
    assert (m_axis_tvalid[chosen] == mine);
    if (mine) begin
      assert (s_axis_tready == m_axis_tready[chosen] && !lost_o);
      assert (m_axis_tdata[chosen*16+:16] == s_axis_tdata);
      assert (m_axis_tlast[chosen] == s_axis_tlast);
    end
    assert (lost_o == (s_axis_tvalid && s_axis_tdest >= Streams));
    if (lost_o) assert (s_axis_tready && m_axis_tvalid == '0);
    cover (mine && s_axis_tready && chosen == Streams - 1);
  end
endmodule
