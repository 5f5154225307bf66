"""Encodes rows and images as tensors, and decodes tensors to answers."""
