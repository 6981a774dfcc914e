// Tells the host everything: answers as they come, replies, and what was not obeyed (docs/link.md).
//
// Purpose   Takes turns between problems, the reply, and each stream, and makes one message of what is
//           there: up to all waiting tokens of a stream, or its closing. RESET and CLEAR are carried
//           out (reset_o, clear_o for one cycle) when their reply begins, so that no message is cut.
// Params    Streams, LogAnswer; Vocab, Context, Model, ClockHz for HELLO; Counters of the core.
// Counts    good frames and each kind of problem, for STATE; a problem that comes while four others
//           wait is counted, but not told.
// Does not  frame: see framer.sv.
`default_nettype none

module reporter #(
    parameter integer Streams   = 1,
    parameter integer LogAnswer = 4,
    parameter integer Vocab     = 60,
    parameter integer Context   = 32,
    parameter integer Model     = 0,
    parameter integer ClockHz   = 25000000,
    parameter integer Counters  = 1
) (
    input  wire                               clk_i,
    input  wire                               rst_i,
    // reply to a command
    input  wire                               good_i,
    input  wire                               reply_i,
    input  wire [                        7:0] reply_kind_i,
    input  wire [                        7:0] reply_tag_i,
    input  wire [                        7:0] reply_stream_i,
    output wire                               reply_busy_o,
    output wire                               reset_o,
    output wire                               clear_o,
    // problems
    input  wire                               problem_i,
    input  wire [                        3:0] problem_code_i,
    input  wire [                        7:0] problem_tag_i,
    input  wire [                        7:0] problem_stream_i,
    // streams
    input  wire [                Streams-1:0] busy_i,
    input  wire [              Streams*8-1:0] tags_i,
    input  wire [Streams*(LogAnswer+1)-1:0] fill_i,
    input  wire [             Streams*16-1:0] token_i,
    output wire [                Streams-1:0] take_o,
    input  wire [             Streams*16-1:0] index_i,
    input  wire [                Streams-1:0] closed_i,
    input  wire [              Streams*8-1:0] status_i,
    input  wire [             Streams*32-1:0] cycles_i,
    output wire [                Streams-1:0] done_o,
    input  wire [            Counters*32-1:0] counters_i,
    // message to the framer
    output wire                               valid_o,
    output wire [                       15:0] length_o,
    output wire [                        7:0] data_o,
    input  wire                               next_i,
    input  wire                               sent_i
);
  localparam logic [7:0] HELLO = 8'h81;
  localparam logic [7:0] STATE = 8'h83;
  localparam logic [7:0] CLEARED = 8'h84;
  localparam logic [7:0] RESTARTED = 8'h85;
  localparam logic [7:0] TOKENS = 8'h90;
  localparam logic [7:0] DONE = 8'h91;
  localparam logic [7:0] ERROR = 8'hE0;
  localparam logic [7:0] VERSION = 8'd1;
  localparam integer PROBLEMS = 10;
  localparam integer STATE_W = 8 + 32 + PROBLEMS * 16 + Counters * 32;
  localparam integer HELLO_W = 112;
  localparam integer BODY_W = STATE_W;
  localparam integer STATE_SIZE_INT = STATE_W / 8 + 3;
  localparam logic [15:0] STATE_SIZE = STATE_SIZE_INT[15:0];
  localparam integer INDEX_W = 4;

  // ---- what waits
  reg reply_q;
  reg [7:0] reply_kind_q, reply_tag_q, reply_stream_q;
  wire problem_waits, problem_take;
  wire [19:0] problem;
  wire [Streams-1:0] stream_waits;
  wire [Streams+1:0] requests = {stream_waits, reply_q, problem_waits};
  wire any;
  wire [INDEX_W-1:0] turn;
  reg  sending_q;
  wire load = any && !sending_q;
  wire load_problem = load && turn == 4'd0;
  wire load_reply = load && turn == 4'd1;
  wire load_stream = load && turn > 4'd1;
  wire [INDEX_W-1:0] stream = turn - 4'd2;

  // ---- the stream whose turn it is
  wire [Streams*8-1:0] fills;
  wire [7:0] s_tag, s_fill, s_status;
  wire [15:0] s_index, s_token;
  wire [31:0] s_cycles;
  reg [INDEX_W-1:0] stream_q;
  wire [INDEX_W-1:0] shown = sending_q ? stream_q : stream;

  for (genvar s = 0; s < Streams; s = s + 1) begin : g_stream
    localparam integer NUMBER_INT = s;
    localparam logic [INDEX_W-1:0] NUMBER = NUMBER_INT[INDEX_W-1:0];
    wire [LogAnswer:0] fill = fill_i[s*(LogAnswer+1)+:LogAnswer+1];
    assign fills[s*8+:8] = {{(7 - LogAnswer) {1'b0}}, fill};
    assign stream_waits[s] = fill != '0 || closed_i[s];
    assign take_o[s] = next_i && left_q == 16'd0 && half_q && stream_q == NUMBER;
    assign done_o[s] = load_stream && stream == NUMBER && fill == '0;
  end
  assign s_tag = tags_i[shown*8+:8];
  assign s_fill = fills[shown*8+:8];
  assign s_status = status_i[shown*8+:8];
  assign s_index = index_i[shown*16+:16];
  assign s_token = token_i[shown*16+:16];
  assign s_cycles = cycles_i[shown*32+:32];

  round_robin #(
      .N(Streams + 2),
      .IndexW(INDEX_W)
  ) u_turn (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .request_i(requests),
      .take_i(load),
      .any_o(any),
      .index_o(turn)
  );

  wire problem_room;
  wire [2:0] problems_waiting;

  fifo #(
      .W(20),
      .LogDepth(2)
  ) u_problems (
      .clk_i  (clk_i),
      .rst_i  (rst_i),
      .valid_i(problem_i),
      .ready_o(problem_room),
      .data_i ({problem_code_i, problem_stream_i, problem_tag_i}),
      .valid_o(problem_waits),
      .ready_i(problem_take),
      .data_o (problem),
      .fill_o (problems_waiting)
  );
  assign problem_take = load_problem;

  // ---- counters
  reg [31:0] frames_q;
  wire [PROBLEMS*16-1:0] counts;

  for (genvar c = 0; c < PROBLEMS; c = c + 1) begin : g_count
    localparam integer CODE_INT = c + 1;
    localparam logic [3:0] CODE = CODE_INT[3:0];
    reg [15:0] count_q;
    always_ff @(posedge clk_i) begin
      if (rst_i || clear_o) count_q <= 16'd0;
      else if (problem_i && problem_code_i == CODE && count_q != 16'hFFFF) begin
        count_q <= count_q + 16'd1;
      end
    end
    assign counts[c*16+:16] = count_q;
  end

  always_ff @(posedge clk_i) begin
    if (rst_i || clear_o) frames_q <= 32'd0;
    else if (good_i) frames_q <= frames_q + 32'd1;
  end

  // ---- the message
  wire [7:0] busy_byte;
  wire [STATE_W-1:0] state_body = {counters_i, counts, frames_q, busy_byte};
  wire [HELLO_W-1:0] hello_body = {
    ClockHz[31:0], Model[31:0], Context[15:0], Vocab[15:0], Streams[7:0], VERSION
  };
  wire [55:0] done_body = {s_cycles, s_index, s_status};
  reg [BODY_W-1:0] body;
  reg [7:0] kind, tag, number;
  reg [15:0] size;  // without tokens
  reg [BODY_W+23:0] bytes_q;
  reg [15:0] length_q;
  reg [15:0] left_q;  // bytes of bytes_q that have not left; tokens follow
  reg half_q;  // the low byte of a token has left
  wire tokens_wait = s_fill != 8'd0;
  wire [15:0] length = size + (load_stream ? {7'd0, s_fill, 1'b0} : 16'd0);
  wire [7:0] token_byte = half_q ? s_token[15:8] : s_token[7:0];

  resize #(
      .InW (Streams),
      .OutW(8)
  ) u_busy_byte (
      .data_i(busy_i),
      .data_o(busy_byte)
  );

  wire [BODY_W-1:0] hello_wide = {{(BODY_W - HELLO_W) {1'b0}}, hello_body};
  wire [BODY_W-1:0] done_wide = {{(BODY_W - 56) {1'b0}}, done_body};
  wire [BODY_W-1:0] index_wide = {{(BODY_W - 16) {1'b0}}, s_index};
  wire [BODY_W-1:0] code_wide = {{(BODY_W - 4) {1'b0}}, problem[19:16]};
  wire [7:0] problem_tag = problem[7:0];
  wire [7:0] problem_stream = problem[15:8];
  wire [7:0] stream_byte = {4'd0, stream};

  always_comb begin
    kind   = reply_kind_q;
    tag    = reply_tag_q;
    number = reply_stream_q;
    body   = state_body;
    size   = 16'd3;
    if (load_problem) begin
      kind   = ERROR;
      tag    = problem_tag;
      number = problem_stream;
      body   = code_wide;
      size   = 16'd4;
    end else if (load_stream) begin
      kind   = tokens_wait ? TOKENS : DONE;
      tag    = s_tag;
      number = stream_byte;
      body   = tokens_wait ? index_wide : done_wide;
      size   = tokens_wait ? 16'd5 : 16'd10;
    end else if (reply_kind_q == HELLO) begin
      body = hello_wide;
      size = 16'd17;
    end else if (reply_kind_q == STATE) begin
      size = STATE_SIZE;
    end
  end

  always_ff @(posedge clk_i) begin
    if (load) begin
      bytes_q  <= {body, number, tag, kind};
      length_q <= length;
      left_q   <= size;
      half_q   <= 1'b0;
      stream_q <= stream;
    end else if (next_i) begin
      bytes_q <= {8'd0, bytes_q[BODY_W+23:8]};
      if (left_q != 16'd0) left_q <= left_q - 16'd1;
      else half_q <= !half_q;
    end
    if (reply_i) begin
      reply_kind_q   <= reply_kind_i;
      reply_tag_q    <= reply_tag_i;
      reply_stream_q <= reply_stream_i;
    end
    if (rst_i) begin
      sending_q <= 1'b0;
      reply_q   <= 1'b0;
    end else begin
      if (load) sending_q <= 1'b1;
      else if (sent_i) sending_q <= 1'b0;
      if (reply_i) reply_q <= 1'b1;
      else if (load_reply) reply_q <= 1'b0;
    end
  end

  assign reply_busy_o = reply_q || reply_i;
  assign reset_o = load_reply && reply_kind_q == RESTARTED;
  assign clear_o = load_reply && reply_kind_q == CLEARED;
  assign valid_o = sending_q;
  assign length_o = length_q;
  assign data_o = left_q != 16'd0 ? bytes_q[7:0] : token_byte;
  wire unused = &{1'b0, problem_room, problems_waiting, HELLO_W[0]};
endmodule

`default_nettype wire
