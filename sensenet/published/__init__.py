"""The names of the published package that are not names of sensenet."""
