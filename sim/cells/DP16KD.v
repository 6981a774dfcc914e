// Simulation model of the ECP5 block RAM, 1024 x 18 bits: what Yosys' netlists use of it.
//
// Widths 1, 2, 4, 9, 18 on both ports, or 36 (pseudo dual port: A writes, B reads; A has the lower
// half of the data). With 18 and 36 bits the lowest address bits enable the bytes of 9 bits. A word
// that one port writes is undefined for the other one in that cycle. REGMODE OUTREG adds a register
// with the enable OCE. Chip selects and resets must be low. Source: Lattice FPGA-TN-02204 (memory
// usage guide), and how Yosys maps memories to the block.
`timescale 1ns / 1ps

module DP16KD (
    input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5,
        DIA4, DIA3, DIA2, DIA1, DIA0,
    input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
    output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
        DOA4, DOA3, DOA2, DOA1, DOA0,
    input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5,
        DIB4, DIB3, DIB2, DIB1, DIB0,
    input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
    output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
        DOB4, DOB3, DOB2, DOB1, DOB0
);
  parameter DATA_WIDTH_A = 18;
  parameter REGMODE_A = "NOREG";
  parameter CSDECODE_A = "0b000";
  parameter WRITEMODE_A = "NORMAL";
  parameter CLKAMUX = "CLKA";
  parameter DATA_WIDTH_B = 18;
  parameter REGMODE_B = "NOREG";
  parameter CSDECODE_B = "0b000";
  parameter WRITEMODE_B = "NORMAL";
  parameter CLKBMUX = "CLKB";
  parameter RESETMODE = "SYNC";
  parameter ASYNC_RESET_RELEASE = "SYNC";
  parameter GSR = "ENABLED";
  parameter INIT_DATA = "STATIC";
  parameter [319:0] INITVAL_00 = 320'd0;
  parameter [319:0] INITVAL_01 = 320'd0;
  parameter [319:0] INITVAL_02 = 320'd0;
  parameter [319:0] INITVAL_03 = 320'd0;
  parameter [319:0] INITVAL_04 = 320'd0;
  parameter [319:0] INITVAL_05 = 320'd0;
  parameter [319:0] INITVAL_06 = 320'd0;
  parameter [319:0] INITVAL_07 = 320'd0;
  parameter [319:0] INITVAL_08 = 320'd0;
  parameter [319:0] INITVAL_09 = 320'd0;
  parameter [319:0] INITVAL_0A = 320'd0;
  parameter [319:0] INITVAL_0B = 320'd0;
  parameter [319:0] INITVAL_0C = 320'd0;
  parameter [319:0] INITVAL_0D = 320'd0;
  parameter [319:0] INITVAL_0E = 320'd0;
  parameter [319:0] INITVAL_0F = 320'd0;
  parameter [319:0] INITVAL_10 = 320'd0;
  parameter [319:0] INITVAL_11 = 320'd0;
  parameter [319:0] INITVAL_12 = 320'd0;
  parameter [319:0] INITVAL_13 = 320'd0;
  parameter [319:0] INITVAL_14 = 320'd0;
  parameter [319:0] INITVAL_15 = 320'd0;
  parameter [319:0] INITVAL_16 = 320'd0;
  parameter [319:0] INITVAL_17 = 320'd0;
  parameter [319:0] INITVAL_18 = 320'd0;
  parameter [319:0] INITVAL_19 = 320'd0;
  parameter [319:0] INITVAL_1A = 320'd0;
  parameter [319:0] INITVAL_1B = 320'd0;
  parameter [319:0] INITVAL_1C = 320'd0;
  parameter [319:0] INITVAL_1D = 320'd0;
  parameter [319:0] INITVAL_1E = 320'd0;
  parameter [319:0] INITVAL_1F = 320'd0;
  parameter [319:0] INITVAL_20 = 320'd0;
  parameter [319:0] INITVAL_21 = 320'd0;
  parameter [319:0] INITVAL_22 = 320'd0;
  parameter [319:0] INITVAL_23 = 320'd0;
  parameter [319:0] INITVAL_24 = 320'd0;
  parameter [319:0] INITVAL_25 = 320'd0;
  parameter [319:0] INITVAL_26 = 320'd0;
  parameter [319:0] INITVAL_27 = 320'd0;
  parameter [319:0] INITVAL_28 = 320'd0;
  parameter [319:0] INITVAL_29 = 320'd0;
  parameter [319:0] INITVAL_2A = 320'd0;
  parameter [319:0] INITVAL_2B = 320'd0;
  parameter [319:0] INITVAL_2C = 320'd0;
  parameter [319:0] INITVAL_2D = 320'd0;
  parameter [319:0] INITVAL_2E = 320'd0;
  parameter [319:0] INITVAL_2F = 320'd0;
  parameter [319:0] INITVAL_30 = 320'd0;
  parameter [319:0] INITVAL_31 = 320'd0;
  parameter [319:0] INITVAL_32 = 320'd0;
  parameter [319:0] INITVAL_33 = 320'd0;
  parameter [319:0] INITVAL_34 = 320'd0;
  parameter [319:0] INITVAL_35 = 320'd0;
  parameter [319:0] INITVAL_36 = 320'd0;
  parameter [319:0] INITVAL_37 = 320'd0;
  parameter [319:0] INITVAL_38 = 320'd0;
  parameter [319:0] INITVAL_39 = 320'd0;
  parameter [319:0] INITVAL_3A = 320'd0;
  parameter [319:0] INITVAL_3B = 320'd0;
  parameter [319:0] INITVAL_3C = 320'd0;
  parameter [319:0] INITVAL_3D = 320'd0;
  parameter [319:0] INITVAL_3E = 320'd0;
  parameter [319:0] INITVAL_3F = 320'd0;

  localparam [64*320-1:0] INIT = {INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B,
      INITVAL_3A, INITVAL_39, INITVAL_38, INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34,
      INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30, INITVAL_2F, INITVAL_2E, INITVAL_2D,
      INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28, INITVAL_27, INITVAL_26,
      INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20, INITVAL_1F,
      INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18,
      INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11,
      INITVAL_10, INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A,
      INITVAL_09, INITVAL_08, INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03,
      INITVAL_02, INITVAL_01, INITVAL_00};

  reg [17:0] mem[0:1023];
  integer row;
  initial begin
    for (row = 0; row < 1024; row = row + 1) mem[row] = INIT[(row/16)*320+(row%16)*20+:18];
  end

  localparam PSEUDO = DATA_WIDTH_A == 36;

  wire [17:0] dia = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7,
      DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
  wire [17:0] dib = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7,
      DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0};
  wire [13:0] ada = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2,
      ADA1, ADA0};
  wire [13:0] adb = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2,
      ADB1, ADB0};

  // bits of its row of 18 that an access of `width` bits at `address` touches
  function [17:0] touched(input integer width, input [3:0] address);
    case (width)
      1: touched = 18'd1 << (address[3] ? 9 + address[2:0] : address[2:0]);
      2: touched = 18'd3 << (address[3] ? 9 + 2 * address[2:1] : 2 * address[2:1]);
      4: touched = 18'd15 << (address[3] ? 9 + 4 * address[2] : 4 * address[2]);
      9: touched = address[3] ? 18'h3fe00 : 18'h001ff;
      default: touched = 18'h3ffff;
    endcase
  endfunction

  // data at the right end of a word to its place in the row, and back
  function [17:0] placed(input integer width, input [3:0] address, input [17:0] data);
    case (width)
      1: placed = data << (address[3] ? 9 + address[2:0] : address[2:0]);
      2: placed = data << (address[3] ? 9 + 2 * address[2:1] : 2 * address[2:1]);
      4: placed = data << (address[3] ? 9 + 4 * address[2] : 4 * address[2]);
      9: placed = address[3] ? data << 9 : data;
      default: placed = data;
    endcase
  endfunction

  function [17:0] taken(input integer width, input [3:0] address, input [17:0] word);
    case (width)
      1: taken = (word >> (address[3] ? 9 + address[2:0] : address[2:0])) & 18'd1;
      2: taken = (word >> (address[3] ? 9 + 2 * address[2:1] : 2 * address[2:1])) & 18'd3;
      4: taken = (word >> (address[3] ? 9 + 4 * address[2] : 4 * address[2])) & 18'd15;
      9: taken = address[3] ? word >> 9 : word & 18'h001ff;
      default: taken = word;
    endcase
  endfunction

  function [17:0] bytes(input [1:0] enable);
    bytes = {{9{enable[1]}}, {9{enable[0]}}};
  endfunction

  // what each port writes: bits of a row, or of two rows in pseudo dual port
  wire write_a = CEA && WEA;
  wire write_b = CEB && WEB && !PSEUDO;
  wire [17:0] mask_a = !write_a ? 18'd0 : PSEUDO || DATA_WIDTH_A == 18 ? bytes(ada[1:0])
      : touched(DATA_WIDTH_A, ada[3:0]);
  wire [17:0] mask_high = write_a && PSEUDO ? bytes(ada[3:2]) : 18'd0;
  wire [17:0] mask_b = !write_b ? 18'd0 : DATA_WIDTH_B == 18 ? bytes(adb[1:0])
      : touched(DATA_WIDTH_B, adb[3:0]);
  wire [9:0] row_a = PSEUDO ? {ada[13:5], 1'b0} : ada[13:4];
  wire [9:0] row_b = DATA_WIDTH_B == 36 ? {adb[13:5], 1'b0} : adb[13:4];
  wire [17:0] data_a = placed(DATA_WIDTH_A, ada[3:0], dia);
  wire [17:0] data_b = placed(DATA_WIDTH_B, adb[3:0], dib);

  // bits of a row that the other port writes now
  function [17:0] by_a(input [9:0] which);
    by_a = (which == row_a ? mask_a : 18'd0)
        | (PSEUDO && which == (row_a | 10'd1) ? mask_high : 18'd0);
  endfunction
  function [17:0] by_b(input [9:0] which);
    by_b = which == row_b ? mask_b : 18'd0;
  endfunction
  function [17:0] unknown(input [17:0] word, input [17:0] mask);
    integer place;
    for (place = 0; place < 18; place = place + 1) begin
      unknown[place] = mask[place] ? 1'bx : word[place];
    end
  endfunction

  reg [17:0] read_a, read_b, low_b;  // low_b: lower half of 36 bits
  reg [17:0] out_a, out_b, out_low;
  initial begin
    read_a = 18'd0;
    read_b = 18'd0;
    low_b  = 18'd0;
    out_a  = 18'd0;
    out_b  = 18'd0;
    out_low = 18'd0;
  end

  always @(posedge CLKA) begin
    if (write_a) begin
      mem[row_a] <= (mem[row_a] & ~mask_a) | (data_a & mask_a);
      if (PSEUDO) begin
        mem[row_a|10'd1] <= (mem[row_a|10'd1] & ~mask_high) | (dib & mask_high);
      end
    end
    if (CEA && !PSEUDO) begin
      if (!WEA || WRITEMODE_A == "READBEFOREWRITE") begin
        read_a <= taken(DATA_WIDTH_A, ada[3:0], unknown(mem[row_a], by_b(row_a)));
      end else if (WRITEMODE_A == "WRITETHROUGH") begin
        read_a <= taken(DATA_WIDTH_A, ada[3:0], (mem[row_a] & ~mask_a) | (data_a & mask_a));
      end
    end
    if (OCEA) out_a <= read_a;
  end

  always @(posedge CLKB) begin
    if (write_b) mem[row_b] <= (mem[row_b] & ~mask_b) | (data_b & mask_b);
    if (CEB) begin
      if (DATA_WIDTH_B == 36) begin
        low_b  <= unknown(mem[row_b], by_a(row_b));
        read_b <= unknown(mem[row_b|10'd1], by_a(row_b | 10'd1));
      end else if (!WEB || WRITEMODE_B == "READBEFOREWRITE") begin
        read_b <= taken(DATA_WIDTH_B, adb[3:0], unknown(mem[row_b], by_a(row_b)));
      end else if (WRITEMODE_B == "WRITETHROUGH") begin
        read_b <= taken(DATA_WIDTH_B, adb[3:0], (mem[row_b] & ~mask_b) | (data_b & mask_b));
      end
    end
    if (OCEB) out_b <= read_b;
    if (OCEA && OCEB) out_low <= low_b;
  end

  wire [17:0] port_a = PSEUDO ? (REGMODE_A == "OUTREG" ? out_low : low_b)
      : (REGMODE_A == "OUTREG" ? out_a : read_a);
  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
      DOA4, DOA3, DOA2, DOA1, DOA0} = port_a;
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
      DOB4, DOB3, DOB2, DOB1, DOB0} = REGMODE_B == "OUTREG" ? out_b : read_b;

  always @(posedge CLKA) begin
    if (RSTA !== 1'b0 || {CSA2, CSA1, CSA0} !== 3'd0 || CLKAMUX != "CLKA"
        || CSDECODE_A != "0b000" || CSDECODE_B != "0b000") begin
      $display("DP16KD: port A is used in a way that the model does not have");
      $finish;
    end
  end
  always @(posedge CLKB) begin
    if (RSTB !== 1'b0 || {CSB2, CSB1, CSB0} !== 3'd0 || CLKBMUX != "CLKB") begin
      $display("DP16KD: port B is used in a way that the model does not have");
      $finish;
    end
  end
endmodule
