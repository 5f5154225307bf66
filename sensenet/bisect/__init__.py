"""Finds the pass, and the rewrite, that makes a graph answer otherwise: `python -m sensenet.bisect`."""
