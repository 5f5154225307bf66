"""The encoder of rows in C: it writes the numbers that the runtime's encoder does, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from support.c_code import STANDARDS, encode_in_c, write_named_row, write_row
from support.conformance import DATA, is_error, read_recorded
from support.resources import MIXED_ROWS, RESOURCES
from support.row_encoders import encode

from sensenet.errors import SensenetError
from sensenet.models.create import create_model
from sensenet.runtime.rows import row_encoder
from sensenet.signature import Booleans, CategoricalColumn, Field, NumericColumn, Signature

ROWS = (*MIXED_ROWS, {"age": float("inf"), "cost": 1e-45, "color": "Red"})


@pytest.mark.parametrize("standard", STANDARDS)
def test_values_count_as_in_rows_by_name(tmp_path, standard):
    """Texts are counts of terms, a missing number is flagged or replaced, True is a category."""
    signature = create_model(RESOURCES["mixed"]()).signature
    rows = [write_named_row(signature, row) for row in ROWS]
    (found,) = encode_in_c(tmp_path, [(signature, rows)], standard)
    expected = encode(list(ROWS), row_encoder(signature))
    np.testing.assert_array_equal(found, expected)
    assert len({row.tobytes() for row in expected}) == len(ROWS)


def recorded_models():
    """The signatures and rows of the recorded documents of numbers and categories."""
    paths = [path for group in ("tabular", "real") for path in sorted((DATA / group).glob("*.json.gz"))]
    if not paths:
        pytest.skip(f"there are no recorded cases in {DATA}; set SENSENET_SHARED")
    for path in paths:
        record = read_recorded(path)
        try:
            signature = create_model(record["model"], record["settings"]).signature
        except SensenetError:
            continue
        if signature.image_columns or "construct_error" in record:
            continue
        answers = zip(record["inputs"], record["outputs"], strict=True)
        rows = [row for row, out in answers if not is_error(out) and len(row) == signature.row_width]
        width = signature.row_width
        yield path.name, signature, [*filter(are_readable, rows), [None] * width, *unknown_rows(signature)]


def are_readable(row):
    return all(isinstance(cell, int | float | str | None) and not isinstance(cell, bool) for cell in row)


def unknown_rows(signature):
    """A row of categories that are unknown, and numbers that are large."""
    row = [None] * signature.row_width
    for column in signature.columns:
        row[column.index] = "unknown" if isinstance(column, CategoricalColumn) else 3.4e38
    return [row]


@pytest.mark.slow
def test_recorded_rows_are_encoded_alike(tmp_path):
    names, signatures, rows = zip(*recorded_models(), strict=True)
    written = [
        (signature, [write_row(signature, without_tokens(signature, row)) for row in each])
        for signature, each in zip(signatures, rows, strict=True)
    ]
    found = encode_in_c(tmp_path, written)
    for name, signature, each, numbers in zip(names, signatures, rows, found, strict=True):
        expected = encode([without_tokens(signature, row) for row in each], row_encoder(signature))
        np.testing.assert_array_equal(numbers, expected, err_msg=name)
    assert sum(map(len, rows)) > 500


def without_tokens(signature, row):
    """A row by position has no tokens: they are categories."""
    tokens = signature.missing_tokens if signature.fields else ()
    return [None if cell in tokens else cell for cell in row]


@pytest.mark.parametrize("tokens", [(), ("NA", "", "a\0b")])
def test_categories(tmp_path, tokens):
    """The first of equal ones counts, None is a category, and no text of C has a zero byte."""
    values = ["7", "None", None, "7", "b\0c", "NA", "x\"\\??/'*/", "Käse"]
    fields = [Field(id=str(number), name="", optype="categorical") for number in (0, 1, 3)]
    flag = Field(id="2", name="", optype="categorical", encoding=Booleans(true="7", false="NA"))
    columns = [CategoricalColumn(index=index, values=values) for index in range(3)]
    columns.append(CategoricalColumn(index=3, values=["\0"]))
    fields.insert(2, flag)
    signature = Signature(columns=columns, fields=fields, missing_tokens=tokens)
    texts = [None, "7", "7.0", "None", "b", "NA", "", "x\"\\??/'*/", "Käse", "true", "fALSE"]
    rows = [write_row(signature, [text] * 4) for text in texts]
    (found,) = encode_in_c(tmp_path, [(signature, rows)])
    named = [{field.id: text for field in signature.fields} for text in texts]
    np.testing.assert_array_equal(found, encode(named, row_encoder(signature)))


def test_cells_without_fields_are_compared_as_they_are(tmp_path):
    columns = [
        NumericColumn(index=-1, missing=-2.5),
        CategoricalColumn(index=0, values=["1", "NA"]),
        NumericColumn(index=0, missing=1e-40),
        NumericColumn(index=1, missing=3.4028234e38),
    ]
    signature = Signature(columns=columns, missing_tokens=["NA"])
    rows = [['"1"', "1.0f", "NAN"], ['"1.0"', "NAN", "-0.0f"], ["NULL", "NAN", "2.0f"], ['"NA"', "0", "0"]]
    (found,) = encode_in_c(tmp_path, [(signature, rows)])
    expected = np.float32(
        [[-2.5, 0, 1, 3.4028234e38], [-0.0, -1, 1e-40, -0.0], [2, -1, 1e-40, 2], [0, 1, 0, 0]]
    )
    np.testing.assert_array_equal(found.view(np.uint32), expected.view(np.uint32))
