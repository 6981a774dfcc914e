// fifo: two words that follow each other going in come out one after the other, unchanged; nothing
// is lost, doubled or changed while it waits; fill_o is words in less words out.
module prove_fifo #(
    parameter int W = 4,
    parameter int LogDepth = 2
) (
    input logic         clk_i,
    input logic         rst_i,
    input logic         valid_i,
    input logic [W-1:0] data_i,
    input logic         ready_i
);
  localparam int DEPTH = 1 << LogDepth;
  logic ready_o, valid_o;
  logic [W-1:0] data_o;
  logic [LogDepth:0] fill_o;
  fifo #(.W(W), .LogDepth(LogDepth)) u_dut (.*);

  wire put = valid_i && ready_o;
  wire take = valid_o && ready_i;
  (* anyconst *) logic [3:0] chosen;  // the words number `chosen` and the next
  logic clean = 1'b0;
  logic [4:0] in = 5'd0, out = 5'd0;  // words in and out, up to 24
  logic [W-1:0] first = '0, second = '0;
  logic stalled_q = 1'b0, full = 1'b0;
  logic [W-1:0] data_q = '0;
  always_ff @(posedge clk_i) begin
    clean <= clean || rst_i;
    if (rst_i) begin
      in  <= 5'd0;
      out <= 5'd0;
    end else begin
      if (put) in <= in + 5'd1;
      if (take) out <= out + 5'd1;
      if (put && in == chosen) first <= data_i;
      if (put && in == chosen + 1) second <= data_i;
    end
    stalled_q <= valid_o && !ready_i && !rst_i;
    data_q <= data_o;
    full <= full || (clean && fill_o == DEPTH);
  end
  always_comb begin
    if (!clean) assume (rst_i);
    assume (in < 5'd24);
    if (clean && !rst_i) begin
      assert (fill_o == in - out && fill_o <= DEPTH);
      assert (ready_o == (fill_o != DEPTH) && valid_o == (fill_o != 0));
      if (stalled_q) assert (valid_o && data_o == data_q);
      if (take && out == chosen) assert (data_o == first);
      if (take && out == chosen + 1) assert (data_o == second);
    end
    cover (full && valid_o == 1'b0 && out > DEPTH);
  end
endmodule
