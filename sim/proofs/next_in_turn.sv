// next_in_turn: the first set bit above `last`, else the lowest; select_word picks by that number.
module prove_next_in_turn #(
    parameter int N = 4,
    parameter int W = 2
) (
    input logic [  N-1:0] bits_i,
    input logic [  W-1:0] last_i,
    input logic [N*3-1:0] words_i
);
  logic any_o;
  logic [W-1:0] index_o;
  logic [2:0] word_o;
  next_in_turn #(.N(N), .W(W)) u_dut (.*);
  select_word #(.N(N), .W(3), .IndexW(W)) u_select (.words_i, .index_i(index_o), .word_o);

  logic [W-1:0] expected;
  always_comb begin
    expected = '0;
    for (int i = N - 1; i >= 0; i = i - 1) if (bits_i[i]) expected = i;
    for (int i = N - 1; i >= 0; i = i - 1) if (bits_i[i] && i > last_i) expected = i;
    assert (any_o == (bits_i != '0));
    assert (index_o == expected);
    assert (word_o == words_i[expected*3+:3]);
    cover (any_o && index_o < last_i);
  end
endmodule
