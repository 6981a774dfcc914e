// scalar_lut: index and exponent of 1/sqrt(value) (Even 1) or 1/value (Even 0), from the definition;
// the table's word leaves one cycle after it comes, with the exponent of its value.
module prove_scalar_lut #(
    parameter int InW  = 32,
    parameter int Even = 1
) (
    input logic           clk_i,
    input logic           rst_i,
    input logic           valid_i,
    input logic [InW-1:0] value_i,
    input logic [   15:0] table_data_i
);
  localparam int AddrW = 6 + 2 * Even;
  logic [AddrW-1:0] table_addr_o;
  logic valid_o;
  logic [15:0] mant_o;
  logic [5:0] exp_o;
  scalar_lut #(.InW(InW), .Even(Even)) u_dut (.*);

  logic [5:0] position, k;
  logic [InW+6:0] index;
  always_comb begin
    position = 6'd0;
    for (int i = 0; i < InW; i = i + 1) if (value_i[i]) position = i;
    k = Even ? position >> 1 : position;
    index = ({7'd0, value_i} << 6) >> (Even ? {k, 1'b0} : k);
  end

  logic [InW+6:0] index_1, index_2;
  logic [5:0] k_1, k_2, k_3, k_4;
  logic some_1, some_2, some_3, some_4;  // value >= 1
  logic [3:0] valid_q;
  logic [15:0] data_1;
  logic [2:0] age = 3'd0;
  always_ff @(posedge clk_i) begin
    index_1 <= index;
    index_2 <= index_1;
    {k_4, k_3, k_2, k_1} <= {k_3, k_2, k_1, k};
    {some_4, some_3, some_2, some_1} <= {some_3, some_2, some_1, value_i != '0};
    valid_q <= rst_i ? 4'd0 : {valid_q[2:0], valid_i};
    data_1 <= table_data_i;
    if (age < 3'd4) age <= age + 3'd1;
  end
  always_comb begin
    if (age >= 3'd2 && some_2) assert (table_addr_o == index_2 - 64);
    if (age == 3'd4) begin
      if (some_4) assert (exp_o == k_4);
      assert (mant_o == data_1);
      assert (valid_o == valid_q[3]);
    end
    cover (age == 3'd4 && valid_o && table_addr_o == '0);
  end
endmodule
