"""Signatures that do not fit their graphs are refused where a model is opened."""

from __future__ import annotations

import re

import pytest
from support.documents import DOCUMENTS

from sensenet.compile import compile
from sensenet.errors import ArtifactError, DocumentError, SensenetError, VerifyError
from sensenet.frontend import import_graph
from sensenet.ir.interface import check_graph, check_interface
from sensenet.ir.parser import parse_graph
from sensenet.ir.printer import print_graph, weights
from sensenet.ir.types import DType, TensorType, f32
from sensenet.models.wrappers import create_model
from sensenet.signature import NumericColumn, Signature

NUMBERS = Signature(columns=[NumericColumn(index=0), NumericColumn(index=1)], classes=["a", "b"])


@pytest.mark.parametrize("kind", DOCUMENTS)
@pytest.mark.parametrize("level", [0, 1, 2])
def test_what_the_frontend_makes_fits_at_every_level(kind, level):
    check_graph(compile(DOCUMENTS[kind](), "ir", optimize=level).graph)


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        ({}, {"predictions": f32(None, 2)}, "requires 'numeric_inputs' f32[?,2]; found none"),
        ({"x": f32(None, 2)}, {"predictions": f32(None, 2)}, "found 'x' f32[?,2]"),
        ({"numeric_inputs": f32(None, 3)}, {"predictions": f32(None, 2)}, "found f32[?,3]"),
        (
            {"numeric_inputs": f32(1, 2)},
            {"predictions": f32(None, 2)},
            "'predictions' f32[?,2] has another number",
        ),
        ({"numeric_inputs": f32(0, 2)}, {"predictions": f32(0, 2)}, "'numeric_inputs' f32[0,2] has no rows"),
        ({"numeric_inputs": f32(None, 2)}, {}, "requires 'predictions'; found none"),
        ({"numeric_inputs": f32(None, 2)}, {"predictions": f32(None)}, "found f32[?]"),
        (
            {"numeric_inputs": f32(None, 2)},
            {"predictions": f32(7, 2)},
            "'predictions' f32[7,2] has another number",
        ),
        (
            {"numeric_inputs": f32(None, 2)},
            {"predictions": TensorType(DType.INT32, (None, 2))},
            "found i32[?,2]",
        ),
        (
            {"numeric_inputs": f32(None, 2), "more": f32(None)},
            {"predictions": f32(None, 2)},
            "not describe the input 'more'",
        ),
    ],
)
def test_tensors_that_do_not_fit(inputs, outputs, message):
    with pytest.raises(VerifyError, match=re.escape(message)):
        check_interface(NUMBERS, inputs, outputs)


def test_tensors_that_fit():
    check_interface(NUMBERS, {"numeric_inputs": f32(None, 2)}, {"predictions": f32(None, 5)})


CHANGES = {
    "an output of another name": ("typed", "output predictions", "output answers"),
    "a column too few": ("typed", r', \{"index": 2, [^}]*\}', ""),
    "a way of rescaling that there is not": ("image", '"rescale_type": "[a-z]*"', '"rescale_type": "x"'),
    "channels that there are not": ("image", '"channels": 3', '"channels": 7'),
    "a negative height": ("image", '"height": [0-9]+', '"height": -4'),
    "images without a size": ("image", r'"image": \{[^}]*\}', '"image": null'),
    "a size without images": (
        "typed",
        '"image": null',
        '"image": {"channels": 3, "height": 4, "width": 4, "rescale_type": "warp"}',
    ),
    "a number beyond float32": ("typed", '"missing": [0-9.]+', '"missing": 1' + "0" * 400),
    "a number that is none": ("typed", '"missing": [0-9.]+', '"missing": NaN'),
    "a position beyond 32 bits": ("typed", '"index": 2', '"index": 4294967296'),
    "no columns": ("typed", r'"columns": \[[^\]]*\]\}?[^\]]*\]', '"columns": []'),
    "a lone surrogate": ("typed", '"name": ""', r'"name": "\\ud800"'),
    "fewer classes than probabilities": ("typed", r'"classes": \["yes", "no"\]', '"classes": ["yes"]'),
    "a kind that has one image": ("typed", '"kind": "deepnet"', '"kind": "extractor"'),
    "a detector's output missing": ("detector", "\noutput scores", "\noutput score"),
    "a detector's count missing": ("detector", "\noutput valid", "\noutput count"),
    "a detector that tells more classes apart": ("detector", r'"classes": \[[^\]]*\]', '"classes": []'),
    "not a signature": ("typed", "\nsignature .*", ""),
}


@pytest.mark.parametrize(("kind", "pattern", "replacement"), CHANGES.values(), ids=CHANGES)
def test_saved_graphs_whose_signature_does_not_fit(tmp_path, kind, pattern, replacement):
    path = compile(DOCUMENTS[kind](), "ir").save(tmp_path / "model.ir")
    text = path.read_text("utf-8")
    changed = re.sub(pattern, replacement, text)
    assert changed != text
    path.write_text(changed, "utf-8")
    with pytest.raises(ArtifactError):
        create_model(path)


def test_a_document_of_fewer_classes_than_probabilities():
    document = DOCUMENTS["typed"]()
    document["output_exposition"]["values"] = ["yes"]
    with pytest.raises(DocumentError, match="names 1 classes, but 'predictions' is"):
        create_model(document)


def test_boolean_arithmetic_is_refused():
    lines = ["%numeric_inputs = input() {type=f32[?,2]} : f32[?,2]"]
    lines += ["%b = greater(%numeric_inputs, %numeric_inputs) {} : bool[?,2]"]
    for op in ("add", "subtract", "multiply", "divide", "maximum", "minimum", "average"):
        text = ["sensenet graph", *lines, f"%y = {op}(%b, %b) {{}} : bool[?,2]", "output y = %y"]
        with pytest.raises(SensenetError, match=r"expected (numbers|f32), found bool"):
            parse_graph("\n".join(text))


def test_sizes_beyond_all_arrays_are_refused():
    text = [
        *("sensenet graph", "%x = input() {type=f32[?,9223372036854775807]} : f32[?,9223372036854775807]"),
        *("%y = concatenate(%x, %x) {axis=-1} : f32[?,18446744073709551614]", "output y = %y"),
    ]
    with pytest.raises(SensenetError, match="its result would be"):
        parse_graph("\n".join(text))


def test_graphs_without_a_signature_are_compiled_still():
    graph = import_graph(DOCUMENTS["typed"]())
    text = re.sub("\nsignature .*", "", print_graph(graph))
    assert parse_graph(text, weights(graph)).signature == Signature()
