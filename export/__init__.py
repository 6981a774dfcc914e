"""From the integer artefact to Verilog: layout, program, memory images, templates, manifest."""

from configs import blas

blas.one_thread()
