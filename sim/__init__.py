"""Simulation of the Verilog against the golden model, with cocotb on Icarus and Verilator."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
