"""The float side: a decoder-only transformer in NumPy, forward and backward by hand.

Our matrices are small: one BLAS thread beats two. Set the variables yourself to override.
"""

import os

for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
