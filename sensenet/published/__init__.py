"""The names of the published package, for programs that were written for it."""
