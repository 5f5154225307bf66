"""Reads and writes the file formats that several targets share."""
