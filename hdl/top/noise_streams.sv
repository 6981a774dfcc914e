// Gumbel noise for several streams: one generator with a queue of draws, a state for each stream.
//
// load_i[s] seeds stream s as noise does; its 16 discarded draws are made with its first draw. draw_i
// asks for the noise of a token: Vocab draws of its stream with the stream's temperature, kept for
// its context. Draws are made one after the other, waiting contexts in turn by number: no context
// waits for more than one draw of each other one, however fast those ask again.
//
// Parameters: Streams  streams and contexts; CtxW: width of their numbers
//             the others as in noise
// Formats:    seed, temp, stream of a context packed by number; ready_o by context
// Latency:    a draw of n steps (Vocab, at a stream's first one Vocab + 16) that is chosen at t0:
//             ready_o from t0 + n + 11, chosen is the next one then at the earliest; with temp 0 no
//             draw is consumed: ready_o from t0 + 2, and the noise reads as zero.
//             draw_i at t: chosen in t + 1 at the earliest. read_*_i to noise_o: 1 cycle
//             ready_o of a context is unknown until its first draw_i, low from the next cycle on
// Does not:   keep reads and draws of one context apart: read while ready_o is high. temp_i must be
//             that of the stream from draw_i until ready_o.
`default_nettype none

module noise_streams #(
    parameter int Streams = 2,
    parameter int CtxW = 1,
    parameter int C = 16,
    parameter int Vocab = 64,
    parameter int Tiles = (Vocab + C - 1) / C,
    parameter int NoiseW = 20,
    parameter int TileW = (Tiles > 1) ? $clog2(Tiles) : 1
) (
    input  logic                    clk_i,
    input  logic                    rst_i,
    input  logic [     Streams-1:0] load_i,
    input  logic [  Streams*32-1:0] seed_i,
    input  logic [  Streams*16-1:0] temp_i,
    input  logic [Streams*CtxW-1:0] ctx_stream_i,
    input  logic                    draw_i,
    input  logic [        CtxW-1:0] draw_ctx_i,
    output logic [     Streams-1:0] ready_o,
    output logic [             9:0] gumbel_addr_o,
    input  logic [            15:0] gumbel_data_i,
    input  logic [        CtxW-1:0] read_ctx_i,
    input  logic [       TileW-1:0] read_tile_i,
    output logic [    C*NoiseW-1:0] noise_o
);
  localparam int DISCARD = 16;
  localparam int LONGEST = Vocab + DISCARD;
  localparam int LEFT_W = $clog2(LONGEST + 1);
  localparam logic [LEFT_W-1:0] DRAWS = Vocab[LEFT_W-1:0];
  localparam logic [LEFT_W-1:0] FIRST_DRAWS = LONGEST[LEFT_W-1:0];
  localparam logic [31:0] GOLDEN_RATIO = 32'h9E3779B9;

  // The queue: the waiting context after the one served last, in turn.
  logic [Streams-1:0] wanted_q, ready_q, zero_q, fresh_q;
  logic [Streams-1:0] still_q;  // temperature 0, by stream
  logic [CtxW-1:0] choice, choice_stream, ctx_q, stream_q;
  logic [LEFT_W-1:0] left_q;
  logic [15:0] temp, temp_q;
  logic chosen_q, writing_q, choose, still, fresh, step, last_write, any_wanted;
  next_in_turn #(
      .N(Streams),
      .W(CtxW)
  ) u_choice (
      .bits_i (wanted_q),
      .last_i (ctx_q),
      .any_o  (any_wanted),
      .index_o(choice)
  );
  select_word #(
      .N(Streams),
      .W(CtxW),
      .IndexW(CtxW)
  ) u_choice_stream (
      .words_i(ctx_stream_i),
      .index_i(choice),
      .word_o(choice_stream)
  );
  select_word #(
      .N(Streams),
      .W(1),
      .IndexW(CtxW)
  ) u_still (
      .words_i(still_q),
      .index_i(stream_q),
      .word_o(still)
  );
  select_word #(
      .N(Streams),
      .W(1),
      .IndexW(CtxW)
  ) u_fresh (
      .words_i(fresh_q),
      .index_i(stream_q),
      .word_o(fresh)
  );
  select_word #(
      .N(Streams),
      .W(16),
      .IndexW(CtxW)
  ) u_temp (
      .words_i(temp_i),
      .index_i(stream_q),
      .word_o(temp)
  );
  assign step = left_q != '0;
  assign choose = any_wanted && !chosen_q && !step && !writing_q;
  assign ready_o = ready_q;

  always_ff @(posedge clk_i) begin
    for (int s = 0; s < Streams; s = s + 1) still_q[s] <= temp_i[s*16+:16] == '0;
    temp_q <= temp;
    if (choose) stream_q <= choice_stream;
    if (rst_i) ctx_q <= '0;
    else if (choose) ctx_q <= choice;
    chosen_q <= !rst_i && choose;
    if (rst_i) begin
      wanted_q  <= '0;
      left_q    <= '0;
      writing_q <= 1'b0;
    end else begin
      if (step) left_q <= left_q - 1'b1;
      if (last_write) begin
        writing_q      <= 1'b0;
        ready_q[ctx_q] <= 1'b1;
      end
      if (choose) wanted_q[choice] <= 1'b0;
      if (chosen_q) begin
        zero_q[ctx_q] <= still;
        if (still) begin
          ready_q[ctx_q] <= 1'b1;
        end else begin
          left_q    <= fresh ? FIRST_DRAWS : DRAWS;
          writing_q <= 1'b1;
        end
      end
      if (draw_i) begin
        wanted_q[draw_ctx_i] <= 1'b1;
        ready_q[draw_ctx_i]  <= 1'b0;
      end
    end
  end

  // The generators.
  logic [Streams*32-1:0] states_q;
  logic [31:0] state, mixed_13, mixed_17, mixed_5;
  select_word #(
      .N(Streams),
      .W(32),
      .IndexW(CtxW)
  ) u_state (
      .words_i(states_q),
      .index_i(stream_q),
      .word_o(state)
  );
  assign mixed_13 = state ^ {state[18:0], 13'd0};
  assign mixed_17 = mixed_13 ^ {17'd0, mixed_13[31:17]};
  assign mixed_5  = mixed_17 ^ {mixed_17[26:0], 5'd0};
  for (genvar s = 0; s < Streams; s = s + 1) begin : g_stream
    localparam logic [CtxW-1:0] STREAM = s[CtxW-1:0];
    logic [31:0] seeded;
    assign seeded = seed_i[s*32+:32] ^ GOLDEN_RATIO;
    always_ff @(posedge clk_i) begin
      if (load_i[s]) begin
        states_q[s*32+:32] <= (seeded == '0) ? GOLDEN_RATIO : seeded;
        fresh_q[s]         <= 1'b1;
      end else if (step && stream_q == STREAM) begin
        states_q[s*32+:32] <= mixed_5;
        fresh_q[s]         <= 1'b0;
      end
    end
  end

  // Values, and where they are kept.
  logic [NoiseW-1:0] value;
  logic [TileW-1:0] tile;
  noise_value #(
      .NoiseW(NoiseW)
  ) u_value (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .random_i(state),
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
      .TileW(TileW),
      .Words(Streams << TileW),
      .AddrW(CtxW + TileW)
  ) u_bank (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .draw_i(step && left_q <= DRAWS),
      .value_i(value),
      .tile_o(tile),
      .waddr_i({ctx_q, tile}),
      .last_o(last_write),
      .raddr_i({read_ctx_i, read_tile_i}),
      .zero_i(zero_q[read_ctx_i]),
      .noise_o(noise_o)
  );
endmodule
