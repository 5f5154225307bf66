"""Compiles a document to an artifact: runs the frontend, the passes and a target."""
