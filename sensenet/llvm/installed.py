"""Whether LLVM can be loaded, without loading it."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import re

from sensenet.errors import BrokenPackageError, MissingPackageError

PACKAGE = "llvmlite"

EXTRA = "native"

PURPOSE = "machine code"

OLDEST = (0, 45)
"""The oldest version whose LLVM, 20, reads the modules that are written here. Numba may want an older one."""


def has_llvm() -> bool:
    """Return whether the package is installed, and new enough."""
    try:
        require_llvm()
    except MissingPackageError:
        return False
    return True


def require_llvm() -> None:
    """Raise MissingPackageError if the package is not installed, BrokenPackageError if it is too old."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None:
        raise MissingPackageError(PACKAGE, EXTRA, PURPOSE)
    version = _version_in(tuple(spec.submodule_search_locations or ()))
    if version is not None and version < OLDEST:
        found, oldest = (".".join(map(str, numbers)) for numbers in (version, OLDEST))
        raise BrokenPackageError(PACKAGE, EXTRA, PURPOSE, f"version {found}, expected {oldest} or newer")


@functools.cache
def _version_in(locations: tuple[str, ...]) -> tuple[int, int] | None:
    """Return the version by the name of the folder that pip writes next to a package; None without one.

    Importing the package, or what reads such folders, would take more of the time to a first row.
    """
    for location in locations:
        with contextlib.suppress(OSError):
            names = " ".join(os.listdir(os.path.dirname(location)))
            if found := re.search(rf"(?:^| ){PACKAGE}-(\d+)\.(\d+)\S*\.dist-info\b", names):
                return int(found[1]), int(found[2])
    return None
