"""Simulation of the Verilog against the golden model, with cocotb on Icarus and Verilator."""

from configs import blas

blas.one_thread()
