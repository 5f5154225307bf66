"""Predicts from the command line: `python -m sensenet.predict MODEL INPUT…`."""
