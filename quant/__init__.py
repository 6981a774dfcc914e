"""Post-training quantisation and the integer golden model; the spec is `docs/numerics.md`."""

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
