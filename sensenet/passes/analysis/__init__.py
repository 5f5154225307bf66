"""Analyses of a graph that several passes share."""
