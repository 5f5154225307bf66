"""Builds the nodes of the layers of documents: one builder per layer type."""
