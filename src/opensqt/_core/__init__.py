"""Compiled kernels: integer books, lattices, matching and message decoding; no I/O, no policy."""
