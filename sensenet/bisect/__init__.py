"""Finds the pass, and the rewrite, that makes a graph answer otherwise: `sensenet bisect`."""
