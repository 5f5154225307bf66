"""The models of the public API, created from documents and saved artifacts by `create_model`."""
