// Finds frames in the bytes of a line, whatever else is on it (docs/link.md).
//
// Purpose   flag, length (2 bytes, lowest first), content, CRC-32 (lowest first), flag. 0x7E is the flag
//           and begins every frame; inside, 0x7E and 0x7D are sent as 0x7D and the byte ^ 0x20.
// Params    MaxLength  longest content in bytes
//           Timeout    cycles after which a frame that does not go on is given up
// Output    byte_valid_o with byte_o and index_o for each byte of content as it comes, before anybody
//           knows whether the frame is whole; then good_o for one cycle if it was. length_o is that of
//           the frame. What is not a good frame gives bad_o for one cycle with the reason:
//             code 1 CRC, 2 not as long as it says, 3 longer than MaxLength, 4 it stopped, 5 line error
//           (stop bit, break). After bad_o everything up to the next flag is skipped.
// Latency   one cycle.
// It does not store, and cannot be stalled.
`default_nettype none

module deframer #(
    parameter integer MaxLength = 64,
    parameter integer Timeout   = 1000
) (
    input  wire        clk_i,
    input  wire        rst_i,
    // from the line
    input  wire        valid_i,
    input  wire [ 7:0] data_i,
    input  wire        error_i,
    // content
    output wire        byte_valid_o,
    output wire [ 7:0] byte_o,
    output wire [15:0] index_o,
    output wire [15:0] length_o,
    // verdict
    output wire        good_o,
    output wire        bad_o,
    output wire [ 3:0] code_o
);
  localparam logic [7:0] FLAG = 8'h7E;
  localparam logic [7:0] ESCAPE = 8'h7D;
  localparam logic [31:0] RESIDUE = 32'hDEBB20E3;
  localparam logic [15:0] MAX_LENGTH = MaxLength[15:0];
  localparam logic [31:0] TIMEOUT = Timeout[31:0];
  localparam logic [3:0] BAD_CRC = 4'd1;
  localparam logic [3:0] BAD_LENGTH = 4'd2;
  localparam logic [3:0] TOO_LONG = 4'd3;
  localparam logic [3:0] STOPPED = 4'd4;
  localparam logic [3:0] BAD_LINE = 4'd5;

  typedef enum logic [2:0] {
    HUNT,     // outside of a frame, until a flag
    OPEN,     // behind a flag
    LENGTH,   // the second byte of the length
    CONTENT,
    CHECK,    // the CRC
    CLOSE     // only a flag may follow
  } state_e;

  state_e state_q, state_d;
  reg escape_q, escape_d;
  reg [15:0] length_q, length_d;
  reg [15:0] index_q, index_d;
  reg [31:0] crc_q, crc_d;
  reg [31:0] silent_q, silent_d;
  reg byte_valid_q, byte_valid_d, good_q, good_d, bad_q, bad_d;
  reg [3:0] code_q, code_d;
  reg [7:0] byte_q;
  reg [15:0] byte_index_q;

  wire is_flag = data_i == FLAG;
  wire is_escape = data_i == ESCAPE;
  wire [7:0] plain = escape_q ? data_i ^ 8'h20 : data_i;
  wire [15:0] whole_length = {plain, length_q[7:0]};
  wire [31:0] next_crc;
  wire inside_frame = state_q != HUNT && (state_q != OPEN || escape_q);

  crc32 u_crc32 (
      .crc_i (crc_q),
      .data_i(plain),
      .crc_o (next_crc)
  );

  always_comb begin
    state_d      = state_q;
    escape_d     = escape_q;
    length_d     = length_q;
    index_d      = index_q;
    crc_d        = crc_q;
    silent_d     = silent_q + 32'd1;
    byte_valid_d = 1'b0;
    good_d       = 1'b0;
    bad_d        = 1'b0;
    code_d       = BAD_LENGTH;

    if (!inside_frame || valid_i) silent_d = 32'd0;
    if (error_i) begin
      bad_d    = 1'b1;
      code_d   = BAD_LINE;
      escape_d = 1'b0;
      state_d  = HUNT;
    end else if (valid_i && is_flag) begin
      bad_d    = inside_frame;
      escape_d = 1'b0;
      state_d  = OPEN;
      crc_d    = 32'hFFFFFFFF;
      if (state_q == CLOSE && !escape_q) begin
        good_d = crc_q == RESIDUE;
        bad_d  = crc_q != RESIDUE;
        code_d = BAD_CRC;
      end
    end else if (valid_i && is_escape) begin
      bad_d    = escape_q && state_q != HUNT;
      escape_d = !bad_d && state_q != HUNT;
      if (bad_d) state_d = HUNT;
    end else if (valid_i) begin
      escape_d = 1'b0;
      crc_d    = next_crc;
      index_d  = index_q + 16'd1;
      case (state_q)
        OPEN: begin
          length_d = {8'd0, plain};
          state_d  = LENGTH;
        end
        LENGTH: begin
          length_d = whole_length;
          index_d  = 16'd0;
          state_d  = CONTENT;
          if (whole_length == 16'd0 || whole_length > MAX_LENGTH) begin
            bad_d   = 1'b1;
            code_d  = whole_length == 16'd0 ? BAD_LENGTH : TOO_LONG;
            state_d = HUNT;
          end
        end
        CONTENT: begin
          byte_valid_d = 1'b1;
          if (index_d == length_q) begin
            index_d = 16'd0;
            state_d = CHECK;
          end
        end
        CHECK: if (index_q == 16'd3) state_d = CLOSE;
        CLOSE: begin
          bad_d   = 1'b1;
          state_d = HUNT;
        end
        default: state_d = HUNT;
      endcase
    end else if (inside_frame && silent_q == TIMEOUT) begin
      bad_d    = 1'b1;
      code_d   = STOPPED;
      escape_d = 1'b0;
      state_d  = HUNT;
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      state_q      <= HUNT;
      byte_valid_q <= 1'b0;
      good_q       <= 1'b0;
      bad_q        <= 1'b0;
      escape_q     <= 1'b0;
    end else begin
      state_q      <= state_d;
      byte_valid_q <= byte_valid_d;
      good_q       <= good_d;
      bad_q        <= bad_d;
      escape_q     <= escape_d;
    end
    length_q     <= length_d;
    index_q      <= index_d;
    crc_q        <= crc_d;
    silent_q     <= silent_d;
    code_q       <= code_d;
    byte_q       <= plain;
    byte_index_q <= index_q;
  end

  assign byte_valid_o = byte_valid_q;
  assign byte_o = byte_q;
  assign index_o = byte_index_q;
  assign length_o = length_q;
  assign good_o = good_q;
  assign bad_o = bad_q;
  assign code_o = code_q;
endmodule

`default_nettype wire
