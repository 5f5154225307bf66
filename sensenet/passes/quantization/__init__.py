"""Quantizes graphs to 8 bits: selects nodes, measures ranges, chooses scales, and rewrites the graph."""
