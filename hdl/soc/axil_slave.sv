// AXI4-Lite slave: accesses of a bus become reads and writes of registers.
//
// Params    AddrW  width of an address in bytes; data are 32 bits
// Bus       address and data of a write may come in any order; one write and one read are under way at
//           a time. The lowest two address bits are ignored.
// Registers write_o for one cycle with waddr_o (in words), wdata_o, wstrb_o; raddr_o with the answer
//           rdata_i in the same cycle. werror_i and rerror_i, in that cycle, make the answer SLVERR.
// Latency   two cycles from a request to its answer.
// Does not  know any register.
`default_nettype none

module axil_slave #(
    parameter integer AddrW = 10
) (
    input  wire             clk_i,
    input  wire             rst_i,
    // AXI4-Lite
    input  wire [AddrW-1:0] s_axil_awaddr,
    input  wire             s_axil_awvalid,
    output wire             s_axil_awready,
    input  wire [     31:0] s_axil_wdata,
    input  wire [      3:0] s_axil_wstrb,
    input  wire             s_axil_wvalid,
    output wire             s_axil_wready,
    output wire [      1:0] s_axil_bresp,
    output wire             s_axil_bvalid,
    input  wire             s_axil_bready,
    input  wire [AddrW-1:0] s_axil_araddr,
    input  wire             s_axil_arvalid,
    output wire             s_axil_arready,
    output wire [     31:0] s_axil_rdata,
    output wire [      1:0] s_axil_rresp,
    output wire             s_axil_rvalid,
    input  wire             s_axil_rready,
    // registers
    output wire             write_o,
    output wire [AddrW-3:0] waddr_o,
    output wire [     31:0] wdata_o,
    output wire [      3:0] wstrb_o,
    input  wire             werror_i,
    output wire [AddrW-3:0] raddr_o,
    input  wire [     31:0] rdata_i,
    input  wire             rerror_i
);
  reg have_addr_q, have_data_q, have_read_q;
  reg bvalid_q, berror_q, rvalid_q, rerror_q;
  reg [AddrW-3:0] waddr_q, raddr_q;
  reg [31:0] wdata_q, rdata_q;
  reg [3:0] wstrb_q;

  wire write = have_addr_q && have_data_q && !bvalid_q;
  wire read = have_read_q && !rvalid_q;

  always_ff @(posedge clk_i) begin
    if (s_axil_awvalid && s_axil_awready) waddr_q <= s_axil_awaddr[AddrW-1:2];
    if (s_axil_wvalid && s_axil_wready) begin
      wdata_q <= s_axil_wdata;
      wstrb_q <= s_axil_wstrb;
    end
    if (s_axil_arvalid && s_axil_arready) raddr_q <= s_axil_araddr[AddrW-1:2];
    if (write) berror_q <= werror_i;
    if (read) begin
      rdata_q  <= rdata_i;
      rerror_q <= rerror_i;
    end
    if (rst_i) begin
      have_addr_q <= 1'b0;
      have_data_q <= 1'b0;
      have_read_q <= 1'b0;
      bvalid_q    <= 1'b0;
      rvalid_q    <= 1'b0;
    end else begin
      if (write) have_addr_q <= 1'b0;
      else if (s_axil_awvalid) have_addr_q <= 1'b1;
      if (write) have_data_q <= 1'b0;
      else if (s_axil_wvalid) have_data_q <= 1'b1;
      if (read) have_read_q <= 1'b0;
      else if (s_axil_arvalid) have_read_q <= 1'b1;
      if (write) bvalid_q <= 1'b1;
      else if (s_axil_bready) bvalid_q <= 1'b0;
      if (read) rvalid_q <= 1'b1;
      else if (s_axil_rready) rvalid_q <= 1'b0;
    end
  end

  assign s_axil_awready = !have_addr_q;
  assign s_axil_wready = !have_data_q;
  assign s_axil_arready = !have_read_q;
  assign s_axil_bvalid = bvalid_q;
  assign s_axil_bresp = {berror_q, 1'b0};
  assign s_axil_rvalid = rvalid_q;
  assign s_axil_rresp = {rerror_q, 1'b0};
  assign s_axil_rdata = rdata_q;
  assign write_o = write;
  assign waddr_o = waddr_q;
  assign wdata_o = wdata_q;
  assign wstrb_o = wstrb_q;
  assign raddr_o = raddr_q;
  wire unused = &{1'b0, s_axil_awaddr[1:0], s_axil_araddr[1:0]};
endmodule

`default_nettype wire
