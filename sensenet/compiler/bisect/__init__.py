"""Finds the pass that changes answers, and a small graph that shows the fault."""
