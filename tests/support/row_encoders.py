"""Encoders of rows with three columns, and calls of them."""

from __future__ import annotations

import numpy as np

from sensenet.runtime.rows import row_encoder
from sensenet.runtime.tables import as_table
from sensenet.signature import (
    CategoricalColumn,
    Field,
    NumericColumn,
    Signature,
)

NAMES = ("petal length", "species", "petal width")
FIELDS = tuple(
    Field(id=f"00000{number}", name=name, optype="categorical" if name == "species" else "numeric")
    for number, name in enumerate(NAMES)
)
OBJECTIVE = Field(id="000009", name="color", optype="categorical")
COLUMNS = (
    NumericColumn(index=0, missing=1.5),
    CategoricalColumn(index=1, values=("a", "b", "1", "b", None, "1.0", "True", "None", "nan")),
    NumericColumn(index=2, missing=-2.0),
)
ENCODER = row_encoder(Signature(columns=COLUMNS, fields=FIELDS, objective=OBJECTIVE))
NAMELESS = row_encoder(Signature(columns=COLUMNS))


def encode(x, encoder=ENCODER):
    return encoder.encode(as_table(x, encoder.layout))


def encode_list(x, encoder=ENCODER):
    """Through both ways of encoding one row, which must agree."""
    table = encode(x, encoder)
    np.testing.assert_array_equal(encoder.encode_row(x), table)
    return table.tolist()[0]
