"""Names of the published package that sensenet provides for its clients."""
