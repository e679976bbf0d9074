"""How kernels are registered, compiled and kept."""
