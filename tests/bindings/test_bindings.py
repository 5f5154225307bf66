"""BigML's own bindings on sensenet: they predict with it, and answer what it answers by field name itself."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bindings.random_rows import draw_rows, draw_words
from PIL import Image
from support.conformance import read_recorded
from support.documents import image
from support.resources import LAMINAR, NUMBERS, RESOURCES, image_resource, region_resource

from sensenet.models.wrappers import create_image_feature_extractor, create_model
from sensenet.runtime.rows import row_encoder
from sensenet.runtime.tables import as_table

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.skipif(
        importlib.util.find_spec("bigml") is None, reason="bigml is not installed: pip install '.[bindings]'"
    ),
]

CLIENT = Path(__file__).parent / "client.py"
ROWS = 100
DETECTION = {"region_score_threshold": 0.01, "iou_threshold": 0.2, "max_objects": 5}
IMAGES = 3


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    generator = np.random.default_rng(3)
    paths = [folder / f"{number}.png" for number in range(IMAGES)]
    for number, path in enumerate(paths):
        pixels = generator.integers(0, 256, (20 + 9 * number, 31, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return [str(path) for path in paths]


@pytest.fixture(scope="module")
def extractor(tmp_path_factory):
    path = tmp_path_factory.mktemp("extractor") / "network.json"
    path.write_text(json.dumps(image()))
    return str(path)


@pytest.fixture(scope="module")
def image_fields(extractor):
    """An image, and the features that a network makes of it, in the bindings' words."""
    names = [f"00000{number}" for number in range(1, 4)]
    analysis = {"extracted_features": [["pretrained_cnn", extractor]]}
    parent = {"name": "photo", "optype": "image", "image_analysis": analysis, "child_ids": names}
    child = {"optype": "numeric", "provenance": "pretrained_cnn", "parent_ids": ["000000"], "datatype": "x"}
    return {"000000": parent, **{name: {**child, "name": f"photo {name}"} for name in names}}


@pytest.fixture(scope="module")
def image_rows(images):
    return [{"photo": path, "width": number} for number, path in enumerate(images)]


@pytest.fixture(scope="module")
def answers(tmp_path_factory, images, image_rows, image_fields):
    """What a client's process answers to all jobs, by their names."""
    jobs = {
        name: {"kind": "predict", "resource": make(), "rows": draw_rows(make(), ROWS)}
        for name, make in RESOURCES.items()
    }
    jobs |= {
        f"{name}, calls": {"kind": "calls", "resource": make(), "rows": draw_calls(make())}
        for name, make in RESOURCES.items()
    }
    jobs |= {
        f"{name}, batch": {"kind": "batch", "resource": make(), "rows": draw_batches(make())}
        for name, make in RESOURCES.items()
    }
    jobs |= {f"{name}, numpy": {**jobs[name], "kind": "numpy"} for name in LAMINAR}
    jobs["not preferred"] = {"kind": "predict", "resource": not_preferred(), "rows": [*ROWS_OF_TABLE, {}]}
    jobs["image"] = {"kind": "predict", "resource": image_resource(), "rows": image_rows}
    jobs["regions"] = {
        "kind": "detect",
        "resource": region_resource(),
        "rows": images,
        "settings": DETECTION,
    }
    jobs["features"] = {
        "kind": "featurize",
        "fields": image_fields,
        "rows": [{"000000": path} for path in images],
    }
    return run_client(jobs, tmp_path_factory.mktemp("jobs"))


def draw_calls(resource):
    """Calls of methods for rows by name, some with unused fields: `[name, row, arguments]`."""
    rows = draw_rows(resource, ROWS // 4)
    rows = [{**row, "unknown": number, "kind": None, "price": 3} for number, row in enumerate(rows)]
    calls = [[name, row, arguments] for row in rows for name, arguments in CALLS]
    if resource["object"]["deepnet"]["network"].get("output_exposition") == NUMBERS:
        return calls
    return calls + [["predict", row, arguments] for row in rows for arguments in OPERATIONS]


def draw_batches(resource):
    """Rows and arguments of batches."""
    rows = draw_rows(resource, ROWS // 4)
    arguments = ({}, {"outputs": OUTPUTS}, {"outputs": OUTPUTS, "all_fields": False})
    return [[[], {}], *([rows, each] for each in arguments)]


CALLS = (
    ("predict", {}),
    ("predict", {"full": True}),
    ("predict_probability", {}),
    ("predict_probability", {"compact": True}),
)
OPERATIONS = (
    *(
        {"operating_point": {"kind": "probability", "positive_class": positive, "threshold": threshold}}
        for positive in ("ham", "other", "spam")
        for threshold in (0, 0.3, 0.5, 1)
    ),
    {"operating_kind": "probability"},
    {"operating_kind": "Probability", "full": True},
)
OUTPUTS = {"output_fields": ["prediction", "probability", "unused_fields"], "output_headers": ["p", "q", "r"]}

ROWS_OF_TABLE = [{"width": 1.5, "color": "red", "height": 4}, {"color": "blue"}, {"width": 0.25}]


def not_preferred():
    """A resource of which no input field is preferred."""
    resource = RESOURCES["tabular"]()
    for field in resource["object"]["deepnet"]["fields"].values():
        field["preferred"] = False
    return resource


def run_client(jobs, folder):
    """What a fresh process answers to some jobs."""
    (folder / "jobs.json").write_text(json.dumps(jobs))
    command = [sys.executable, CLIENT, folder / "jobs.json", folder / "answers.json"]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, cwd=folder)
    assert outcome.returncode == 0, outcome.stderr
    return json.loads((folder / "answers.json").read_text())


def assert_same_prediction(found, expected, classes):
    """One prediction of the bindings, and our numbers for the same row."""
    if not classes:
        assert found["prediction"] == pytest.approx(float(expected[0]), abs=2e-5)
        return
    probabilities = {entry["category"]: entry["probability"] for entry in found["distribution"]}
    assert probabilities == pytest.approx(dict(zip(classes, expected.tolist(), strict=True)), abs=2e-5)
    assert found["prediction"] == max(probabilities, key=probabilities.get)


@pytest.mark.parametrize("name", RESOURCES)
def test_answers_by_name_are_those_of_the_bindings(answers, name):
    model = create_model(RESOURCES[name]())
    rows = draw_rows(RESOURCES[name](), ROWS)
    assert len(answers[name]) == ROWS
    for answer, expected in zip(answers[name], model(rows), strict=True):
        assert_same_prediction(answer["prediction"], expected, model.classes)


@pytest.mark.parametrize("name", RESOURCES)
def test_cells_by_name_are_those_of_the_bindings(answers, name):
    encoder = row_encoder(create_model(RESOURCES[name]()).signature)
    rows = draw_rows(RESOURCES[name](), ROWS)
    by_name = encoder.encode(as_table(rows, encoder.layout))
    by_position = encoder.encode(as_table([answer["cells"] for answer in answers[name]], encoder.layout))
    np.testing.assert_array_equal(by_name, by_position)
    assert len(np.unique(by_name, axis=0)) >= 10


@pytest.mark.parametrize("name", RESOURCES)
def test_methods_answer_as_those_of_the_bindings(answers, name):
    model = create_model(RESOURCES[name]())
    calls = draw_calls(RESOURCES[name]())
    for answer, (method, row, arguments) in zip(answers[f"{name}, calls"], calls, strict=True):
        assert_same_answer(getattr(model, method)(row, **arguments), answer)


@pytest.mark.parametrize("name", RESOURCES)
def test_batches_answer_as_those_of_the_bindings(answers, name):
    model = create_model(RESOURCES[name]())
    batches = draw_batches(RESOURCES[name]())
    for answer, (rows, arguments) in zip(answers[f"{name}, batch"], batches, strict=True):
        assert_same_answer(model.batch_predict(rows, **arguments), answer)


def assert_same_answer(found, expected):
    """The same members, with numbers up to the last decimal that the bindings keep."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            assert_same_answer(found[key], value)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same_answer(one, other)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=2.1e-5)
    else:
        assert found == expected


def test_the_bindings_pass_over_fields_that_are_not_preferred(answers):
    """Here they count: docs/fields.md says so."""
    cells = [answer["cells"] for answer in answers["not preferred"]]
    assert cells == [cells[-1]] * len(cells)
    model, others = create_model(not_preferred()), create_model(RESOURCES["tabular"]())
    np.testing.assert_array_equal(model(ROWS_OF_TABLE), others(ROWS_OF_TABLE))
    assert len(np.unique(model(ROWS_OF_TABLE), axis=0)) == len(ROWS_OF_TABLE)


@pytest.mark.parametrize("name", LAMINAR)
def test_answers_are_those_of_the_numpy_path_of_the_bindings(answers, name):
    model = create_model(RESOURCES[name]())
    rows = draw_rows(RESOURCES[name](), ROWS)
    for answer, expected in zip(answers[f"{name}, numpy"], model(rows), strict=True):
        assert_same_prediction(answer["prediction"], expected, model.classes)


def test_models_of_images(answers, image_rows):
    model = create_model(image_resource())
    expected = model(image_rows)
    assert len(np.unique(expected, axis=0)) == IMAGES
    for answer, numbers in zip(answers["image"], expected, strict=True):
        assert_same_prediction(answer["prediction"], numbers, model.classes)


def test_regions(answers, images):
    settings = {"bounding_box_threshold": 0.01, "iou_threshold": 0.2, "max_objects": 5}
    model = create_model(region_resource(), settings)
    for found, path, objects in zip(answers["regions"], images, model(images), strict=True):
        with Image.open(path) as opened:
            sides = np.array(opened.size * 2)
        assert objects
        assert [(each["label"], each["box"], each["score"]) for each in found] == [
            (
                each["label"],
                pytest.approx(each["box"] / sides, abs=1e-5),
                pytest.approx(each["score"], abs=1e-5),
            )
            for each in objects
        ]
    assert [each["prediction"] for each in model.predict(images)] == answers["regions"]


def test_features_of_images(answers, images, extractor):
    features = create_image_feature_extractor(extractor, None)([[path] for path in images])
    assert features.shape == (IMAGES, 3)
    for answer, expected in zip(answers["features"], features, strict=True):
        assert list(answer.values()) == pytest.approx(expected.tolist(), abs=1e-5)


def test_a_recorded_resource_about_texts(tmp_path):
    resource = read_recorded("real/resource_text.json.gz")["model"]
    (field,) = (field for field in resource["deepnet"]["fields"].values() if field["optype"] == "text")
    forms = field["summary"]["term_forms"]
    words = [
        *(term for term, _ in field["summary"]["tag_cloud"]),
        *(form for all_ in forms.values() for form in all_),
    ]
    rows = [{field["name"]: text} for text in draw_words(words, ROWS)]
    found = run_client({"texts": {"kind": "predict", "resource": resource, "rows": rows}}, tmp_path)
    model = create_model(resource)
    encoder = row_encoder(model.signature)
    cells = [answer["cells"] for answer in found["texts"]]
    assert np.count_nonzero(np.any(cells, axis=0)) > 500
    np.testing.assert_array_equal(encoder.encode(as_table(rows, encoder.layout)), np.float32(cells))
    for answer, expected in zip(found["texts"], model(rows), strict=True):
        assert_same_prediction(answer["prediction"], expected, model.classes)
