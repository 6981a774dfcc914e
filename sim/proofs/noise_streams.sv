// noise_streams: draws are made one at a time, contexts in turn, in the cycles that the header says;
// value j of a draw is the next state of its own stream's generator after j others (16 more after a
// seed), stands at its place when ready_o says so, and stays there until the context asks again; with
// temperature 0 the generator stands still and zeros are read.
module prove_noise_streams #(
    parameter int NoiseW = 4
) (
    input logic        clk_i,
    input logic        rst_i,
    input logic [ 1:0] load_i,
    input logic [63:0] seed_i,
    input logic [31:0] temp_i,
    input logic [ 1:0] ctx_stream_i,
    input logic        draw_i,
    input logic        draw_ctx_i,
    input logic        read_ctx_i,
    input logic        read_tile_i
);
  localparam int VOCAB = 3;
  logic [1:0] ready_o;
  logic [9:0] gumbel_addr_o;
  logic [15:0] gumbel_data_i = '0;
  logic [2*NoiseW-1:0] noise_o;
  noise_streams #(.Streams(2), .CtxW(1), .C(2), .Vocab(VOCAB), .NoiseW(NoiseW)) u_dut (.*);
  (* hierconn *) wire [63:0] \u_dut.states_q ;
  (* hierconn *) wire [1:0] \u_dut.fresh_q ;
`ifdef INDUCTION
  (* hierconn *) wire [1:0] \u_dut.wanted_q , \u_dut.ready_q , \u_dut.zero_q , \u_dut.still_q ;
  (* hierconn *) wire [4:0] \u_dut.left_q ;
  (* hierconn *) wire \u_dut.writing_q , \u_dut.chosen_q , \u_dut.ctx_q , \u_dut.stream_q , \u_dut.u_bank.tile_q ;
  (* hierconn *) wire [1:0] \u_dut.u_bank.lane_q ;
  (* hierconn *) wire [8:0] \u_dut.u_bank.u_write.g_chain.chain_q ;
  (* hierconn *) wire [8*NoiseW-1:0] \u_dut.u_value.chain_q ;
  (* hierconn *) wire [NoiseW-1:0] \u_dut.u_bank.g_lane[0].values[0] , \u_dut.u_bank.g_lane[0].values[1] ;
  (* hierconn *) wire [NoiseW-1:0] \u_dut.u_bank.g_lane[0].values[2] , \u_dut.u_bank.g_lane[0].values[3] ;
  (* hierconn *) wire [NoiseW-1:0] \u_dut.u_bank.g_lane[1].values[0] , \u_dut.u_bank.g_lane[1].values[1] ;
  (* hierconn *) wire [NoiseW-1:0] \u_dut.u_bank.g_lane[1].values[2] , \u_dut.u_bank.g_lane[1].values[3] ;
  wire [8*NoiseW-1:0] words = {  // by context, tile, lane
      \u_dut.u_bank.g_lane[1].values[3] , \u_dut.u_bank.g_lane[0].values[3] ,
      \u_dut.u_bank.g_lane[1].values[2] , \u_dut.u_bank.g_lane[0].values[2] ,
      \u_dut.u_bank.g_lane[1].values[1] , \u_dut.u_bank.g_lane[0].values[1] ,
      \u_dut.u_bank.g_lane[1].values[0] , \u_dut.u_bank.g_lane[0].values[0] };
`endif

  // watched: a stream, a context, a value of its draws
  (* anyconst *) logic stream, context;
  (* anyconst *) logic [1:0] value;
  logic clean = 1'b0, clean_q = 1'b0;
  logic [31:0] state;  // of the stream's generator
  logic fresh;
  wire [31:0] once = state ^ (state << 13);
  wire [31:0] twice = once ^ (once >> 17);
  // the queue, and the draw in progress: its context and stream, steps left, values on their way and kept
  logic [1:0] wanted = '0, asked = '0, ready = '0;
  logic last = 1'b0, current = 1'b0, busy = 1'b0, chosen = 1'b0;  // chosen: begins in this cycle
  logic [4:0] left = '0;
  logic [8:0] way = '0;
  logic [1:0] written = '0;
  wire chooses = wanted != '0 && !busy && !chosen;
  wire choice = wanted[!last] ? !last : last;
  logic [31:0] temp_q = '0;  // of the cycle before
  wire still = temp_q[current*16+:16] == '0;
  wire [31:0] seeded = seed_i[stream*32+:32] ^ 32'h9E3779B9;
  wire draws = left != '0 && left <= VOCAB;
  // the watched value: since when it is drawn, what it is, whether it is kept; of the context's latest draw
  logic mine = 1'b0, zero = 1'b0, kept = 1'b0, read_q = 1'b0, zero_read_q = 1'b0;
  logic [8:0] since = '0;
  logic [NoiseW-1:0] drawn = '0;
  wire hit = draws && mine && last == context && left == VOCAB - value;
  logic [1:0] filled = '0;
  always_ff @(posedge clk_i) begin
    clean <= clean || rst_i;
    clean_q <= clean;
    temp_q <= temp_i;
    if (load_i[stream]) begin
      state <= seeded == '0 ? 32'h9E3779B9 : seeded;
      fresh <= 1'b1;
    end else if (left != '0 && current == stream) begin
      state <= twice ^ (twice << 5);
      fresh <= 1'b0;
    end
    if (chooses) current <= ctx_stream_i[choice];
    if (since[0]) drawn <= state[NoiseW-1:0];
    read_q <= clean && !rst_i && asked[context] && ready[context] && mine
        && read_ctx_i == context && read_tile_i == value[1];
    zero_read_q <= clean && !rst_i && asked[context] && ready[context] && zero && read_ctx_i == context;
    if (rst_i) begin
      wanted <= '0;
      asked <= '0;
      {left, way, written, since, last, busy, chosen, mine, zero, kept} <= '0;
    end else begin
      way <= {way[7:0], draws};
      since <= {since[7:0], hit};
      if (left != '0) left <= left - 5'd1;
      if (way[8]) written <= written == VOCAB - 1 ? 2'd0 : written + 2'd1;
      if (way[8] && written == VOCAB - 1) begin
        busy <= 1'b0;
        ready[last] <= 1'b1;
        if (last == context && mine) filled <= filled == 2'd2 ? filled : filled + 2'd1;
      end
      if (since[8]) kept <= 1'b1;
      chosen <= chooses;
      if (chooses) begin
        last <= choice;
        wanted[choice] <= 1'b0;
      end
      if (chosen) begin
        if (still) ready[last] <= 1'b1;
        else begin
          busy <= 1'b1;
          left <= VOCAB + ((current == stream ? fresh : \u_dut.fresh_q [current]) ? 5'd16 : 5'd0);
        end
        if (last == context) begin
          mine <= !still && current == stream;
          zero <= still;
        end
      end
      if (draw_i) begin
        wanted[draw_ctx_i] <= 1'b1;
        asked[draw_ctx_i] <= 1'b1;
        ready[draw_ctx_i] <= 1'b0;
        if (draw_ctx_i == context) {mine, zero, kept} <= '0;
      end
    end
  end
  // bits of the way from n on
  wire [3:0] ahead[0:9];
  assign ahead[9] = 4'd0;
  for (genvar n = 0; n < 9; n = n + 1) assign ahead[n] = ahead[n+1] + {3'd0, way[n]};
  wire [1:0] to_draw = left > VOCAB ? 2'd3 : left[1:0];
  always_comb begin
    if (!clean) assume (rst_i);
    assume (value < VOCAB);
    // at the first reset the generator has any state
    if (clean && !clean_q)
      assume (state == \u_dut.states_q [stream*32+:32] && fresh == \u_dut.fresh_q [stream]);
    if (clean) begin
      // a context asks again when it has got what it asked for
      if (draw_i) assume (!wanted[draw_ctx_i] && !((busy || chosen) && last == draw_ctx_i));
      if (asked[context]) assert (ready_o[context] == ready[context]);
      if (read_q) assert (noise_o[value[0]*NoiseW+:NoiseW] == drawn);
      if (zero_read_q) assert (noise_o == '0);
`ifdef INDUCTION
      assert ( \u_dut.still_q == {temp_q[31:16] == '0, temp_q[15:0] == '0});
      if (clean_q) assert ( \u_dut.states_q [stream*32+:32] == state && \u_dut.fresh_q [stream] == fresh);
      assert ( \u_dut.wanted_q == wanted && \u_dut.left_q == left && \u_dut.writing_q == busy);
      assert ( \u_dut.ctx_q == last && \u_dut.chosen_q == chosen);
      if (busy || chosen) assert ( \u_dut.stream_q == current);
      if (chosen) assert (!busy && asked[last] && !ready[last] && !wanted[last]);
      assert ( \u_dut.u_bank.u_write.g_chain.chain_q == way);
      assert ( \u_dut.u_bank.lane_q == (written[0] ? 2'b10 : 2'b01) && \u_dut.u_bank.tile_q == written[1]);
      if (asked[context]) assert ( \u_dut.ready_q [context] == ready[context]);
      assert ((wanted & ~asked) == '0 && (wanted & ready) == '0 && left <= 16 + VOCAB && written < VOCAB);
      if (busy) assert (asked[last] && !ready[last] && !wanted[last] && to_draw + ahead[0] + written == VOCAB);
      else assert (left == '0 && way == '0 && written == '0);
      // the watched draw
      if (mine || zero) assert (asked[context] && !wanted[context] && !(mine && zero));
      if (chosen && last == context) assert (!mine && !zero);
      if (zero) assert ( \u_dut.zero_q [context] && ready[context]);
      if (mine) begin
        assert (! \u_dut.zero_q [context]);
        assert (ready[context] ? kept && !(busy && last == context) : busy && last == context && current == stream);
      end
      if (kept || since != '0) assert (mine);
      if (kept) assert (words[{context, value}*NoiseW+:NoiseW] == drawn);
      if (mine && !ready[context]) begin
        assert ((left < VOCAB - value) == (since != '0 || kept));
        assert (kept == (written > value));
      end else assert (since == '0);
      assert ((since & (since - 9'd1)) == '0 && !(kept && since != '0));
      for (int n = 0; n < 9; n = n + 1)
        if (since[n]) begin
          assert (way[n] && ahead[n+1] + written == value);
          if (n > 0) assert ( \u_dut.u_value.chain_q [(n-1)*NoiseW+:NoiseW] == drawn);
        end
`endif
    end
    cover (filled == 2'd2 && value == 2'd2);
    cover (zero_read_q && noise_o == '0);
  end
endmodule
