"""Forests as basic ops: the strategies, and which of them is the quickest for a forest."""
