"""Post-training quantisation and the integer golden model; the spec is `docs/numerics.md`."""

from configs import blas

blas.one_thread()
