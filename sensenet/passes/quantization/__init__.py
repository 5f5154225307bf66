"""Quantizing a graph to 8 bits: which nodes, the ranges of their values, scales, and the rewritten graph."""
