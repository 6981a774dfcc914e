// Reads the messages of a host and obeys them (docs/link.md).
//
// Purpose   Header and fields are kept while a frame comes, tokens of a prompt are written to the prompt
//           buffer at once if its stream is free. Only when the frame was good anything begins: a
//           prompt (start_o), or a reply that reporter.sv sends and then carries out. Whatever
//           is not obeyed gives problem_o with its code (configs/protocol.py).
// Params    Streams, LogPrompt: sequences; 2^LogPrompt tokens of a prompt at most.
// Latency   one cycle after good_i.
// It does not wait: a command that comes before the last one was answered is an overrun.
`default_nettype none

module commands #(
    parameter integer Streams   = 1,
    parameter integer LogPrompt = 5
) (
    input  wire                 clk_i,
    input  wire                 rst_i,
    // from the deframer
    input  wire                 byte_valid_i,
    input  wire [          7:0] byte_i,
    input  wire [         15:0] index_i,
    input  wire [         15:0] length_i,
    input  wire                 good_i,
    input  wire                 bad_i,
    input  wire [          3:0] code_i,
    // state of the streams and of the reply before
    input  wire [  Streams-1:0] busy_i,
    input  wire [Streams*8-1:0] tags_i,
    input  wire                 reply_busy_i,
    // prompt
    output wire [  Streams-1:0] prompt_we_o,
    output wire [LogPrompt-1:0] prompt_addr_o,
    output wire [         15:0] prompt_data_o,
    output wire [  Streams-1:0] start_o,
    output wire [  LogPrompt:0] count_o,
    output wire [          7:0] tag_o,
    output wire [          7:0] stream_o,
    output wire [         87:0] settings_o,     // fields of PROMPT, the first one lowest
    // reply
    output wire                 reply_o,
    output wire [          7:0] reply_kind_o,
    // what was not obeyed
    output wire                 problem_o,
    output wire [          3:0] problem_code_o,
    output wire [          7:0] problem_tag_o,
    output wire [          7:0] problem_stream_o
);
  localparam logic [7:0] PROMPT = 8'h02;
  localparam logic [7:0] LAST_COMMAND = 8'h05;
  localparam logic [15:0] HEADER_SIZE = 16'd3;
  localparam logic [15:0] PROMPT_SIZE = 16'd14;  // header and fields
  localparam logic [15:0] PROMPT_LEAST = 16'd16;
  localparam logic [3:0] UNKNOWN = 4'd6;
  localparam logic [3:0] NO_STREAM = 4'd7;
  localparam logic [3:0] BUSY = 4'd8;
  localparam logic [3:0] BAD_FORMAT = 4'd9;
  localparam logic [3:0] OVERRUN = 4'd10;
  localparam logic [7:0] STREAMS = Streams[7:0];

  reg [7:0] kind_q, tag_q, stream_q, low_q;
  reg [87:0] settings_q;
  reg free_q;  // the stream was free when its tokens began
  wire known_stream = stream_q < STREAMS;
  wire [Streams-1:0] chosen;  // one-hot
  wire [Streams*8-1:0] chosen_tags;
  wire [7:0] running_tag;

  for (genvar s = 0; s < Streams; s = s + 1) begin : g_stream
    localparam integer NUMBER_INT = s;
    localparam logic [7:0] NUMBER = NUMBER_INT[7:0];
    assign chosen[s] = stream_q == NUMBER;
    assign chosen_tags[s*8+:8] = chosen[s] ? tags_i[s*8+:8] : 8'd0;
  end
  for (genvar b = 0; b < 8; b = b + 1) begin : g_tag
    wire [Streams-1:0] bits;
    for (genvar s = 0; s < Streams; s = s + 1) begin : g_bit
      assign bits[s] = chosen_tags[s*8+b];
    end
    assign running_tag[b] = bits != '0;
  end

  always_ff @(posedge clk_i) begin
    if (byte_valid_i) begin
      low_q <= byte_i;
      if (index_i == 16'd0) begin
        kind_q   <= byte_i;
        tag_q    <= 8'd0;
        stream_q <= 8'd0;
      end
      if (index_i == 16'd1) tag_q <= byte_i;
      if (index_i == 16'd2) stream_q <= byte_i;
      if (index_i >= HEADER_SIZE && index_i < PROMPT_SIZE) begin
        settings_q <= {byte_i, settings_q[87:8]};
      end
      if (index_i == PROMPT_SIZE - 16'd1) free_q <= known_stream && (chosen & busy_i) == '0;
    end
  end

  wire is_prompt = kind_q == PROMPT;
  wire token_ends = byte_valid_i && index_i >= PROMPT_SIZE && index_i[0];
  wire [15:0] token_index = index_i - PROMPT_SIZE;
  wire [15:0] tokens_size = length_i - PROMPT_SIZE;

  // the verdict on a good frame
  wire known = kind_q != 8'd0 && kind_q <= LAST_COMMAND;
  wire prompt_fits = length_i >= PROMPT_LEAST && !length_i[0];
  wire right_size = is_prompt ? prompt_fits : length_i == HEADER_SIZE;
  wire repeated = tag_q == running_tag;
  reg [3:0] verdict;  // 0: obey

  always_comb begin
    verdict = 4'd0;
    if (length_i < HEADER_SIZE) verdict = BAD_FORMAT;
    else if (!known) verdict = UNKNOWN;
    else if (!right_size) verdict = BAD_FORMAT;
    else if (reply_busy_i) verdict = OVERRUN;
    else if (is_prompt && !known_stream) verdict = NO_STREAM;
    else if (is_prompt && !free_q && !repeated) verdict = BUSY;
  end

  reg start_q, reply_q, problem_q, line_q;
  reg [3:0] code_q;
  reg [LogPrompt:0] count_q;  // the length of the next frame may come in the cycle of start_o

  always_ff @(posedge clk_i) begin
    line_q  <= bad_i;
    code_q  <= bad_i ? code_i : verdict;
    count_q <= tokens_size[LogPrompt+1:1];
    if (rst_i) begin
      start_q   <= 1'b0;
      reply_q   <= 1'b0;
      problem_q <= 1'b0;
    end else begin
      start_q   <= good_i && verdict == 4'd0 && is_prompt && free_q;
      reply_q   <= good_i && verdict == 4'd0;
      problem_q <= bad_i || (good_i && verdict != 4'd0);
    end
  end

  assign prompt_we_o = token_ends && is_prompt && free_q ? chosen : '0;
  assign prompt_addr_o = token_index[LogPrompt:1];
  assign prompt_data_o = {byte_i, low_q};
  assign start_o = start_q ? chosen : '0;
  assign count_o = count_q;
  assign tag_o = tag_q;
  assign stream_o = stream_q;
  assign settings_o = settings_q;
  assign reply_o = reply_q;
  assign reply_kind_o = {1'b1, kind_q[6:0]};
  assign problem_o = problem_q;
  assign problem_code_o = code_q;
  assign problem_tag_o = line_q ? 8'd0 : tag_q;
  assign problem_stream_o = line_q ? 8'd0 : stream_q;
  wire unused = &{1'b0, token_index, tokens_size};
endmodule

`default_nettype wire
