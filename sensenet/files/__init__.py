"""Reads and writes files and directories safely."""
