"""From a document to an artifact: the frontend, the passes and a target in a row."""
