"""Finds the pass that makes answers differ, and a small graph that shows it."""
