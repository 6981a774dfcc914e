// Takes requests, runs one token after the other, and returns tokens and a closing status.
//
// Purpose   A request is a prompt on the input stream, ended by tlast. Prompt tokens are processed as
//           they come; after the last one, tokens are generated until the stop token, the limit or
//           the end of the context. Every generated token is one output beat (tuser 0); the request
//           ends with one closing beat (tuser 1, tlast 1) whose tdata is the status:
//             bit 0 stop token, 1 limit reached, 2 context full, 3 token outside the vocabulary,
//             bit 4 prompt longer than the context.
// Params    TokenW, PosW: widths of token ids and positions. Vocab, Context: their limits.
//           Rows, Cols and the widths of position counters in waves and tiles.
// Settings  max_tokens_i (0: no limit), stop_token_i, stop_enable_i, temperature_i and seed_i are
//           read when the first prompt token arrives, and again for the next request.
// Overlap   0: a prompt token is taken when the one before it is done. 1: when the one before it has
//           been taken over by a context (start_ready_i), so several are processed at a time; the
//           closing beat then waits until quiet_i says that none of them is on its way.
// It does not buffer prompts: tready is low while a token waits to be started. After an error it reads the
// prompt to its end, so that the next request begins at a clean place. Reset ends everything.
`default_nettype none

module controller #(
    parameter integer TokenW  = 6,
    parameter integer PosW    = 7,
    parameter integer Vocab   = 60,
    parameter integer Context = 128,
    parameter integer Rows    = 8,
    parameter integer Cols    = 16,
    parameter integer CountW  = 6,
    parameter integer TileW   = 5,
    parameter integer RowW    = 3,
    parameter integer ColW    = 4,
    parameter integer Overlap = 0
) (
    input  wire              clk_i,
    input  wire              rst_i,
    // prompt in
    input  wire              s_axis_tvalid_i,
    output wire              s_axis_tready_o,
    input  wire [      15:0] s_axis_tdata_i,
    input  wire              s_axis_tlast_i,
    // tokens and status out
    output wire              m_axis_tvalid_o,
    input  wire              m_axis_tready_i,
    output wire [      15:0] m_axis_tdata_o,
    output wire              m_axis_tlast_o,
    output wire              m_axis_tuser_o,
    // settings of the request
    input  wire [      15:0] max_tokens_i,
    input  wire [      15:0] stop_token_i,
    input  wire              stop_enable_i,
    input  wire [      15:0] temperature_i,
    input  wire [      31:0] seed_i,
    output wire              busy_o,
    output wire              host_o,        // a prompt token is awaited, or an answer not taken
    // to the engine: one token, while start_ready_i
    output wire              start_o,
    input  wire              start_ready_i,
    input  wire              quiet_i,
    output wire              sampled_o,
    output wire [TokenW-1:0] token_o,
    output wire [  PosW-1:0] pos_o,
    output wire [CountW-1:0] pos_waves_o,   // position / Rows
    output wire [  RowW-1:0] pos_row_o,     // position mod Rows
    output wire [ TileW-1:0] pos_tiles_o,   // position / Cols
    output wire [  ColW-1:0] pos_col_o,     // position mod Cols
    output wire              seed_load_o,
    output wire [      31:0] seed_o,
    output wire [      15:0] temperature_o,
    // from the engine
    input  wire              done_i,        // everything of a token that is not sampled is written
    input  wire              next_valid_i,  // the sampled token
    input  wire [TokenW-1:0] next_token_i
);
  typedef enum logic [2:0] {
    IDLE,
    TAKE,
    START,
    RUN,
    DRAIN,
    CLOSE
  } state_e;

  localparam integer POS_LAST_INT = Context - 1;
  localparam logic [PosW-1:0] POS_LAST = POS_LAST_INT[PosW-1:0];
  localparam logic [15:0] VOCAB = Vocab[15:0];
  localparam integer ROW_LAST_INT = Rows - 1;
  localparam logic [RowW-1:0] ROW_LAST = ROW_LAST_INT[RowW-1:0];
  localparam integer COL_LAST_INT = Cols - 1;
  localparam logic [ColW-1:0] COL_LAST = COL_LAST_INT[ColW-1:0];

  state_e state_q, state_d;
  reg [4:0] status_q, status_d;
  reg sampled_q, sampled_d;
  reg full_q, full_d;  // every position of the context is used
  reg [TokenW-1:0] token_q, token_d;
  reg [PosW-1:0] pos_q, pos_d;
  reg [CountW-1:0] waves_q, waves_d;
  reg [RowW-1:0] row_q, row_d;
  reg [TileW-1:0] tiles_q, tiles_d;
  reg [ColW-1:0] col_q, col_d;
  reg [15:0] left_q, left_d;  // tokens still allowed
  reg [15:0] stop_token_q, temperature_q;
  reg stop_enable_q;
  // one output beat
  reg out_valid_q, out_valid_d;
  reg [15:0] out_data_q, out_data_d;
  reg out_close_q, out_close_d;
  // sampled token that waits for the output beat to leave
  reg held_q, held_d;
  reg [TokenW-1:0] held_token_q, held_token_d;

  wire out_free = !out_valid_q || m_axis_tready_i;
  wire begin_request = state_q == IDLE && s_axis_tvalid_i;
  wire take = s_axis_tvalid_i && s_axis_tready_o;
  wire unknown_token = s_axis_tdata_i >= VOCAB;
  wire [TokenW-1:0] prompt_token = s_axis_tdata_i[TokenW-1:0];
  wire have_token = next_valid_i || held_q;
  wire [TokenW-1:0] sampled_token = held_q ? held_token_q : next_token_i;
  wire [15:0] sampled_token_wide;
  wire at_stop = stop_enable_q && sampled_token_wide == stop_token_q;
  wire at_limit = left_q == 16'd1;  // 0 means no limit: it never counts down to 1 in a context
  wire at_full = pos_q == POS_LAST;

  resize #(
      .InW (TokenW),
      .OutW(16)
  ) u_token_wide (
      .data_i(sampled_token),
      .data_o(sampled_token_wide)
  );

  reg advance;  // to the next position

  always_comb begin
    state_d      = state_q;
    status_d     = status_q;
    sampled_d    = sampled_q;
    full_d       = full_q;
    token_d      = token_q;
    left_d       = left_q;
    held_d       = held_q;
    held_token_d = held_token_q;
    out_valid_d  = out_valid_q && !m_axis_tready_i;
    out_data_d   = out_data_q;
    out_close_d  = out_close_q;
    advance      = 1'b0;

    case (state_q)
      IDLE: begin
        status_d  = 5'd0;
        full_d    = 1'b0;
        held_d    = 1'b0;
        left_d   = max_tokens_i;
        if (begin_request) state_d = TAKE;
      end
      TAKE: begin
        if (take) begin
          token_d   = prompt_token;
          sampled_d = s_axis_tlast_i;
          state_d   = START;
          if (unknown_token || full_q) begin
            status_d = {full_q, unknown_token, 3'b000};
            if (s_axis_tlast_i) state_d = CLOSE;
            else state_d = DRAIN;
          end
        end
      end
      START: begin
        if (start_ready_i) begin
          state_d = RUN;
          if (Overlap != 0 && !sampled_q) begin
            full_d  = at_full;
            advance = 1'b1;
            state_d = TAKE;
          end
        end
      end
      RUN: begin
        if (sampled_q) begin
          if (next_valid_i && !out_free) begin
            held_d       = 1'b1;
            held_token_d = next_token_i;
          end
          if (have_token && out_free) begin
            held_d      = 1'b0;
            out_valid_d = 1'b1;
            out_data_d  = sampled_token_wide;
            out_close_d = 1'b0;
            token_d     = sampled_token;
            left_d      = left_q - 16'd1;
            status_d    = {2'b00, at_full, at_limit, at_stop};
            advance     = 1'b1;
            if (at_full || at_limit || at_stop) state_d = CLOSE;
            else state_d = START;
          end
        end else if (done_i) begin
          full_d  = at_full;
          advance = 1'b1;
          state_d = TAKE;
        end
      end
      DRAIN: begin
        if (take && s_axis_tlast_i) state_d = CLOSE;
      end
      CLOSE: begin
        if (out_free && quiet_i) begin
          out_valid_d = 1'b1;
          out_data_d  = {11'd0, status_q};
          out_close_d = 1'b1;
          state_d     = IDLE;
        end
      end
      default: state_d = IDLE;
    endcase
  end

  // the position, and the position in rows and columns of the array
  always_comb begin
    pos_d   = pos_q;
    waves_d = waves_q;
    row_d   = row_q;
    tiles_d = tiles_q;
    col_d   = col_q;
    if (state_q == IDLE) begin
      pos_d   = {PosW{1'b0}};
      waves_d = {CountW{1'b0}};
      row_d   = {RowW{1'b0}};
      tiles_d = {TileW{1'b0}};
      col_d   = {ColW{1'b0}};
    end else if (advance && !at_full) begin
      pos_d = pos_q + 1'b1;
      row_d = row_q + 1'b1;
      col_d = col_q + 1'b1;
      if (row_q == ROW_LAST) begin
        row_d   = {RowW{1'b0}};
        waves_d = waves_q + 1'b1;
      end
      if (col_q == COL_LAST) begin
        col_d   = {ColW{1'b0}};
        tiles_d = tiles_q + 1'b1;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      state_q     <= IDLE;
      out_valid_q <= 1'b0;
      held_q      <= 1'b0;
    end else begin
      state_q     <= state_d;
      out_valid_q <= out_valid_d;
      held_q      <= held_d;
    end
    status_q     <= status_d;
    sampled_q    <= sampled_d;
    full_q       <= full_d;
    token_q      <= token_d;
    pos_q        <= pos_d;
    waves_q      <= waves_d;
    row_q        <= row_d;
    tiles_q      <= tiles_d;
    col_q        <= col_d;
    left_q       <= left_d;
    held_token_q <= held_token_d;
    out_data_q   <= out_data_d;
    out_close_q  <= out_close_d;
    if (begin_request) begin
      stop_token_q  <= stop_token_i;
      stop_enable_q <= stop_enable_i;
      temperature_q <= temperature_i;
    end
  end

  assign s_axis_tready_o = state_q == TAKE || state_q == DRAIN;
  assign m_axis_tvalid_o = out_valid_q;
  assign m_axis_tdata_o = out_data_q;
  assign m_axis_tlast_o = out_close_q;
  assign m_axis_tuser_o = out_close_q;
  assign busy_o = state_q != IDLE || out_valid_q;
  assign host_o = (s_axis_tready_o && !s_axis_tvalid_i) || (!out_free && (state_q == IDLE ||
      state_q == CLOSE || (state_q == RUN && sampled_q && have_token)));
  assign start_o = state_q == START;
  assign sampled_o = sampled_q;
  assign token_o = token_q;
  assign pos_o = pos_q;
  assign pos_waves_o = waves_q;
  assign pos_row_o = row_q;
  assign pos_tiles_o = tiles_q;
  assign pos_col_o = col_q;
  assign seed_load_o = begin_request;
  assign seed_o = seed_i;
  assign temperature_o = temperature_q;

endmodule

`default_nettype wire
