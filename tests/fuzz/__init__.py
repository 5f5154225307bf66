"""Fuzzers: damaged files of every format, opened in child processes with a limit on memory and time."""
