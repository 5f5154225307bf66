"""Reads a row from pairs `field=value` on the command line."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence

from sensenet.batches.table_files import find_format
from sensenet.errors import InputError
from sensenet.runtime.cells import find_repeated


def are_pairs(given: Sequence[str]) -> bool:
    """Return whether arguments are pairs; raise InputError if only some are."""
    pairs = [_is_pair(text) for text in given]
    if any(pairs) and not all(pairs):
        pair, other = given[pairs.index(True)], given[pairs.index(False)]
        raise InputError(f"expected pairs field=value, or files; found both: {pair!r:.60} and {other!r:.60}")
    return all(pairs)


def _is_pair(text: str) -> bool:
    """Return whether an argument is a pair, and neither a path, a glob nor the name of a table."""
    named = find_format(text) is not None or os.path.exists(text)
    return "=" in text[1:] and not named and not glob.glob(text, recursive=True)


def read_pairs(pairs: Sequence[str]) -> dict[str, str | None]:
    """Return the cells of a row by field name; no value is a missing one. Raises InputError for one twice."""
    split = [pair.split("=", 1) for pair in pairs]
    twice = find_repeated([name for name, _ in split])
    if twice is not None:
        raise InputError(f"the field {twice!r:.60} is given twice")
    return {name: value or None for name, value in split}
