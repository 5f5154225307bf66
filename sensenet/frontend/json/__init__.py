"""Reads the JSON of documents, and keeps the JSON path of each value."""
