"""The targets that NumPy runs, and the kernels that make it fast."""
