"""Rows in JavaScript: `model.encode` of the target wasm makes the same numbers as the encoder in Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.documents import FEATURES, dense, network, typed
from support.profiles import examples
from support.webassembly import WasmNode

import sensenet
from sensenet.backends.wasm.files import write_files
from sensenet.errors import InputError
from sensenet.ir.graph import Graph, apply
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.elementwise import Negate
from sensenet.ir.types import f32
from sensenet.runtime.rows import row_encoder
from sensenet.runtime.tables import as_table
from sensenet.runtime.terms import count_items
from sensenet.signature import (
    FULL_TERMS_ONLY,
    TOKENS_ONLY,
    Booleans,
    CategoricalColumn,
    Field,
    Items,
    Number,
    NumericColumn,
    Signature,
    Terms,
)

pytest.importorskip("llvmlite")

FORMS = {"walked": 1, "dog's": 0}
TERMS = ("dog", "walk", "free entry!", "1", "2.0", "über", "a")
ENCODINGS = {
    "amount": Number(prefix="$", suffix=" USD"),
    "flagged": Number(flags_missing=True),
    "replaced": Number(default=7.5, flags_missing=True),
    "answer": Booleans(true="1", false="0"),
    "words": Terms(terms=TERMS, forms=FORMS, case_sensitive=False, token_mode=TOKENS_ONLY),
    "whole": Terms(terms=TERMS, case_sensitive=False, token_mode=FULL_TERMS_ONLY),
    "both": Terms(terms=TERMS, forms=FORMS),
    "tags": Items(items=("a", "b c", "1", "2.0", ""), separator=";"),
    "split": Items(items=("a", "b", "ab"), separator_regexp=r"\s*[,;.]\s*|\s+and\s+"),
    "letters": Items(items=("a", "b", ""), separator=""),
}
CATEGORIES = ("red", "1", "2.0", None, "1e+16", "1e-05", "0.5", "True", "None", "inf", "-0.5", "red")


def make_signature():
    fields = [
        Field(id="00000a", name="number", optype="numeric"),
        Field(id="00000b", name="color", optype="categorical"),
        Field(id="00000c", name="twin", optype="numeric"),
        Field(id="00000d", name="twin", optype="numeric"),
        *(
            Field(id=f"{i:06}", name=n, optype="text", encoding=e)
            for i, (n, e) in enumerate(ENCODINGS.items())
        ),
    ]
    columns = []
    for field in fields:
        for _ in field.cell_names:
            index = len(columns)
            categorical = field.cell_type == "categorical"
            made = (
                CategoricalColumn(index=index, values=(*CATEGORIES, "0"))
                if categorical
                else NumericColumn(index=index, missing=float(index) + 0.25)
            )
            columns.append(made)
    columns[0] = NumericColumn(index=-len(columns), missing=-1.0)
    return Signature(
        columns=columns,
        fields=fields,
        objective=Field(id="00000e", name="objective", optype="numeric"),
        missing_tokens=("", "N/A"),
    )


SIGNATURE = make_signature()
ENCODER = row_encoder(SIGNATURE)
CATEGORICAL = [column.index for column in SIGNATURE.columns if isinstance(column, CategoricalColumn)]


def identity(signature):
    """A graph that negates its columns."""
    node = apply(Input(type=f32(None, len(signature.columns))), name="numeric_inputs")
    return Graph.create([node], {"predictions": apply(Negate(), node.value).value}, signature)


def save(directory, signature):
    for name, content in write_files(identity(signature)).items():
        (directory / name).write_bytes(content)
    return directory


@pytest.fixture(scope="module")
def node():
    process = WasmNode()
    yield process
    process.close()


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return save(tmp_path_factory.mktemp("rows"), SIGNATURE)


def numbers_in_python(rows):
    try:
        return ENCODER.encode(as_table(rows, ENCODER.layout))
    except InputError:
        return None


def numbers_in_javascript(node, directory, rows):
    try:
        return node.call(directory, "encode", rows)
    except RuntimeError:
        return None


def require_same(node, directory, rows):
    want, got = numbers_in_python(rows), numbers_in_javascript(node, directory, rows)
    if want is None or got is None:
        assert want is got, (want, got)
    else:
        np.testing.assert_array_equal(got.reshape(want.shape), want)


SOME_TEXT = [
    "dog",
    "walked",
    "free entry!",
    "über",
    "a",
    "b c",
    "ab",
    "and",
    "N/A",
    "nan",
    "inf",
    "$",
    " USD",
    "true",
]
PIECES = st.sampled_from(
    [*SOME_TEXT, *" _;,.-'\n\x1c\x85\ufeff\u3000😀1", "1.0", "2.00", "1_0", "1e5", "0x1", "É"]
)
CHARACTERS = st.characters(exclude_categories=["Cs", "Cn"], max_codepoint=0x2FFFF)
TEXTS = st.lists(PIECES, max_size=6).map("".join) | st.text(CHARACTERS, max_size=8)
NUMBERS = (
    st.integers(-3, 3).map(float) | st.sampled_from([1e16, 1e-05, 1e22, -0.0, 0.1]) | st.floats(width=32)
)
VALUES = st.none() | st.booleans() | NUMBERS | TEXTS
NAMES = [*(f.id for f in SIGNATURE.fields), *({f.name for f in SIGNATURE.fields} - {"twin"}), "objective"]


@examples(100)
@given(rows=st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8), min_size=1, max_size=3))
def test_values_by_name_are_the_same_numbers(node, directory, rows):
    require_same(node, directory, [_without_other_digits(row) for row in rows])


def _without_other_digits(row):
    """A row without the numbers in digits of other scripts, which JavaScript does not read."""
    return {
        k: "x" if isinstance(v, str) and not v.isascii() and v.strip()[-1:].isdecimal() else v
        for k, v in row.items()
    }


@examples(50)
@given(cells=st.lists(NUMBERS.filter(lambda x: x == x) | st.none(), min_size=len(ENCODER.columns) - 1))
def test_cells_are_the_same_numbers(node, directory, cells):
    row = [None if index in CATEGORICAL else cell for index, cell in enumerate(cells)]
    require_same(node, directory, [row])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"colour": 1}, 'row 0, unknown field "colour"; expected one of: "number", "color"'),
        ({"twin": 1}, """several fields are named "twin": use the field's id (00000c, 00000d)"""),
        ({"number": "x"}, 'row 0, field "number": cannot read "x" as a number'),
        ({"number": [1]}, 'row 0, field "number": cannot read 1 as a number'),
        ({"color": {}}, 'row 0, field "color": cannot read [object Object] as text'),
        ([1], "too short: it has 1 of the"),
    ],
)
def test_errors_name_the_field(node, directory, row, message):
    with pytest.raises(RuntimeError) as found:
        node.call(directory, "encode", [row])
    assert message in str(found.value)


def test_rows_without_names_are_cells(node, tmp_path):
    nameless = save(tmp_path, Signature(columns=[NumericColumn(index=0)]))
    np.testing.assert_array_equal(node.call(nameless, "encode", [[1.5], ["2"]]), [1.5, 2.0])
    with pytest.raises(RuntimeError, match="pass a row as an array of cells"):
        node.call(nameless, "encode", [{"a": 1}])


@pytest.mark.parametrize(
    "expression", [r"[,;]", r"\s+and\s+|,", "(x)|y", r"[\s\-.]+", r"a\.b|\,", "[^a-z ]", ".", r"\d\w"]
)
def test_separators_that_both_languages_have(node, tmp_path, expression):
    items = Items(items=("red", "a", "b", "x"), separator_regexp=expression)
    count = count_items(items)
    texts = ["red;a,b", "red and a", "axb", "a-b.x", "a1_b", "redx\u2028yred", "", "a\nb"]
    field = Field(id="0", name="tags", optype="items", encoding=items)
    columns = [NumericColumn(index=index) for index in range(4)]
    made = save(tmp_path, Signature(columns=columns, fields=[field]))
    got = node.call(made, "encode", [{"tags": text} for text in texts])
    np.testing.assert_array_equal(got.reshape(-1, 4), [count(text) for text in texts])


@pytest.mark.parametrize("expression", [r"\bx", "x$", "x*", "[]x]", r"\Z", "(?=x)", r"\S"])
def test_other_separators_are_refused(node, tmp_path, expression):
    items = Items(items=("a",), separator_regexp=expression)
    fields = [Field(id="0", name="tags", optype="items", encoding=items)]
    made = save(tmp_path, Signature(columns=[NumericColumn(index=0)], fields=fields))
    with pytest.raises(RuntimeError, match=r'"tags": the separator .*: pass a row as an array of cells'):
        node.call(made, "encode", [{"tags": "a"}])
    np.testing.assert_array_equal(node.call(made, "encode", [[2]]), [2.0])


def test_missing_numbers_of_arrays_are_replaced(node, directory):
    columns = len(ENCODER.columns)
    rows = np.full((2, columns), np.nan, np.float32)
    got = node.call(directory, "run", rows).reshape(2, -1)
    np.testing.assert_array_equal(-got, [[column.missing for column in ENCODER.columns]] * 2)
    assert np.isnan(node.call(directory, "compute", rows)).all()
    with pytest.raises(RuntimeError, match=f"3 numbers are not rows of {columns} columns"):
        node.call(directory, "run", np.zeros(3, np.float32))


def test_answers_have_labels(node, tmp_path):
    made = sensenet.compile(typed(), "wasm").save(tmp_path / "model")
    assert node.call(made, "predict", []) == []
    row = [2.5, "green", 3]
    answer = node.call(made, "predict", row)
    assert node.call(made, "predict", [row, row]) == [answer, answer]
    want = dict(zip(["yes", "no"], sensenet.create_model(typed())(row)[0], strict=True))
    assert list(answer["probabilities"]) == list(want)
    assert answer["label"] == max(want, key=want.get)
    np.testing.assert_allclose([*answer["probabilities"].values()], [*want.values()], atol=1e-6)


def test_probabilities_that_are_nan_have_no_label(node, tmp_path):
    document = network([dense(FEATURES, 2, "softmax")])
    made = sensenet.compile(document, "wasm").save(tmp_path / "model")
    row = [float("inf"), "green", 3]
    answer = node.call(made, "predict", row)
    assert answer["label"] is None
    assert np.isnan([*answer["probabilities"].values()]).all()
    assert np.isnan(sensenet.create_model(document)(row)).all()
