"""Predicts from the command line: `sensenet predict MODEL INPUT…`."""
