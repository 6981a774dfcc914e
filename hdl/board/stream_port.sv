// One sequence of the core at the link: its prompt, its settings, and its answer until it is sent.
//
// Purpose   start_i takes tag and settings and offers the prompt that was written; the stream is busy
//           until done_i, which says that the closing message is on its way. Tokens wait in a queue;
//           take_i removes one. When all are gone and the closing beat has come, closed_o.
// Params    LogPrompt, LogAnswer: 2^n tokens of a prompt and of an answer that are held.
// Output    index_o is the number of tokens of this answer that have been taken, cycles_o the time from
//           start_i to the closing beat.
// Does not  lose a beat: while the queue is full the core waits. clear_i ends everything.
`default_nettype none

module stream_port #(
    parameter integer LogPrompt = 5,
    parameter integer LogAnswer = 4
) (
    input  wire                 clk_i,
    input  wire                 rst_i,
    input  wire                 clear_i,
    // prompt
    input  wire                 we_i,
    input  wire [LogPrompt-1:0] addr_i,
    input  wire [         15:0] data_i,
    input  wire                 start_i,
    input  wire [  LogPrompt:0] count_i,
    input  wire [          7:0] tag_i,
    input  wire [         87:0] settings_i,
    output wire                 busy_o,
    output wire [          7:0] tag_o,
    // to the core: prompt and settings
    output wire                 m_axis_tvalid_o,
    input  wire                 m_axis_tready_i,
    output wire [         15:0] m_axis_tdata_o,
    output wire                 m_axis_tlast_o,
    output wire [         15:0] max_tokens_o,
    output wire [         15:0] temperature_o,
    output wire [         31:0] seed_o,
    output wire [         15:0] stop_token_o,
    output wire                 stop_enable_o,
    // from the core: answer
    input  wire                 s_axis_tvalid_i,
    output wire                 s_axis_tready_o,
    input  wire [         15:0] s_axis_tdata_i,
    input  wire                 s_axis_tuser_i,
    // to the reporter
    output wire [  LogAnswer:0] fill_o,
    output wire [         15:0] token_o,
    input  wire                 take_i,
    output wire [         15:0] index_o,
    output wire                 closed_o,
    output wire [          7:0] status_o,
    output wire [         31:0] cycles_o,
    input  wire                 done_i
);
  reg busy_q, closed_q;
  reg [7:0] tag_q, status_q;
  reg [87:0] settings_q;
  reg [15:0] index_q;
  reg [31:0] cycles_q;
  wire queue_ready, queue_valid, prompt_busy;
  wire close = s_axis_tvalid_i && s_axis_tuser_i;

  prompt_buffer #(
      .LogDepth(LogPrompt)
  ) u_prompt_buffer (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .clear_i(clear_i),
      .we_i(we_i),
      .addr_i(addr_i),
      .data_i(data_i),
      .start_i(start_i),
      .count_i(count_i),
      .busy_o(prompt_busy),
      .m_axis_tvalid_o(m_axis_tvalid_o),
      .m_axis_tready_i(m_axis_tready_i),
      .m_axis_tdata_o(m_axis_tdata_o),
      .m_axis_tlast_o(m_axis_tlast_o)
  );

  fifo #(
      .W(16),
      .LogDepth(LogAnswer)
  ) u_answer (
      .clk_i  (clk_i),
      .rst_i  (rst_i || clear_i),
      .valid_i(s_axis_tvalid_i && !s_axis_tuser_i),
      .ready_o(queue_ready),
      .data_i (s_axis_tdata_i),
      .valid_o(queue_valid),
      .ready_i(take_i),
      .data_o (token_o),
      .fill_o (fill_o)
  );

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      tag_q      <= tag_i;
      settings_q <= settings_i;
      index_q    <= 16'd0;
      cycles_q   <= 32'd0;
    end else begin
      if (take_i) index_q <= index_q + 16'd1;
      if (!closed_q) cycles_q <= cycles_q + 32'd1;
    end
    if (close) status_q <= s_axis_tdata_i[7:0];
    if (rst_i || clear_i) begin
      busy_q   <= 1'b0;
      closed_q <= 1'b0;
    end else if (start_i) begin
      busy_q   <= 1'b1;
      closed_q <= 1'b0;
    end else begin
      if (done_i) busy_q <= 1'b0;
      if (done_i) closed_q <= 1'b0;
      else if (close) closed_q <= 1'b1;
    end
  end

  assign busy_o = busy_q;
  assign tag_o = tag_q;
  assign {stop_enable_o, stop_token_o, seed_o, temperature_o, max_tokens_o} = settings_q[80:0];
  assign s_axis_tready_o = s_axis_tuser_i || queue_ready;
  assign index_o = index_q;
  assign closed_o = closed_q && !queue_valid;
  assign status_o = status_q;
  assign cycles_o = cycles_q;
  wire unused = &{1'b0, prompt_busy, settings_q[87:81]};
endmodule

`default_nettype wire
