"""Names the inputs of a file that takes the cells of a row by the names of their fields."""

from __future__ import annotations

import keyword
import re
from collections.abc import Container, Iterable, Iterator

UNUSABLE = frozenset({*keyword.kwlist, "self"})
"""Names that arguments of Python functions, such as those that TensorFlow makes, cannot have."""


def input_names(
    labels: Iterable[tuple[str, int]],
    reserved: Iterable[str] = (),
    unusable: Container[str] = UNUSABLE,
) -> Iterator[str]:
    """Yield a name for each field, given its name in the document and the position of its first cell.

    An input is named after its field, with `_` for each run of characters other than ASCII letters, digits
    and `_`, and no `_` at the ends; or, if that does not begin with a letter, after the cell's position:
    `column_3`. `_` is added to unusable names, such as Python's keywords, and `_2`, `_3`, … to names that are
    taken or reserved, whether in upper or lower case.
    """
    taken = {name.lower() for name in reserved}
    for label, cell in labels:
        base = _argument_name(label, cell, unusable)
        name, count = base, 1
        while name.lower() in taken:  # TensorFlow rejects names that differ only in case
            count += 1
            name = f"{base}_{count}"
        taken.add(name.lower())
        yield name


def _argument_name(label: str, cell: int, unusable: Container[str]) -> str:
    """Return a name that TensorFlow, ONNX and C allow."""
    name = re.sub(r"\W+", "_", label, flags=re.ASCII).strip("_")
    if not name[:1].isalpha():
        return f"column_{cell}"
    return f"{name}_" if name in unusable else name
