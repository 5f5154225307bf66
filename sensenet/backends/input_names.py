"""Names of inputs by which a file takes the cells of a row, after the names of fields in the document."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator

UNUSABLE = frozenset({*keyword.kwlist, "self"})
"""What cannot name an argument of a function of Python, as TensorFlow makes them."""


def input_names(labels: Iterable[tuple[str, int]], reserved: Iterable[str] = ()) -> Iterator[str]:
    """Yield a name for each field, given its name in the document and the position of its first cell.

    An input is named after its field, with `_` for each run of characters other than ASCII letters, digits
    and `_`, and none at the ends; `column_3`, by the position of the cell, if that does not begin with a
    letter. Keywords of Python and `self` are followed by `_`, and names that are taken or reserved, in any
    case of letters, by `_2`, `_3`, and so on.
    """
    taken = {name.lower() for name in reserved}
    for label, cell in labels:
        base = _argument_name(label, cell)
        name, count = base, 1
        while name.lower() in taken:  # TensorFlow distinguishes names by more than their case
            count += 1
            name = f"{base}_{count}"
        taken.add(name.lower())
        yield name


def _argument_name(label: str, cell: int) -> str:
    """Return a name that TensorFlow and ONNX allow, and that can be a keyword argument."""
    name = re.sub(r"\W+", "_", label, flags=re.ASCII).strip("_")
    if not name[:1].isalpha():
        return f"column_{cell}"
    return f"{name}_" if name in UNUSABLE else name
