// Reset of one clock domain: begins at once, ends on a clock edge, lasts a few cycles after power-up.
//
// Purpose   ok_i is low while the clock cannot be trusted or a button is pressed, at any time; rst_o
//           falls 4 cycles after it rose. The registers begin with zeros when the FPGA is loaded, so
//           there is a reset even where no button is.
// Does not  clean a bouncing button: each bounce is one more reset.
`default_nettype none

module reset_sync (
    input  wire clk_i,
    input  wire ok_i,  // asynchronous
    output wire rst_o
);
  reg [3:0] good_q;
  initial good_q = 4'd0;

  always_ff @(posedge clk_i or negedge ok_i) begin
    if (!ok_i) good_q <= 4'd0;
    else good_q <= {good_q[2:0], 1'b1};
  end

  assign rst_o = !good_q[3];
endmodule

`default_nettype wire
