// prompt_buffer: of a prompt that is started each token is offered once, as it was written last, in
// order, with tlast on the last one; no beat changes while it waits; the next follows after a cycle.
module prove_prompt_buffer #(
    parameter int LogDepth = 2
) (
    input logic                clk_i,
    input logic                rst_i,
    input logic                clear_i,
    input logic                we_i,
    input logic [LogDepth-1:0] addr_i,
    input logic [        15:0] data_i,
    input logic                start_i,
    input logic [  LogDepth:0] count_i,
    input logic                m_axis_tready_i
);
  localparam int DEPTH = 1 << LogDepth;
  logic busy_o, m_axis_tvalid_o, m_axis_tlast_o;
  logic [15:0] m_axis_tdata_o;
  prompt_buffer #(.LogDepth(LogDepth)) u_dut (.*);
  (* hierconn *) wire \u_dut.read_q ;
  (* hierconn *) wire [LogDepth:0] \u_dut.left_q ;
  (* hierconn *) wire [LogDepth-1:0] \u_dut.addr_q ;
  (* hierconn *) wire [15:0] \u_dut.tokens_q[0] , \u_dut.tokens_q[1] , \u_dut.tokens_q[2] , \u_dut.tokens_q[3] ;
  wire [63:0] tokens = {
      \u_dut.tokens_q[3] , \u_dut.tokens_q[2] , \u_dut.tokens_q[1] , \u_dut.tokens_q[0] };

  (* anyconst *) logic [LogDepth-1:0] chosen;  // the token that is watched
  logic clean = 1'b0, known = 1'b0, stalled_q = 1'b0, idle_q = 1'b0;
  logic [15:0] token = '0;
  logic [LogDepth:0] count = '0, sent = '0;  // of the prompt that was started last
  logic [16:0] beat_q = '0;
  wire busy = sent != count;
  wire take = m_axis_tvalid_o && m_axis_tready_i;
  wire stop = rst_i || clear_i;
  always_ff @(posedge clk_i) begin
    clean <= clean || rst_i;
    if (we_i && addr_i == chosen) begin
      known <= 1'b1;
      token <= data_i;
    end
    if (stop || start_i) begin
      count <= stop ? '0 : count_i;
      sent <= '0;
    end else if (take) sent <= sent + 1'b1;
    stalled_q <= m_axis_tvalid_o && !m_axis_tready_i && !stop;
    idle_q <= busy && !m_axis_tvalid_o && !stop;
    beat_q <= {m_axis_tdata_o, m_axis_tlast_o};
  end
  always_comb begin
    if (!clean) assume (rst_i);
    if (we_i || start_i) assume (!busy);
    if (start_i) assume (count_i != '0 && count_i <= DEPTH);
    if (clean) begin
      assert (busy_o == busy && sent <= count && count <= DEPTH);
      if (m_axis_tvalid_o) begin
        assert (busy && m_axis_tlast_o == (sent + 1'b1 == count));
        if (known && sent == chosen) assert (m_axis_tdata_o == token);
      end
      if (stalled_q) assert (m_axis_tvalid_o && beat_q == {m_axis_tdata_o, m_axis_tlast_o});
      if (idle_q) assert (m_axis_tvalid_o);
`ifdef INDUCTION
      assert (\u_dut.left_q == count - sent);
      if (busy) assert (\u_dut.addr_q == sent[LogDepth-1:0]);
      assert (busy == ( \u_dut.read_q || m_axis_tvalid_o) && !( \u_dut.read_q && m_axis_tvalid_o));
`endif
    end
`ifdef INDUCTION
    if (known) assert (tokens[chosen*16+:16] == token);
`endif
    cover (clean && known && take && m_axis_tlast_o && sent == chosen && sent != '0);
  end
endmodule
