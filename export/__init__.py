"""From the integer artefact to Verilog: layout, program, memory images, templates, manifest."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
