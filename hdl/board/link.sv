// Between a serial line and the core: frames in, prompts to the streams; answers, replies, frames out.
//
// Params    Streams, LogPrompt (2^LogPrompt >= Context), LogAnswer; Vocab, Context, Model, ClockHz as
//           told to the host; Counters of the core; Timeout and Gap in cycles, see deframer and framer.
// Ports     packed by stream, stream 0 lowest, as those of the core.
// Protocol  docs/link.md. Whatever comes on the line, no frame that is not good has an effect, and the
//           next good one is obeyed. The line to the host cannot be stalled, so nothing waits for ever.
`default_nettype none

module link #(
    parameter integer Streams   = 1,
    parameter integer LogPrompt = 5,
    parameter integer LogAnswer = 4,
    parameter integer Vocab     = 60,
    parameter integer Context   = 32,
    parameter integer Model     = 0,
    parameter integer ClockHz   = 25000000,
    parameter integer Counters  = 1,
    parameter integer Timeout   = 5000,
    parameter integer Gap       = 100
) (
    input  wire                   clk_i,
    input  wire                   rst_i,
    // bytes from and to the line
    input  wire                   rx_valid_i,
    input  wire [            7:0] rx_data_i,
    input  wire                   rx_error_i,
    output wire                   tx_valid_o,
    input  wire                   tx_ready_i,
    output wire [            7:0] tx_data_o,
    // the core
    output wire                   core_rst_o,
    output wire                   counters_clear_o,
    input  wire [Counters*32-1:0] counters_i,
    output wire [    Streams-1:0] m_axis_tvalid_o,
    input  wire [    Streams-1:0] m_axis_tready_i,
    output wire [ Streams*16-1:0] m_axis_tdata_o,
    output wire [    Streams-1:0] m_axis_tlast_o,
    output wire [ Streams*16-1:0] max_tokens_o,
    output wire [ Streams*16-1:0] stop_token_o,
    output wire [    Streams-1:0] stop_enable_o,
    output wire [ Streams*16-1:0] temperature_o,
    output wire [ Streams*32-1:0] seed_o,
    input  wire [    Streams-1:0] s_axis_tvalid_i,
    output wire [    Streams-1:0] s_axis_tready_o,
    input  wire [ Streams*16-1:0] s_axis_tdata_i,
    input  wire [    Streams-1:0] s_axis_tuser_i,
    // for the lights
    output wire                   busy_o,
    output wire                   received_o,
    output wire                   sent_o,
    output wire                   refused_o,
    output wire                   failed_o
);
  localparam integer MAX_LENGTH = 14 + 2 * Context;

  wire byte_valid, good, bad;
  wire [7:0] byte_now;
  wire [15:0] byte_index, frame_length;
  wire [3:0] bad_code;

  deframer #(
      .MaxLength(MAX_LENGTH),
      .Timeout  (Timeout)
  ) u_deframer (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .valid_i(rx_valid_i),
      .data_i(rx_data_i),
      .error_i(rx_error_i),
      .byte_valid_o(byte_valid),
      .byte_o(byte_now),
      .index_o(byte_index),
      .length_o(frame_length),
      .good_o(good),
      .bad_o(bad),
      .code_o(bad_code)
  );

  wire [Streams-1:0] busy, prompt_we, start, take, closed, done;
  wire [Streams*8-1:0] tags, status;
  wire [LogPrompt-1:0] prompt_addr;
  wire [15:0] prompt_data;
  wire [LogPrompt:0] prompt_count;
  wire [7:0] tag, stream, reply_kind, problem_tag, problem_stream;
  wire [87:0] settings;
  wire reply, reply_busy, problem, reset;
  wire [3:0] problem_code;

  commands #(
      .Streams  (Streams),
      .LogPrompt(LogPrompt)
  ) u_commands (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .byte_valid_i(byte_valid),
      .byte_i(byte_now),
      .index_i(byte_index),
      .length_i(frame_length),
      .good_i(good),
      .bad_i(bad),
      .code_i(bad_code),
      .busy_i(busy),
      .tags_i(tags),
      .reply_busy_i(reply_busy || core_rst_o),
      .prompt_we_o(prompt_we),
      .prompt_addr_o(prompt_addr),
      .prompt_data_o(prompt_data),
      .start_o(start),
      .count_o(prompt_count),
      .tag_o(tag),
      .stream_o(stream),
      .settings_o(settings),
      .reply_o(reply),
      .reply_kind_o(reply_kind),
      .problem_o(problem),
      .problem_code_o(problem_code),
      .problem_tag_o(problem_tag),
      .problem_stream_o(problem_stream)
  );

  wire [Streams*(LogAnswer+1)-1:0] fill;
  wire [Streams*16-1:0] token, token_index;
  wire [Streams*32-1:0] cycles;

  for (genvar s = 0; s < Streams; s = s + 1) begin : g_stream
    stream_port #(
        .LogPrompt(LogPrompt),
        .LogAnswer(LogAnswer)
    ) u_stream_port (
        .clk_i(clk_i),
        .rst_i(rst_i),
        .clear_i(core_rst_o),
        .we_i(prompt_we[s]),
        .addr_i(prompt_addr),
        .data_i(prompt_data),
        .start_i(start[s]),
        .count_i(prompt_count),
        .tag_i(tag),
        .settings_i(settings),
        .busy_o(busy[s]),
        .tag_o(tags[s*8+:8]),
        .m_axis_tvalid_o(m_axis_tvalid_o[s]),
        .m_axis_tready_i(m_axis_tready_i[s]),
        .m_axis_tdata_o(m_axis_tdata_o[s*16+:16]),
        .m_axis_tlast_o(m_axis_tlast_o[s]),
        .max_tokens_o(max_tokens_o[s*16+:16]),
        .temperature_o(temperature_o[s*16+:16]),
        .seed_o(seed_o[s*32+:32]),
        .stop_token_o(stop_token_o[s*16+:16]),
        .stop_enable_o(stop_enable_o[s]),
        .s_axis_tvalid_i(s_axis_tvalid_i[s]),
        .s_axis_tready_o(s_axis_tready_o[s]),
        .s_axis_tdata_i(s_axis_tdata_i[s*16+:16]),
        .s_axis_tuser_i(s_axis_tuser_i[s]),
        .fill_o(fill[s*(LogAnswer+1)+:LogAnswer+1]),
        .token_o(token[s*16+:16]),
        .take_i(take[s]),
        .index_o(token_index[s*16+:16]),
        .closed_o(closed[s]),
        .status_o(status[s*8+:8]),
        .cycles_o(cycles[s*32+:32]),
        .done_i(done[s])
    );
  end

  wire message, message_next, message_sent;
  wire [15:0] message_length;
  wire [7:0] message_byte;

  reporter #(
      .Streams  (Streams),
      .LogAnswer(LogAnswer),
      .Vocab    (Vocab),
      .Context  (Context),
      .Model    (Model),
      .ClockHz  (ClockHz),
      .Counters (Counters)
  ) u_reporter (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .good_i(good),
      .reply_i(reply),
      .reply_kind_i(reply_kind),
      .reply_tag_i(tag),
      .reply_stream_i(stream),
      .reply_busy_o(reply_busy),
      .reset_o(reset),
      .clear_o(counters_clear_o),
      .problem_i(problem),
      .problem_code_i(problem_code),
      .problem_tag_i(problem_tag),
      .problem_stream_i(problem_stream),
      .busy_i(busy),
      .tags_i(tags),
      .fill_i(fill),
      .token_i(token),
      .take_o(take),
      .index_i(token_index),
      .closed_i(closed),
      .status_i(status),
      .cycles_i(cycles),
      .done_o(done),
      .counters_i(counters_i),
      .valid_o(message),
      .length_o(message_length),
      .data_o(message_byte),
      .next_i(message_next),
      .sent_i(message_sent)
  );

  framer #(
      .Gap(Gap)
  ) u_framer (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .valid_i(message),
      .length_i(message_length),
      .data_i(message_byte),
      .next_o(message_next),
      .done_o(message_sent),
      .valid_o(tx_valid_o),
      .ready_i(tx_ready_i),
      .data_o(tx_data_o)
  );

  // The core and the streams are reset for a few cycles; meanwhile no command is taken.
  reg [3:0] reset_q;
  always_ff @(posedge clk_i) begin
    if (rst_i || reset) reset_q <= 4'hF;
    else reset_q <= {reset_q[2:0], 1'b0};
  end

  wire [Streams-1:0] ends_badly;
  for (genvar s = 0; s < Streams; s = s + 1) begin : g_failed
    assign ends_badly[s] = done[s] && status[s*8+3+:2] != 2'd0;
  end

  assign core_rst_o = rst_i || reset || reset_q[3];
  assign busy_o = busy != '0;
  assign received_o = good;
  assign sent_o = message_sent;
  assign refused_o = problem;
  assign failed_o = ends_badly != '0;
endmodule

`default_nettype wire
