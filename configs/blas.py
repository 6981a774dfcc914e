"""How NumPy's BLAS is to run; each stage's package says so before NumPy is imported.

Our matrices are small: one thread beats two. Whatever the environment sets counts, as with
OPENBLAS_NUM_THREADS=2.
"""

from __future__ import annotations

import os

THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


def one_thread() -> None:
    """Ask for one thread where the environment does not say how many."""
    for name in THREADS:
        os.environ.setdefault(name, "1")
