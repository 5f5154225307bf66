"""The name under which pip knows this package, which is not the name that Python imports, and its version."""

from __future__ import annotations

DISTRIBUTION = "sensenet-compiler"
"""On the index, `sensenet` is a package of others."""


def read_version() -> str:
    """Return the version of the installed distribution, or `0+unknown` if there is none."""
    from importlib import metadata  # takes 10 ms

    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "0+unknown"


def install_command(extra: str, *options: str) -> str:
    """Return the command that installs an extra."""
    return " ".join(["pip install", *options, f"'{DISTRIBUTION}[{extra}]'"])
