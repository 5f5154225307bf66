"""Models that a caller holds: `wrappers.create_model` makes them from documents and from saved artifacts."""
