// Gumbel noise for sampling with a temperature: a seeded generator, a table and a multiplier.
//
// load_i seeds a 32-bit xorshift generator (13, 17, 5) with seed_i ^ 0x9E3779B9 (0 becomes
// 0x9E3779B9) and discards 16 draws. draw_i makes one draw for each vocabulary index 0, 1, ...:
//   z = min(leading zeros, 15), frac = the 6 bits after bit 31 - z,
//   noise = SHR(GUMBEL[z * 64 + frac] * temp, 12)
// and keeps them in a memory of C lanes. draw_i with temp_i = 0 consumes no draw; the memory then
// reads as zero until the next draw.
//
// Parameters: C       lanes of a tile
//             Vocab   number of draws, > 1
//             Tiles   tiles of the vocabulary, ceil(Vocab / C)
//             NoiseW  width of a noise value in bits; 20 holds every int16 table times every temp,
//                     19 a table of |entries| <= 16383
// Formats:    table Q5.10 two's complement, noise two's complement in logit units, index i in
//             tile i / C, lane i % C at [lane*NoiseW +: NoiseW]; temp unsigned, Q4.12 of logit units
// Latency:    read_tile_i to noise_o: 1 cycle. gumbel_addr_o to gumbel_data_i: 1 cycle.
//             load_i at t0: busy_o from t0+1 to t0+16. draw_i at t0 while not busy:
//             busy_o from t0+1 to t0 + Vocab + 10, from then on the noise can be read;
//             with temp_i = 0: busy_o at t0+1 only. draw_i during busy_o: remembered (once) and
//             begun when the generator is free; its temp_i spoils a draw under way, whose
//             values it replaces anyway. load_i takes back unfinished and
//             waiting draws; a draw_i in the same cycle comes after it
// Does not:   keep reads and draws apart: read while busy_o is low.
`default_nettype none

module noise #(
    parameter int C = 16,
    parameter int Vocab = 64,
    parameter int Tiles = (Vocab + C - 1) / C,
    parameter int NoiseW = 20,
    parameter int TileW = (Tiles > 1) ? $clog2(Tiles) : 1
) (
    input  logic                clk_i,
    input  logic                rst_i,
    input  logic                load_i,
    input  logic [        31:0] seed_i,
    input  logic                draw_i,
    input  logic [        15:0] temp_i,
    output logic                busy_o,
    output logic [         9:0] gumbel_addr_o,
    input  logic [        15:0] gumbel_data_i,
    input  logic [   TileW-1:0] read_tile_i,
    output logic [C*NoiseW-1:0] noise_o
);
  localparam int LEFT_W = ($clog2(Vocab + 1) > 5) ? $clog2(Vocab + 1) : 5;
  localparam logic [LEFT_W-1:0] DRAWS = Vocab[LEFT_W-1:0];
  localparam int DISCARD_INT = 16;
  localparam logic [LEFT_W-1:0] DISCARD = DISCARD_INT[LEFT_W-1:0];
  localparam logic [31:0] GOLDEN_RATIO = 32'h9E3779B9;

  // Control: steps left of the seeding or of the draws.
  logic [LEFT_W-1:0] left_q;
  logic drawing_q, waiting_q, writing_q, begin_draw, step, last_write;
  logic [15:0] temp_q;
  logic zero_q;
  assign step = left_q != '0;
  assign begin_draw = waiting_q && !step && !writing_q;

  // busy_o is a register: it decides whether a wave may pass.
  logic [LEFT_W-1:0] left_d;
  logic drawing_d, waiting_d, writing_d, zero_d;
  always_comb begin
    left_d    = left_q;
    drawing_d = drawing_q;
    waiting_d = draw_i || (waiting_q && !begin_draw);
    writing_d = writing_q && !last_write;
    zero_d    = zero_q;
    if (step) left_d = left_q - 1'b1;
    if (begin_draw) begin
      zero_d = temp_q == '0;
      if (temp_q != '0) begin
        left_d    = DRAWS;
        drawing_d = 1'b1;
        writing_d = 1'b1;
      end
    end
    if (load_i) begin
      left_d    = DISCARD;
      drawing_d = 1'b0;
      waiting_d = draw_i;
      writing_d = 1'b0;
      zero_d    = zero_q;
    end
    if (rst_i) begin
      left_d    = '0;
      drawing_d = 1'b0;
      waiting_d = 1'b0;
      writing_d = 1'b0;
      zero_d    = 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (draw_i) temp_q <= temp_i;
    left_q    <= left_d;
    drawing_q <= drawing_d;
    waiting_q <= waiting_d;
    writing_q <= writing_d;
    zero_q    <= zero_d;
    busy_o    <= waiting_d || left_d != '0 || writing_d;
  end

  // Generator.
  logic [31:0] state_q, seeded, mixed_13, mixed_17, mixed_5;
  assign seeded   = seed_i ^ GOLDEN_RATIO;
  assign mixed_13 = state_q ^ {state_q[18:0], 13'd0};
  assign mixed_17 = mixed_13 ^ {17'd0, mixed_13[31:17]};
  assign mixed_5  = mixed_17 ^ {mixed_17[26:0], 5'd0};
  always_ff @(posedge clk_i) begin
    if (rst_i) state_q <= GOLDEN_RATIO;
    else if (load_i) state_q <= (seeded == '0) ? GOLDEN_RATIO : seeded;
    else if (step) state_q <= mixed_5;
  end

  // Values, and where they are kept.
  logic [NoiseW-1:0] value;
  logic [TileW-1:0] tile;
  noise_value #(
      .NoiseW(NoiseW)
  ) u_value (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .random_i(state_q),
      .temp_i(temp_q),
      .gumbel_addr_o(gumbel_addr_o),
      .gumbel_data_i(gumbel_data_i),
      .noise_o(value)
  );
  noise_bank #(
      .C(C),
      .Vocab(Vocab),
      .Tiles(Tiles),
      .NoiseW(NoiseW),
      .TileW(TileW)
  ) u_bank (
      .clk_i(clk_i),
      .rst_i(rst_i || load_i),
      .draw_i(step && drawing_q),
      .value_i(value),
      .tile_o(tile),
      .waddr_i(tile),
      .last_o(last_write),
      .raddr_i(read_tile_i),
      .zero_i(zero_q),
      .noise_o(noise_o)
  );
endmodule
