"""The float side: the transformer in NumPy, forward and backward by hand."""

from configs import blas

blas.one_thread()
