// Softmax in base 2 without the division, head by head, with up to Slots heads in flight.
//
//   m = max score;  d = m - score;  p = SHR(EXP2[d mod 2^F], d >> F);  S = sum p
//   and the reciprocal of S as mantissa and exponent (scalar_lut), applied after P * V.
//
// The scores of a head arrive as tiles 0, 1, ... in order, idle cycles allowed; a head of the
// another slot may follow at once. When the last tile is in, the probabilities leave in the same
// tiles, one per cycle without a gap; lanes of the last tile that are not in score_present_i are 0.
//
// Parameters: C         lanes of a tile, >= 2
//             Tiles     most tiles of a head
//             Slots     heads in flight: a slot is free again when its probabilities have left
//             FracBits  F, fraction bits of a score
//             ProbBits  width of a probability in bits, <= 15
//             SumW      width of S in bits, >= ProbBits + $clog2(C)
//             Ring      0: the scores of a head lie in the place of its slot, and every slot has its
//                       reciprocal. 1: score_slot_i is a mere name; the scores lie in one of four
//                       places in turn, and recip_* holds the last reciprocal only (Slots 1)
//             RecipBits width of an index of the table of reciprocals
// Formats:    score two's complement, 16 bits, > -2^15; prob unsigned; lane l at [l*W +: W];
//             exp2 table unsigned; recip mantissa 2^15 = 1.0, slot s at [s*16 +: 16] and [s*6 +: 6]
// Latency:    last score tile to first prob_valid_o: L + 4 cycles, L = ($clog2(C) + 1) / 2;
//             prob tile n follows n cycles later;
//             last prob tile to recip_valid_o: L + 6 cycles; recip_* hold until the slot's next;
//             exp2_addr_o to exp2_data_i and recip_addr_o to recip_data_i: one cycle each;
//             after a reset a recip_* is undefined until the next of its slot
// Needs:      the last tile of a head comes at least `tiles of the head before` cycles after the
//             last tile of the head before
// Does not:   stall, or check the order of tiles.
`default_nettype none

module softmax #(
    parameter int C = 16,
    parameter int Tiles = 8,
    parameter int Slots = 2,
    parameter int FracBits = 5,
    parameter int ProbBits = 12,
    parameter int SumW = 19,
    parameter int Ring = 0,
    parameter int RecipBits = 6,
    parameter int TileW = (Tiles > 1) ? $clog2(Tiles) : 1,
    parameter int SlotW = (Slots > 1) ? $clog2(Slots) : 1
) (
    input  logic                  clk_i,
    input  logic                  rst_i,
    input  logic                  score_valid_i,
    input  logic [     SlotW-1:0] score_slot_i,
    input  logic [     TileW-1:0] score_tile_i,
    input  logic                  score_last_i,
    input  logic [         C-1:0] score_present_i,
    input  logic [      C*16-1:0] score_i,
    output logic [C*FracBits-1:0] exp2_addr_o,
    input  logic [C*ProbBits-1:0] exp2_data_i,
    output logic [ RecipBits-1:0] recip_addr_o,
    input  logic [          15:0] recip_data_i,
    output logic                  prob_valid_o,
    output logic [     SlotW-1:0] prob_slot_o,
    output logic [     TileW-1:0] prob_tile_o,
    output logic                  prob_last_o,
    output logic [C*ProbBits-1:0] prob_o,
    output logic                  recip_valid_o,
    output logic [     SlotW-1:0] recip_slot_o,
    output logic [  Slots*16-1:0] recip_mant_o,
    output logic [   Slots*6-1:0] recip_exp_o
);
  localparam int LEVELS = ($clog2(C) + 1) / 2;
  localparam int PLACE_W = (Ring != 0) ? 2 : SlotW;
  localparam int DEPTH = 1 << (PLACE_W + TileW);

  // Maximum of the tile, then of the head.
  logic [C-1:0] counted;
  assign counted = {C{!score_last_i}} | score_present_i;

  logic [15:0] tile_max, head_max, max_d, max_q;  // max_q: of the last complete head
  logic [16:0] max_minus_tile;
  logic [2*LEVELS-1:0] unused_index;
  logic max_valid, max_first, max_last;
  max_tree #(
      .N(C),
      .W(16)
  ) u_max (
      .clk_i(clk_i),
      .present_i(counted),
      .values_i(score_i),
      .max_o(tile_max),
      .index_o(unused_index)
  );
  delay_line #(
      .W(3),
      .N(LEVELS),
      .Reset(1)
  ) u_max_flags (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i  ({score_valid_i, score_tile_i == '0, score_last_i}),
      .d_o  ({max_valid, max_first, max_last})
  );
  logic unused_bits;
  assign max_minus_tile = {head_max[15], head_max} - {tile_max[15], tile_max};
  assign unused_bits = &{1'b0, max_minus_tile[15:0]};
  assign max_d = (max_first || max_minus_tile[16]) ? tile_max : head_max;
  always_ff @(posedge clk_i) begin
    if (max_valid) head_max <= max_d;
    if (max_valid && max_last) max_q <= max_d;
  end

  // Score memory and its read-out, which begins so that a tile meets the maximum.
  reg [C*16-1:0] scores[0:DEPTH-1];
  initial for (int address = 0; address < DEPTH; address = address + 1) scores[address] = '0;

  // Its ports get a cycle for the way there, where the tree of the maximum leaves one.
  localparam int WAY = (LEVELS > 1) ? 1 : 0;
  logic start, read_q, read_end;
  logic [SlotW-1:0] start_slot, read_slot_q;
  logic [TileW-1:0] start_tile, read_tile_q, last_tile_q;
  logic [C-1:0] start_present;
  logic [C-1:0] last_present_q;
  logic [C*16-1:0] score_q;
  delay_line #(
      .W(1),
      .N(LEVELS - 1 - WAY),
      .Reset(1)
  ) u_start (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i  (score_valid_i && score_last_i),
      .d_o  (start)
  );
  delay_line #(
      .W(SlotW + TileW + C),
      .N(LEVELS - 1 - WAY)
  ) u_start_of (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i  ({score_slot_i, score_tile_i, score_present_i}),
      .d_o  ({start_slot, start_tile, start_present})
  );
  assign read_end = read_tile_q == last_tile_q;

  always_ff @(posedge clk_i) begin
    if (start) begin
      read_slot_q <= start_slot;
      read_tile_q <= '0;
      last_tile_q <= start_tile;
      last_present_q <= start_present;
    end else begin
      read_tile_q <= read_tile_q + 1'b1;
    end
    read_q <= !rst_i && (start || (read_q && !read_end));
  end

  logic [PLACE_W-1:0] place, read_place;
  if (Ring != 0) begin : g_ring
    logic [1:0] place_q, read_place_q;
    always_ff @(posedge clk_i) begin
      if (rst_i) begin
        place_q      <= 2'd0;
        read_place_q <= 2'd3;
      end else begin
        if (score_valid_i && score_last_i) place_q <= place_q + 1'b1;
        if (start) read_place_q <= read_place_q + 1'b1;
      end
    end
    assign place = place_q;
    assign read_place = read_place_q;
  end else begin : g_slots
    assign place = score_slot_i;
    assign read_place = read_slot_q;
  end

  logic write;
  logic [PLACE_W+TileW-1:0] write_address, read_address;
  logic [C*16-1:0] write_data;
  delay_line #(
      .W(1),
      .N(WAY),
      .Reset(1)
  ) u_write (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i  (score_valid_i),
      .d_o  (write)
  );
  delay_line #(
      .W(2 * (PLACE_W + TileW) + C * 16),
      .N(WAY)
  ) u_ports (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i  ({place, score_tile_i, read_place, read_tile_q, score_i}),
      .d_o  ({write_address, read_address, write_data})
  );
  always_ff @(posedge clk_i) begin
    if (write) scores[write_address] <= write_data;
    score_q <= scores[read_address];
  end

  // The marks of a tile travel beside its data.
  logic [C-1:0] present_d, present;
  assign present_d = read_end ? last_present_q : {C{1'b1}};
  delay_line #(
      .W(C),
      .N(2 + WAY)
  ) u_present (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i  (present_d),
      .d_o  (present)
  );
  delay_line #(
      .W(1),
      .N(4 + WAY),
      .Reset(1)
  ) u_valid (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i  (read_q),
      .d_o  (prob_valid_o)
  );
  delay_line #(
      .W(SlotW + TileW + 1),
      .N(4 + WAY)
  ) u_marks (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i  ({read_slot_q, read_tile_q, read_end}),
      .d_o  ({prob_slot_o, prob_tile_o, prob_last_o})
  );

  for (genvar lane = 0; lane < C; lane = lane + 1) begin : g_lane
    logic [15:0] distance_q;
    logic [3:0] octaves_q;
    logic zero_q, unused_half;
    logic [ProbBits:0] shifted, rounded;

    assign exp2_addr_o[lane*FracBits+:FracBits] = distance_q[FracBits-1:0];
    assign shifted = {exp2_data_i[lane*ProbBits+:ProbBits], 1'b0} >> octaves_q;
    assign rounded = shifted + 1'b1;
    assign unused_half = rounded[0];

    always_ff @(posedge clk_i) begin
      distance_q <= max_q - score_q[lane*16+:16];
      // Sixteen octaves down, a probability of at most 15 bits rounds to zero.
      octaves_q  <= distance_q[FracBits+:4];
      zero_q     <= !present[lane] || (distance_q[15:FracBits+4] != '0);
      prob_o[lane*ProbBits+:ProbBits] <= zero_q ? '0 : rounded[ProbBits:1];
    end
  end

  // Sum of the probabilities and its reciprocal.
  localparam int TREE_W = ProbBits + $clog2(C);
  logic [TREE_W-1:0] tree_sum;
  logic [SumW-1:0] tree_wide, sum_q;
  logic sum_valid, sum_first, sum_last, sum_done_q;
  logic [SlotW-1:0] sum_slot, sum_slot_q;
  adder_tree #(
      .N(C),
      .W(ProbBits),
      .OutW(TREE_W)
  ) u_sum (
      .clk_i(clk_i),
      .values_i(prob_o),
      .sum_o(tree_sum)
  );
  delay_line #(
      .W(1),
      .N(LEVELS),
      .Reset(1)
  ) u_sum_valid (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i  (prob_valid_o),
      .d_o  (sum_valid)
  );
  delay_line #(
      .W(2 + SlotW),
      .N(LEVELS)
  ) u_sum_marks (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i  ({prob_tile_o == '0, prob_last_o, prob_slot_o}),
      .d_o  ({sum_first, sum_last, sum_slot})
  );
  if (SumW > TREE_W) begin : g_extend
    assign tree_wide = {{(SumW - TREE_W) {1'b0}}, tree_sum};
  end else begin : g_same
    assign tree_wide = tree_sum;
  end
  always_ff @(posedge clk_i) begin
    sum_q      <= sum_first ? tree_wide : sum_q + tree_wide;
    sum_done_q <= !rst_i && sum_valid && sum_last;
    sum_slot_q <= sum_slot;
  end

  logic recip_ready;
  logic [SlotW-1:0] recip_slot;
  logic [15:0] mantissa;
  logic [5:0] exponent;
  scalar_lut #(
      .InW(SumW),
      .Even(0),
      .IndexBits(RecipBits)
  ) u_reciprocal (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .valid_i(sum_done_q),
      .value_i(sum_q),
      .table_addr_o(recip_addr_o),
      .table_data_i(recip_data_i),
      .valid_o(recip_ready),
      .mant_o(mantissa),
      .exp_o(exponent)
  );
  delay_line #(
      .W(SlotW),
      .N(4)
  ) u_recip_slot (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .d_i  (sum_slot_q),
      .d_o  (recip_slot)
  );
  always_ff @(posedge clk_i) begin
    recip_valid_o <= !rst_i && recip_ready;
    recip_slot_o  <= recip_slot;
    for (int slot = 0; slot < Slots; slot = slot + 1) begin
      if (recip_ready && (Ring != 0 || recip_slot == slot[SlotW-1:0])) begin
        recip_mant_o[slot*16+:16] <= mantissa;
        recip_exp_o[slot*6+:6]    <= exponent;
      end
    end
  end
endmodule
