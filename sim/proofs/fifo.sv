// fifo: a word that goes in shows unchanged when exactly the words before it have left, until it is
// taken; so nothing is lost, doubled or out of order. fill_o is words in less words out.
module prove_fifo #(
    parameter int W = 4,
    parameter int LogDepth = 2
) (
    input logic         clk_i,
    input logic         rst_i,
    input logic         valid_i,
    input logic [W-1:0] data_i,
    input logic         ready_i,
    input logic         watch_i
);
  localparam int DEPTH = 1 << LogDepth;
  logic ready_o, valid_o;
  logic [W-1:0] data_o;
  logic [LogDepth:0] fill_o;
  fifo #(.W(W), .LogDepth(LogDepth)) u_dut (.*);
  (* hierconn *) wire [LogDepth:0] \u_dut.read_q ;
  (* hierconn *) wire [W-1:0] \u_dut.words_q[0] , \u_dut.words_q[1] , \u_dut.words_q[2] , \u_dut.words_q[3] ;
  (* hierconn *) wire [W-1:0] \u_dut.words_q[4] , \u_dut.words_q[5] , \u_dut.words_q[6] , \u_dut.words_q[7] ;
  wire [8*W-1:0] words = {
      \u_dut.words_q[7] , \u_dut.words_q[6] , \u_dut.words_q[5] , \u_dut.words_q[4] ,
      \u_dut.words_q[3] , \u_dut.words_q[2] , \u_dut.words_q[1] , \u_dut.words_q[0] };

  wire put = valid_i && ready_o;
  wire take = valid_o && ready_i;
  logic clean = 1'b0, full = 1'b0, stalled_q = 1'b0;
  logic [LogDepth:0] fill = '0;
  logic [W-1:0] data_q = '0;
  // one word, chosen by watch_i at any time, and how many must leave before it
  logic watched = 1'b0;
  logic [W-1:0] word = '0;
  logic [LogDepth:0] before = '0;
  logic [LogDepth-1:0] place;
  assign place = \u_dut.read_q + before;
  always_ff @(posedge clk_i) begin
    clean <= clean || rst_i;
    fill <= rst_i ? '0 : fill + put - take;
    if (rst_i) watched <= 1'b0;
    else if (!watched) begin
      watched <= watch_i && put;
      word <= data_i;
      before <= fill - take;
    end else if (take) begin
      watched <= before != '0;
      before <= before - 1'b1;
    end
    stalled_q <= valid_o && !ready_i && !rst_i;
    data_q <= data_o;
    full <= full || (clean && fill_o == DEPTH);
  end
  always_comb begin
    if (!clean) assume (rst_i);
    if (clean) begin
      assert (fill_o == fill && fill <= DEPTH);
      assert (ready_o == (fill != DEPTH) && valid_o == (fill != '0));
      if (stalled_q) assert (valid_o && data_o == data_q);
      if (watched) begin
        if (before == '0) assert (data_o == word);
`ifdef INDUCTION
        assert (before < fill && words[place*W+:W] == word);
`endif
      end
    end
    cover (full && watched && before == DEPTH - 1);
    cover (full && fill == '0);
  end
endmodule
