"""The JSON of documents: reading it, and where in it something is."""
