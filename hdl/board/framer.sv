// Makes frames of messages (docs/link.md): flag, length, content, CRC-32, flag; then a silence.
//
// Params    Gap  cycles of silence behind a frame, longer than a byte: a receiver that noise has put
//                out of step finds the next start bit
// Input     valid_i with length_i (>= 1) offers a message; next_o asks for the byte behind the one that
//           is shown on data_i, which must be there at any time until length_i of them were asked for.
//           done_o in the cycle in which the last flag leaves.
// Output    bytes with valid_o/ready_i, to uart_tx; ready_i also says that the line is idle again.
// Does not  store the message.
`default_nettype none

module framer #(
    parameter integer Gap = 100
) (
    input  wire        clk_i,
    input  wire        rst_i,
    // message
    input  wire        valid_i,
    input  wire [15:0] length_i,
    input  wire [ 7:0] data_i,
    output wire        next_o,
    output wire        done_o,
    // line
    output wire        valid_o,
    input  wire        ready_i,
    output wire [ 7:0] data_o
);
  localparam logic [7:0] FLAG = 8'h7E;
  localparam logic [7:0] ESCAPE = 8'h7D;
  localparam logic [31:0] GAP = Gap[31:0];

  typedef enum logic [2:0] {
    IDLE,
    OPEN,
    LENGTH,
    CONTENT,
    CHECK,
    CLOSE,
    SILENCE
  } state_e;

  state_e state_q, state_d;
  reg escaped_q, escaped_d;  // the escape before this byte has left
  reg [15:0] count_q, count_d;
  reg [31:0] crc_q, crc_d;
  reg [31:0] wait_q, wait_d;
  reg [7:0] plain_d, plain_q;  // the register cuts the way from the source to the CRC
  reg settled_q;  // plain_q is the byte of this state
  reg stuffed;  // this byte may need an escape
  wire [31:0] next_crc;
  wire [7:0] length_byte = count_q[0] ? length_i[15:8] : length_i[7:0];
  wire [7:0] check_byte = 8'hFF ^ crc_q[7:0];
  wire [31:0] rest_of_crc = {8'd0, crc_q[31:8]};

  wire escape_first = stuffed && !escaped_q && (plain_q == FLAG || plain_q == ESCAPE);
  wire sent = valid_o && ready_i && !escape_first;

  crc32 u_crc32 (
      .crc_i (crc_q),
      .data_i(plain_q),
      .crc_o (next_crc)
  );

  always_comb begin
    case (state_q)
      LENGTH:  plain_d = length_byte;
      CONTENT: plain_d = data_i;
      CHECK:   plain_d = check_byte;
      default: plain_d = FLAG;
    endcase
    stuffed = state_q == LENGTH || state_q == CONTENT || state_q == CHECK;
  end

  always_comb begin
    state_d   = state_q;
    escaped_d = escaped_q;
    count_d   = count_q;
    crc_d     = crc_q;
    wait_d    = 32'd0;
    if (valid_o && ready_i) escaped_d = escape_first;
    if (sent) count_d = count_q + 16'd1;
    case (state_q)
      IDLE: if (valid_i) state_d = OPEN;
      OPEN: begin
        count_d = 16'd0;
        crc_d   = 32'hFFFFFFFF;
        if (sent) state_d = LENGTH;
      end
      LENGTH: begin
        if (sent) begin
          crc_d = next_crc;
          if (count_q == 16'd1) begin
            count_d = 16'd0;
            state_d = CONTENT;
          end
        end
      end
      CONTENT: begin
        if (sent) begin
          crc_d = next_crc;
          if (count_d == length_i) begin
            count_d = 16'd0;
            state_d = CHECK;
          end
        end
      end
      CHECK: begin
        if (sent) begin
          crc_d = rest_of_crc;
          if (count_q == 16'd3) state_d = CLOSE;
        end
      end
      CLOSE: if (sent) state_d = SILENCE;
      SILENCE: begin
        if (ready_i) begin
          wait_d = wait_q + 32'd1;
          if (wait_q == GAP) state_d = IDLE;
        end
      end
      default: state_d = IDLE;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      state_q   <= IDLE;
      escaped_q <= 1'b0;
    end else begin
      state_q   <= state_d;
      escaped_q <= escaped_d;
    end
    plain_q   <= plain_d;
    settled_q <= !(valid_o && ready_i);
    count_q   <= count_d;
    crc_q     <= crc_d;
    wait_q    <= wait_d;
  end

  assign next_o  = sent && state_q == CONTENT;
  assign done_o  = sent && state_q == CLOSE;
  assign valid_o = settled_q && state_q != IDLE && state_q != SILENCE;
  assign data_o  = escape_first ? ESCAPE : escaped_q ? plain_q ^ 8'h20 : plain_q;
endmodule

`default_nettype wire
