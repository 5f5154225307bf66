"""Runs an artifact in a fresh process, and compares it with the interpreter."""
