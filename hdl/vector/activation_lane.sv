// One lane of the activation function: ReLU; GELU or SiLU as ReLU minus a bump read from a table.
//
//   Bump = 0: h = max(z, 0)
//   Bump = 1: h = min(max(z, 0) + Zero - BUMP[min(|z| >> BumpShift, last)], 2^HiddenW - 1)
//   act_i = 0 passes z through.
//
// Parameters: Bump       0: ReLU, 1: ReLU minus the table
//             BumpShift  right shift from |z| to a table index, 0..15
//             BumpAddrW  width of a table index in bits; the last entry serves all beyond
//             BumpW      width of a table entry in bits, <= 15
//             Zero       the code that stands for 0, no less than any entry, < 2^15
//             HiddenW    width of the codes, <= 15
// Formats:    z, h two's complement, 16 bits, h >= 0 with act_i; table unsigned, in units of h
// Latency:    Bump = 0: 1 cycle; Bump = 1: 2 cycles. bump_addr_o follows z_i combinationally,
//             bump_data_i is expected one cycle later (a table with a registered output)
// Does not:   carry a valid bit, reset or stall.
`default_nettype none

module activation_lane #(
    parameter int Bump = 0,
    parameter int BumpShift = 0,
    parameter int BumpAddrW = 8,
    parameter int BumpW = 8,
    parameter int Zero = 0,
    parameter int HiddenW = 15
) (
    input  logic                    clk_i,
    input  logic signed [     15:0] z_i,
    input  logic                    act_i,
    output logic [BumpAddrW-1:0]    bump_addr_o,
    input  logic        [BumpW-1:0] bump_data_i,
    output logic signed [     15:0] h_o
);
  logic signed [15:0] rectified;
  assign rectified = (act_i && z_i[15]) ? 16'sd0 : z_i;

  if (Bump != 0) begin : g_gelu
    logic [15:0] magnitude, cell_number;
    localparam logic [16:0] LIFT = Zero[16:0];
    logic [16:0] lifted_q, sum;  // with act_i not negative
    logic act_q, is_beyond;

    assign magnitude = z_i[15] ? 16'd0 - z_i : z_i;
    assign cell_number = magnitude >> BumpShift;
    assign bump_addr_o = (cell_number[15:BumpAddrW] != '0) ? {BumpAddrW{1'b1}}
                                                           : cell_number[BumpAddrW-1:0];

    assign sum = lifted_q - {{(17 - BumpW) {1'b0}}, bump_data_i & {BumpW{act_q}}};
    assign is_beyond = act_q && (sum[16:HiddenW] != '0);

    always_ff @(posedge clk_i) begin
      lifted_q <= {rectified[15], rectified} + (act_i ? LIFT : 17'd0);
      act_q <= act_i;
      h_o <= is_beyond ? {{(16 - HiddenW) {1'b0}}, {HiddenW{1'b1}}} : sum[15:0];
    end
  end else begin : g_relu
    logic unused_table;
    assign unused_table = &{1'b0, bump_data_i};
    assign bump_addr_o  = '0;
    always_ff @(posedge clk_i) h_o <= rectified;
  end
endmodule
