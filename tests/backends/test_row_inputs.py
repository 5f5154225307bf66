"""The arguments of `predict_row`: every name of a field becomes one that TensorFlow and Python take."""

from __future__ import annotations

import json
import keyword
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.documents import CLASSES, dense
from support.profiles import examples

import sensenet
from sensenet.backends.savedmodel.rows import row_inputs
from sensenet.models.wrappers import convert, create_model
from sensenet.signature import CategoricalColumn, Field, NumericColumn, Signature

NAMES = (
    *keyword.kwlist,
    *keyword.softkwlist,
    *("self", "Self", "SELF", "self_", "cls", "args", "kwargs", "inputs", "training", "name", "function"),
    *("class_", "class", "class!", "CLASS", "class_2", "__class__", "__init__", "a", "A", "a_2", "a", "a"),
    *("numeric_inputs", "predictions", "scores", "saver_filename", "keras_api", "rows", "network"),
    *(
        "",
        " ",
        "_",
        "__",
        "1",
        "1st",
        "-1",
        "1e5",
        "$",
        "%s",
        "{0}",
        "a/b:c",
        "^x",
        "x.y",
        "x-y",
        "\n",
        "\t tab",
    ),
    *("é", "ñandu", "日本", "ﬁ", "Ａ", "🙂", "\u202e", "\0", "a" * 9999 + "b", "a" * 10000),
    *("column_0", "column_3", "column_3_2", "None "),
)

texts = st.sampled_from(NAMES) | st.text(max_size=20)


def named(names, optype="numeric"):
    return [Field(id=f"{number:06x}", name=name, optype=optype) for number, name in enumerate(names)]


def resource(names):
    """A resource whose rows have a number for each name."""
    fields = {f"{number:06x}": {"name": name, "optype": "numeric"} for number, name in enumerate(names)}
    network = {
        "preprocess": [
            {"type": "numeric", "index": index, "mean": 0.5, "stdev": 2.0} for index in range(len(names))
        ],
        "layers": [dense(len(names), 2, "softmax")],
        "output_exposition": CLASSES,
        "trees": None,
    }
    return {"deepnet": {"network": network, "fields": fields}, "input_fields": list(fields)}


@examples(300)
@given(st.lists(texts, min_size=1, max_size=12))
def test_any_names_become_distinct_arguments(names):
    columns = [NumericColumn(index=index) for index in range(len(names))]
    inputs = row_inputs(Signature(columns=columns, fields=named(names)))
    assert [(each.cell, each.label) for each in inputs] == list(enumerate(names))
    assert len({each.name.lower() for each in inputs}) == len(names)
    for each in inputs:
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", each.name)
        assert not keyword.iskeyword(each.name)
        assert each.name != "self"


@examples(300)
@given(texts)
def test_a_name_that_fits_stays(name):
    (only,) = row_inputs(Signature(columns=[NumericColumn(index=0)], fields=named([name])))
    if re.fullmatch(r"[A-Za-z]([A-Za-z0-9_]*[A-Za-z0-9])?", name) and not keyword.iskeyword(name):
        assert only.name == (name if name != "self" else "self_")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["class", "from", "None", "self"], ["class_", "from_", "None_", "self_"]),
        (["class", "class_", "class"], ["class_", "class__2", "class__3"]),
        (["Width", "width", "width_2"], ["Width", "width_2", "width_2_2"]),
        (["", "1st", "日本", "x y"], ["column_0", "column_1", "column_2", "x_y"]),
    ],
)
def test_names(names, expected):
    columns = [NumericColumn(index=index) for index in range(len(names))]
    assert [each.name for each in row_inputs(Signature(columns=columns, fields=named(names)))] == expected


def test_a_cell_that_columns_of_two_types_read_is_two_arguments():
    columns = [NumericColumn(index=0), CategoricalColumn(index=0, values=["1"])]
    inputs = row_inputs(Signature(columns=columns, fields=named(["from"])))
    assert [(each.name, each.cell, each.label) for each in inputs] == [
        ("from_", 0, "from"),
        ("from__2", 0, "from"),
    ]


@pytest.mark.tensorflow
def test_a_model_whose_fields_have_such_names(tmp_path):
    tf = pytest.importorskip("tensorflow")
    path = sensenet.compile(resource(NAMES), target="savedmodel").save(tmp_path / "model")
    recorded = json.loads((path / "assets" / "sensenet.json").read_text())["predict_row"]
    serve = tf.saved_model.load(path).signatures["predict_row"]
    assert {each["name"] for each in recorded} == set(serve.structured_input_signature[1])
    row = np.random.default_rng(0).normal(size=len(NAMES)).astype(np.float32).tolist()
    answer = serve(**{each["name"]: tf.constant([row[each["cell"]]], tf.float32) for each in recorded})
    expected = create_model(resource(NAMES))(row)
    assert np.allclose(answer["scores"], expected, atol=2e-6, rtol=2e-5)
    assert np.allclose(create_model(path)(row), expected, atol=2e-6, rtol=2e-5)


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["class", "self", "", "1", "日本"])
def test_bundles_of_such_fields(tmp_path, name):
    pytest.importorskip("tensorflow")
    document, path = resource([name, "b"]), tmp_path / "model.smbundle"
    expected = create_model(document)([1.0, 2.0])
    create_model(document).save_bundle(path)
    assert np.allclose(create_model(path)([1.0, 2.0]), expected, atol=2e-6, rtol=2e-5)
    convert(path, None, tmp_path / "again.smbundle", "smbundle")
    by_name = create_model(tmp_path / "again.smbundle")({name or "000000": 1.0, "b": 2.0})
    assert np.allclose(by_name, expected, atol=2e-6, rtol=2e-5)
