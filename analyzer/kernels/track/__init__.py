"""Kernels that follow each connection, segment by segment."""
