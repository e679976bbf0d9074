"""Kernels that find TCP segments and ICMP errors in captured bytes."""
