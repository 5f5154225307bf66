"""`sensenet.inspection.diff`: what it finds between two models, part by part."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import attrs
import numpy as np
import pytest
from support.documents import dense, detector, image, network

import sensenet
from sensenet.errors import ArtifactError, InputError, SensenetError, SettingsError
from sensenet.inspection import Difference, diff
from sensenet.inspection.answers import compare_objects
from sensenet.inspection.graphs import largest_gap
from sensenet.inspection.records import Change, compare_records

EXAMPLES = Path(__file__).parents[2] / "examples"
IRIS, DIABETES = EXAMPLES / "iris.json", EXAMPLES / "diabetes.json"


@pytest.fixture
def document():
    return json.loads(IRIS.read_text())


@pytest.fixture
def other(document):
    return copy.deepcopy(document)


def layers(document):
    return document["deepnet"]["network"]["layers"]


@pytest.mark.parametrize("path", [IRIS, DIABETES])
def test_a_document_equals_itself(path):
    found = diff(path, path)
    assert found.same
    assert found.answers.rows == 256
    assert str(found).endswith("no difference in signature, settings, graph, weights, answers")


def test_a_weight_that_differs(document, other):
    layers(other)[0]["weights"][1][2] += 0.5
    found = diff(document, other)
    (change,) = found.weights
    assert change.name == "layer_0.kernel"
    assert change.absolute == pytest.approx(0.5)
    assert change.relative == pytest.approx(0.5 / np.abs(layers(document)[0]["weights"]).max(), rel=1e-5)
    assert found.graph == found.signature == ()
    assert found.answers.largest > 0
    assert not found.same
    assert diff(document, other, tolerance=0.6).weights == ()


def test_weights_of_another_shape():
    documents = [network([dense(5, units), dense(units, 2)]) for units in (4, 5)]
    found = diff(*documents, parts=["weights"])
    assert ("f32[5,4]", "f32[5,5]", None) in [(e.first, e.second, e.absolute) for e in found.weights]


def test_attributes_and_nodes_that_differ(document, other):
    layers(other)[2]["activation_function"] = "relu"
    del layers(other)[3]
    found = {change.name: change for change in diff(document, other, parts=["graph"]).graph}
    assert found["layer_2"].changes == (Change(path="function", first="tanh", second="relu"),)
    assert {change.what for change in found.values()} == {"changed", "removed"}


def test_tensors_inside_trees_are_compared():
    document = json.loads(DIABETES.read_text())
    other = copy.deepcopy(document)

    def change(value):
        """Add to the first threshold of the first tree."""
        while isinstance(value, list):
            if len(value) == 4 and not isinstance(value[1], list):
                value[1] += 100
                return True
            return any(change(each) for each in value)
        return False

    assert change(other["deepnet"]["network"]["trees"])
    names = [each.name for each in diff(document, other, parts=["weights"]).weights]
    assert names
    assert all(name.startswith("forest_") for name in names)


def test_fields_classes_and_settings(document, other):
    other["deepnet"]["fields"]["000002"]["name"] = "length"
    values = other["deepnet"]["network"]["output_exposition"]["values"]
    values[0] = "other"
    found = diff(document, other, parts=["signature"])
    assert Change(path="fields.000002.name", first="petal length", second="length") in found.signature
    assert Change(path="classes", first="setosa", second="other") in found.signature
    plain = sensenet.compile(DIABETES, "numpy")
    normalized = sensenet.compile(DIABETES, "numpy", settings={"regression_normalize": True})
    (change,) = diff(plain, normalized, parts=["settings"]).settings
    assert (change.path, change.second) == ("regression_normalize", "true")


def test_classes_in_another_order_are_compared_by_name(document, other):
    network = other["deepnet"]["network"]
    order = [2, 0, 1]
    network["output_exposition"]["values"] = [network["output_exposition"]["values"][n] for n in order]
    last = network["layers"][-1]
    last["weights"] = [[row[n] for n in order] for row in last["weights"]]
    last["offset"] = [last["offset"][n] for n in order]
    found = diff(document, other, parts=["answers"], tolerance=1e-6)
    assert found.same
    (change,) = diff(document, other, parts=["signature"]).signature
    assert change.path == "classes (order)"


def test_rows_whose_class_changes(document, other):
    last = layers(other)[-1]
    last["offset"] = [-offset for offset in last["offset"]]
    last["weights"] = [[-weight for weight in row] for row in last["weights"]]
    rows = [{"petal length": 1.4, "petal width": 0.2}, {"petal length": 6.0, "petal width": 2.3}]
    found = diff(document, other, rows=rows, parts=["answers"]).answers
    classes = sensenet.create_model(document).predict(rows)
    others = sensenet.create_model(other).predict(rows)
    expected = [(n + 1, a, b) for n, (a, b) in enumerate(zip(classes, others, strict=True)) if a != b]
    assert [(each.row, each.first, each.second) for each in found.changed] == expected
    assert expected
    gaps = np.abs(sensenet.create_model(document)(rows) - sensenet.create_model(other)(rows)).max(axis=1)
    assert found.largest == pytest.approx(gaps.max())
    assert found.row == gaps.argmax() + 1


def test_rows_of_a_file(document):
    found = diff(document, document, rows=EXAMPLES / "iris.csv", parts=["answers"])
    assert (found.answers.rows, found.answers.drawn, found.same) == (50, False, True)


@pytest.mark.parametrize(("target", "package"), [("tflite", "ai_edge_litert"), ("onnx", "onnxruntime")])
def test_a_file_without_its_graph(target, package, tmp_path):
    pytest.importorskip(package)
    path = tmp_path / f"iris.{target}"
    sensenet.compile(IRIS, target).save(path)
    found = diff(IRIS, path, tolerance=1e-5)
    assert found.same
    assert found.parts == ("signature", "settings", "answers")
    assert found.notes == (f"graph and weights: {path} does not contain its graph",)


def test_a_document_and_what_was_compiled_from_it():
    artifact = sensenet.compile(DIABETES, "numpy")
    found = diff(DIABETES, artifact, tolerance=1e-3)
    assert {change.what for change in found.graph} >= {"added", "removed"}
    assert not found.answers_differ
    assert found.signature == ()


def test_settings_are_for_documents():
    settings = {"regression_normalize": True}
    artifact = sensenet.compile(DIABETES, "numpy", settings=settings)
    found = diff(DIABETES, artifact, settings, parts=["settings", "answers"], tolerance=1e-5)
    assert found.same
    assert not diff(DIABETES, artifact, parts=["settings"]).same


def test_models_that_cannot_be_compared_differ():
    found = diff(IRIS, DIABETES, parts=["answers"])
    assert "cannot read the rows: unknown field 'sepal length'" in found.answers.refusal
    assert not found.same


def test_images_and_detectors():
    of_images = {"deepnet": {"network": image()}}
    assert diff(of_images, of_images).same
    found = diff(EXAMPLES / "shapes.json.gz", EXAMPLES / "shapes.json.gz")
    assert found.same
    assert found.answers.rows == 4
    assert diff(EXAMPLES / "shapes.json.gz", IRIS, parts=["answers"]).answers.refusal


OBJECT = {"box": [0, 0, 10, 10], "label": "cat", "score": 0.5}


@pytest.mark.parametrize(
    ("other", "largest", "boxes", "changed"),
    [
        ([OBJECT], 0, 0, []),
        ([OBJECT | {"score": 0.75}], 0.25, 0, []),
        ([OBJECT | {"box": [0, 2, 10, 13]}], 0, 3, []),
        ([OBJECT | {"label": "dog"}], 0, 0, [("cat", "dog")]),
        ([], 0, 0, [("cat", "nothing")]),
        ([OBJECT, OBJECT], 0, 0, [("cat", "cat, cat")]),
    ],
)
def test_objects_that_differ(other, largest, boxes, changed):
    found = compare_objects([[], [OBJECT]], [[], other], drawn=False)
    assert (found.rows, found.largest, found.boxes) == (2, largest, boxes)
    assert [(each.first, each.second) for each in found.changed] == changed
    assert all(each.row == 2 for each in found.changed)


@pytest.mark.parametrize("label", ["nothing", "cat, cat"])
def test_labels_that_read_like_other_objects(label):
    other = [] if label == "nothing" else [OBJECT, OBJECT]
    found = compare_objects([[OBJECT | {"label": label}]], [other], drawn=False)
    assert [(each.first, each.second) for each in found.changed] == [(label, label)]


def test_boxes_differ_by_more_than_the_tolerance():
    answers = compare_objects([[OBJECT]], [[OBJECT | {"box": [0, 2, 10, 13]}]], drawn=False)
    found = Difference(first="a", second="b", parts=("answers",), answers=answers)
    assert [attrs.evolve(found, tolerance=pixels).same for pixels in (0, 2, 3)] == [False, False, True]


def test_a_detector_equals_itself():
    assert diff(detector(), detector()).same


def test_a_wrong_part_suggests_the_nearest():
    with pytest.raises(SettingsError, match="did you mean 'weights'"):
        diff(IRIS, IRIS, parts=["weight"])


def test_nothing_to_compare_is_not_equality(tmp_path):
    with pytest.raises(SettingsError, match="no parts to compare"):
        diff(IRIS, IRIS, parts=[])
    pytest.importorskip("onnxruntime")
    sensenet.compile(IRIS, "onnx").save(tmp_path / "iris.onnx")
    with pytest.raises(ArtifactError, match=r"nothing to compare: .*iris\.onnx does not contain its graph"):
        diff(IRIS, tmp_path / "iris.onnx", parts=["graph", "weights"])


@pytest.mark.parametrize("rows", [[], "nowhere.csv", [{"nothing": 1}], 3])
def test_wrong_rows_are_one_of_our_errors(rows):
    with pytest.raises(SensenetError):
        diff(IRIS, IRIS, rows=rows)


@pytest.mark.parametrize("statistics", [(3e38, 3e38), (0.0, -1.0), (-3e38, 3e38), (1.0, 0.0)])
def test_odd_statistics_of_fields_draw_rows_too(document, statistics):
    for field in document["deepnet"]["fields"].values():
        field["summary"] |= dict(zip(("mean", "standard_deviation"), statistics, strict=True))
    assert diff(document, document, parts=["answers"]).same


def test_no_rows():
    with pytest.raises(InputError, match="no rows"):
        diff(IRIS, IRIS, rows=[])


def test_hostile_names_cannot_control_a_terminal(document, other):
    other["name"] = "\x1b[2J<script>\u202e\nx"
    other["deepnet"]["network"]["output_exposition"]["values"] = ["\x1b[1m", "b", "c"]
    found = diff(document, other)
    assert all(character.isprintable() or character == "\n" for character in str(found))
    assert "<script" not in found._repr_html_()


def test_json_has_everything(document, other):
    layers(other)[0]["weights"][0][0] += 1
    record = json.loads(json.dumps(diff(document, other).to_json()))
    assert record["same"] is False
    assert record["weights"][0]["name"] == "layer_0.kernel"
    assert record["answers"]["rows"] == 256


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1.0, np.nan], [1.0, np.nan], 0.0),
        ([1.0, np.nan], [1.0, 2.0], np.inf),
        ([np.inf], [np.inf], 0.0),
        ([np.inf], [-np.inf], np.inf),
        ([], [], 0.0),
        ([1.0, 2.0], [1.5, 4.0], 2.0),
    ],
)
def test_largest_gap(first, second, expected):
    assert largest_gap(np.array(first, np.float32), np.array(second, np.float32)) == expected


def test_records():
    first = {"a": 1, "b": [1, 2, 3], "c": {"d": None}, "e": ["x", "y"]}
    second = {"a": 2, "b": [1, 3, 4], "c": {"d": None, "f": True}, "e": ["y", "x"]}
    assert list(compare_records(first, second)) == [
        Change(path="a", first="1", second="2"),
        Change(path="b", first="2", second="4"),
        Change(path="c.f", first="", second="true"),
        Change(path="e (order)", first="x, y", second="y, x"),
    ]
