"""Starts the command `sensenet`: Ctrl-C during the imports of all others ends it silently, too."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    try:
        from sensenet.cli.sensenet import main

        return main(arguments)
    except KeyboardInterrupt:
        return 130
