"""Reads the meaning of a network's outputs: `output_exposition` (SPEC §5)."""

from __future__ import annotations

from sensenet.frontend.emit import emit
from sensenet.frontend.json.cursor import Cursor, checked_text
from sensenet.ir.graph import Value
from sensenet.ir.ops.tabular import Destandardize
from sensenet.ir.types import Tensor
from sensenet.records import frozen

WITH_CLASSES = ("categorical", "bounding_box")
NUMERIC = "numeric"


@frozen(kw_only=True, eq=False, repr=False)
class Exposition:
    """The classes of a classification, or the statistics of a regression."""

    cursor: Cursor
    type: str

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes in order; none for a regression. A number or null becomes text."""
        if self.type == NUMERIC:
            return ()
        values = self.cursor.require("values")
        return tuple(
            checked_text(entry.value, entry.path) if isinstance(entry.value, str) else _spell(entry)
            for entry in values.items()
        )

    def destandardize(self, value: Value, name: str) -> Value:
        """Return value · stdev + mean, for a regression; raises DocumentError without statistics."""
        if self.type != NUMERIC:
            return value
        mean, stdev = (Tensor.float32(self.cursor.require(key).number()) for key in ("mean", "stdev"))
        return emit(self.cursor, Destandardize(mean=mean, stdev=stdev), value, name=name)


def read_exposition(network: Cursor) -> Exposition:
    """Return the exposition of a network, or of the first network of an ensemble.

    Raises DocumentError if there is none.
    """
    cursor = network["output_exposition"]
    if not cursor.present and network["networks"].present:
        for part in network["networks"].items()[:1]:
            cursor = part["output_exposition"]
    if not cursor.present:
        raise network.error("output_exposition is missing, which describes the outputs")
    return Exposition(cursor=cursor, type=cursor.require("type").choice(NUMERIC, *WITH_CLASSES))


def _spell(entry: Cursor) -> str:
    if isinstance(entry.value, list | tuple | dict):
        raise entry.expected("the name of a class")
    return str(entry.value)
