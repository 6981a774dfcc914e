// In place of hdl/top/controller.sv in proofs about what surrounds controllers: it asks for anything at
// any time.
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
    input  wire              s_axis_tvalid_i,
    output wire              s_axis_tready_o,
    input  wire [      15:0] s_axis_tdata_i,
    input  wire              s_axis_tlast_i,
    output wire              m_axis_tvalid_o,
    input  wire              m_axis_tready_i,
    output wire [      15:0] m_axis_tdata_o,
    output wire              m_axis_tlast_o,
    output wire              m_axis_tuser_o,
    input  wire [      15:0] max_tokens_i,
    input  wire [      15:0] stop_token_i,
    input  wire              stop_enable_i,
    input  wire [      15:0] temperature_i,
    input  wire [      31:0] seed_i,
    output wire              busy_o,
    output wire              host_o,
    output wire              start_o,
    input  wire              start_ready_i,
    input  wire              quiet_i,
    output wire              sampled_o,
    output wire [TokenW-1:0] token_o,
    output wire [  PosW-1:0] pos_o,
    output wire [CountW-1:0] pos_waves_o,
    output wire [  RowW-1:0] pos_row_o,
    output wire [ TileW-1:0] pos_tiles_o,
    output wire [  ColW-1:0] pos_col_o,
    output wire              seed_load_o,
    output wire [      31:0] seed_o,
    output wire [      15:0] temperature_o,
    input  wire              done_i,
    input  wire              next_valid_i,
    input  wire [TokenW-1:0] next_token_i
);
  localparam integer JobW = 2 + TokenW + PosW + CountW + RowW + TileW + ColW;
  (* anyseq *) wire [JobW-1:0] job;
  (* anyseq *) wire [70:0] others;
  assign {start_o, sampled_o, token_o, pos_o, pos_waves_o, pos_row_o, pos_tiles_o, pos_col_o} = job;
  assign {s_axis_tready_o, m_axis_tvalid_o, m_axis_tdata_o, m_axis_tlast_o, m_axis_tuser_o, busy_o,
      host_o, seed_load_o, seed_o, temperature_o} = others;
endmodule
