// Writes everything that the core writes into trace.txt, one record a line; simulation only.
//
// A record is: kind, cycle, context (always 0 with one stream), then numbers in decimal and data in
// hexadecimal (lane 0 rightmost).
//   S ctx stream pos token sampled   a token starts in a context
//   E ctx tile data        embedding            V ctx step tile data   result of a program step
//   P ctx slot tile data   probabilities        R ctx slot mant exp    reciprocal of their sum
//   N ctx mant exp         norm scalar          G ctx tile data        noise
//   T ctx token            the sampled token    Z                      the end of a reset
// activity.txt says what the cycles are spent on, a line where that changes: cycle, cause of
// hdl/top/counters.sv (7: not busy), step.
// Nothing is recorded during reset: before its first edge registers hold anything.
// An X in the data is printed as x and never equals a number.
`default_nettype none

module trace_writer #(
    parameter integer start_w = 1,
    parameter integer start_ctx_w = 1,
    parameter integer start_stream_w = 1,
    parameter integer start_token_w = 1,
    parameter integer start_pos_w = 1,
    parameter integer start_sampled_w = 1,
    parameter integer embed_valid_w = 1,
    parameter integer embed_ctx_w = 1,
    parameter integer embed_tile_w = 1,
    parameter integer embed_data_w = 1,
    parameter integer valid_w = 1,
    parameter integer ctx_w = 1,
    parameter integer step_w = 1,
    parameter integer tile_w = 1,
    parameter integer data_w = 1,
    parameter integer qkv_valid_w = 1,
    parameter integer qkv_ctx_w = 1,
    parameter integer qkv_step_w = 1,
    parameter integer qkv_tile_w = 1,
    parameter integer qkv_data_w = 1,
    parameter integer prob_valid_w = 1,
    parameter integer prob_ctx_w = 1,
    parameter integer prob_slot_w = 1,
    parameter integer prob_tile_w = 1,
    parameter integer prob_data_w = 1,
    parameter integer recip_valid_w = 1,
    parameter integer recip_ctx_w = 1,
    parameter integer recip_slot_w = 1,
    parameter integer recip_mant_w = 1,
    parameter integer recip_exp_w = 1,
    parameter integer norm_valid_w = 1,
    parameter integer norm_ctx_w = 1,
    parameter integer norm_mant_w = 1,
    parameter integer norm_exp_w = 1,
    parameter integer noise_valid_w = 1,
    parameter integer noise_ctx_w = 1,
    parameter integer noise_tile_w = 1,
    parameter integer noise_data_w = 1,
    parameter integer token_valid_w = 1,
    parameter integer token_ctx_w = 1,
    parameter integer token_w = 1,
    parameter integer busy_w = 1,
    parameter integer cause_w = 1,
    parameter integer at_step_w = 1
) (
    input wire clk_i,
    input wire rst_i,
    input wire [start_w-1:0] start_i,
    input wire [start_ctx_w-1:0] start_ctx_i,
    input wire [start_stream_w-1:0] start_stream_i,
    input wire [start_token_w-1:0] start_token_i,
    input wire [start_pos_w-1:0] start_pos_i,
    input wire [start_sampled_w-1:0] start_sampled_i,
    input wire [embed_valid_w-1:0] embed_valid_i,
    input wire [embed_ctx_w-1:0] embed_ctx_i,
    input wire [embed_tile_w-1:0] embed_tile_i,
    input wire [embed_data_w-1:0] embed_data_i,
    input wire [valid_w-1:0] valid_i,
    input wire [ctx_w-1:0] ctx_i,
    input wire [step_w-1:0] step_i,
    input wire [tile_w-1:0] tile_i,
    input wire [data_w-1:0] data_i,
    input wire [qkv_valid_w-1:0] qkv_valid_i,
    input wire [qkv_ctx_w-1:0] qkv_ctx_i,
    input wire [qkv_step_w-1:0] qkv_step_i,
    input wire [qkv_tile_w-1:0] qkv_tile_i,
    input wire [qkv_data_w-1:0] qkv_data_i,
    input wire [prob_valid_w-1:0] prob_valid_i,
    input wire [prob_ctx_w-1:0] prob_ctx_i,
    input wire [prob_slot_w-1:0] prob_slot_i,
    input wire [prob_tile_w-1:0] prob_tile_i,
    input wire [prob_data_w-1:0] prob_data_i,
    input wire [recip_valid_w-1:0] recip_valid_i,
    input wire [recip_ctx_w-1:0] recip_ctx_i,
    input wire [recip_slot_w-1:0] recip_slot_i,
    input wire [recip_mant_w-1:0] recip_mant_i,
    input wire [recip_exp_w-1:0] recip_exp_i,
    input wire [norm_valid_w-1:0] norm_valid_i,
    input wire [norm_ctx_w-1:0] norm_ctx_i,
    input wire [norm_mant_w-1:0] norm_mant_i,
    input wire [norm_exp_w-1:0] norm_exp_i,
    input wire [noise_valid_w-1:0] noise_valid_i,
    input wire [noise_ctx_w-1:0] noise_ctx_i,
    input wire [noise_tile_w-1:0] noise_tile_i,
    input wire [noise_data_w-1:0] noise_data_i,
    input wire [token_valid_w-1:0] token_valid_i,
    input wire [token_ctx_w-1:0] token_ctx_i,
    input wire [token_w-1:0] token_i,
    input wire [busy_w-1:0] busy_i,
    input wire [cause_w-1:0] cause_i,
    input wire [at_step_w-1:0] at_step_i
);
  integer file, activity;
  reg [at_step_w+2:0] now, shown;
  integer cycle;
  reg begun;  // the first reset is over
  reg resetting;

  initial begin
    file      = $fopen("trace.txt", "w");
    cycle     = 0;
    begun     = 1'b0;
    resetting = 1'b0;
    activity  = $fopen("activity.txt", "w");
    shown     = {(at_step_w + 3) {1'b1}};
  end

  always_comb now = busy_i ? {at_step_i, cause_i} : {{at_step_w{1'b0}}, 3'd7};

  always @(posedge clk_i) begin
    cycle     <= cycle + 1;
    resetting <= rst_i;
    if (!rst_i) begin
      begun <= 1'b1;
      if (now != shown) begin
        $fwrite(activity, "%0d %0d %0d\n", cycle, now[2:0], now[at_step_w+2:3]);
      end
      shown <= now;
      if (begun && resetting) $fwrite(file, "Z %0d 0\n", cycle);
      if (start_i) begin
        $fwrite(file, "S %0d %0d %0d %0d %0d %0d\n", cycle, start_ctx_i, start_stream_i, start_pos_i, start_token_i, start_sampled_i);
      end
      if (embed_valid_i) $fwrite(file, "E %0d %0d %0d %h\n", cycle, embed_ctx_i, embed_tile_i, embed_data_i);
      if (norm_valid_i) $fwrite(file, "N %0d %0d %0d %0d\n", cycle, norm_ctx_i, norm_mant_i, norm_exp_i);
      if (qkv_valid_i) $fwrite(file, "V %0d %0d %0d %0d %h\n", cycle, qkv_ctx_i, qkv_step_i, qkv_tile_i, qkv_data_i);
      if (valid_i) $fwrite(file, "V %0d %0d %0d %0d %h\n", cycle, ctx_i, step_i, tile_i, data_i);
      if (prob_valid_i) $fwrite(file, "P %0d %0d %0d %0d %h\n", cycle, prob_ctx_i, prob_slot_i, prob_tile_i, prob_data_i);
      if (recip_valid_i) begin
        $fwrite(file, "R %0d %0d %0d %0d %0d\n", cycle, recip_ctx_i, recip_slot_i, recip_mant_i, recip_exp_i);
      end
      if (noise_valid_i) $fwrite(file, "G %0d %0d %0d %h\n", cycle, noise_ctx_i, noise_tile_i, noise_data_i);
      if (token_valid_i) begin
        $fwrite(file, "T %0d %0d %0d\n", cycle, token_ctx_i, token_i);
        $fflush(file);
      end
    end
  end
endmodule

`default_nettype wire
