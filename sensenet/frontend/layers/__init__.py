"""The layers of documents: one builder a type."""
