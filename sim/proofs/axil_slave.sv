// axil_slave: each address with each data, in the order in which they come, is one write and one
// answer behind it; each read address is one answer with what its register said; answers are held
// until they are taken, and come in the next cycle but one where nothing is in the way.
module prove_axil_slave (
    input logic        clk_i,
    input logic        rst_i,
    input logic [ 5:0] s_axil_awaddr,
    input logic        s_axil_awvalid,
    input logic [31:0] s_axil_wdata,
    input logic [ 3:0] s_axil_wstrb,
    input logic        s_axil_wvalid,
    input logic        s_axil_bready,
    input logic [ 5:0] s_axil_araddr,
    input logic        s_axil_arvalid,
    input logic        s_axil_rready,
    input logic        werror_i,
    input logic [31:0] rdata_i,
    input logic        rerror_i
);
  logic s_axil_awready, s_axil_wready, s_axil_bvalid, s_axil_arready, s_axil_rvalid, write_o;
  logic [1:0] s_axil_bresp, s_axil_rresp;
  logic [31:0] s_axil_rdata, wdata_o;
  logic [3:0] waddr_o, wstrb_o, raddr_o;
  axil_slave #(.AddrW(6)) u_dut (.*);

  wire aw = s_axil_awvalid && s_axil_awready;
  wire w = s_axil_wvalid && s_axil_wready;
  wire b = s_axil_bvalid && s_axil_bready;
  wire ar = s_axil_arvalid && s_axil_arready;
  wire r = s_axil_rvalid && s_axil_rready;
  logic clean = 1'b0;
  // what was taken and is not yet carried out or answered
  logic have_addr = 1'b0, have_data = 1'b0, have_read = 1'b0, owe_b = 1'b0, owe_r = 1'b0;
  logic [3:0] waddr = '0, raddr = '0, strobes = '0;
  logic [31:0] data = '0, rdata = '0;
  logic berror = 1'b0, rerror = 1'b0;
  wire reads = have_read && !owe_r;  // the register answers in this cycle
  always_ff @(posedge clk_i) begin
    clean <= clean || rst_i;
    if (aw) waddr <= s_axil_awaddr[5:2];
    if (w) {data, strobes} <= {s_axil_wdata, s_axil_wstrb};
    if (ar) raddr <= s_axil_araddr[5:2];
    if (write_o) berror <= werror_i;
    if (reads) {rdata, rerror} <= {rdata_i, rerror_i};
    if (rst_i) {have_addr, have_data, have_read, owe_b, owe_r} <= '0;
    else begin
      have_addr <= aw || (have_addr && !write_o);
      have_data <= w || (have_data && !write_o);
      have_read <= ar || (have_read && !reads);
      owe_b <= write_o || (owe_b && !b);
      owe_r <= reads || (owe_r && !r);
    end
  end
  always_comb begin
    if (!clean) assume (rst_i);
    if (clean) begin
      // a write is carried out once both parts are there and the answer before has been taken
      assert (write_o == (have_addr && have_data && !owe_b));
      if (have_addr) assert (waddr_o == waddr);
      if (have_data) assert (wdata_o == data && wstrb_o == strobes);
      assert (s_axil_bvalid == owe_b && s_axil_rvalid == owe_r);
      if (owe_b) assert (s_axil_bresp == {berror, 1'b0});
      if (owe_r) assert (s_axil_rresp == {rerror, 1'b0} && s_axil_rdata == rdata);
      if (have_read) assert (raddr_o == raddr);
      // nothing is taken that there is no place for, and a place is offered
      assert (s_axil_awready == !have_addr && s_axil_wready == !have_data);
      assert (s_axil_arready == !have_read);
    end
    cover (clean && owe_b && have_addr && have_data && berror);
    cover (clean && owe_r && have_read && rerror);
  end
endmodule
