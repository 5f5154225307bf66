"""Reports of evaluations: text, JSON in BigML's structure, and a page; names of strangers do no harm."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import attrs
import numpy as np
import pyarrow as pa
import pytest
from support.documents import dense
from support.resources import PRICE, category, classify, number, predict_number, whole

import sensenet
from sensenet.evaluation import evaluate
from sensenet.evaluation.classification import ClassificationTally
from sensenet.evaluation.comparison import DetectionComparison
from sensenet.evaluation.detection import DetectionTally
from sensenet.evaluation.objects import TrueObjects, match_image
from sensenet.evaluation.report import EvaluationReport
from sensenet.evaluation.results import Evaluation

EXAMPLES = Path(__file__).parents[2] / "examples"

HOSTILE = ("</style><script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "\x1b[31mred\u202e\n&amp;")


@pytest.fixture(scope="module")
def iris():
    return evaluate(EXAMPLES / "iris.json", EXAMPLES / "iris.csv")


@pytest.fixture(scope="module")
def hostile():
    """A classifier whose classes have such names, next to itself."""
    values = {"type": "categorical", "values": sorted(HOSTILE)}
    document = whole(
        [number("a")], lambda n: {**classify(n), "output_exposition": values}, category("k", *HOSTILE)
    )
    model = sensenet.create_model(document)
    table = pa.table({"a": np.arange(30.0), "k": [*HOSTILE[:2], "<u>unknown</u>"] * 10})
    return evaluate([model, model], table)


@pytest.fixture(scope="module")
def prices():
    model = sensenet.create_model(whole([number("a")], predict_number, PRICE))
    random = np.random.default_rng(1)
    table = pa.table({"a": random.normal(size=300), "price": random.normal(size=300)})
    return evaluate([model, model], table)


@pytest.fixture(scope="module")
def cups():
    true = TrueObjects(
        boxes=np.array([[0.0, 0, 9, 9]]),
        labels=("<cup>",),
        crowds=np.zeros(1, bool),
        ignored=np.zeros(1, bool),
    )
    tally = DetectionTally(("<cup>", "spoon"))
    found = [{"label": "<cup>", "box": [0, 0, 9, 8], "score": 0.75}]
    tally.add(match_image(found, true), true)
    evaluation = Evaluation(name="cups", result=tally.result(0.5), rows_without_answer=0)
    return EvaluationReport(
        truth="annotations", source="a", rows=1, rows_without_truth=0, evaluations=(evaluation,)
    )


@pytest.fixture(scope="module")
def detectors(cups):
    """Two detectors that are compared: tested, on too few images, and without objects."""
    (evaluation,) = cups.evaluations
    tested = DetectionComparison(
        first="a", second="<b>", images=7, difference=0.125, interval=(-0.5, 0.5), p_value=0.5
    )
    untested = attrs.evolve(tested, images=1, interval=None, p_value=None)
    impossible = attrs.evolve(untested, difference=None)
    return EvaluationReport(
        truth="annotations",
        source="a",
        rows=7,
        rows_without_truth=0,
        evaluations=(evaluation, attrs.evolve(evaluation, name="<b>")),
        comparisons=(tested, untested, impossible),
    )


REPORTS = ("iris", "hostile", "prices", "cups", "detectors")


class Elements(HTMLParser):
    """Collects elements, and attributes that could load or run something; checks that all are closed."""

    VOID = frozenset({"meta", "link"})

    def __init__(self):
        super().__init__()
        self.names, self.open, self.suspicious = set(), [], []

    def handle_starttag(self, tag, attributes):
        self.names.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        self.suspicious += [
            name for name, _ in attributes if name.startswith("on") or name in ("src", "style")
        ]
        self.suspicious += [value for name, value in attributes if name == "href" and value != "data:,"]

    def handle_startendtag(self, tag, attributes):
        self.names.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", REPORTS)
def test_a_page_has_no_script_and_loads_nothing(name, request):
    page = request.getfixturevalue(name).to_html()
    elements = Elements()
    elements.feed(page)
    assert elements.open == []
    assert elements.suspicious == []
    assert not elements.names & {"script", "img", "iframe", "object", "u"}
    assert "default-src 'none'" in page
    assert not re.search(r"url\(|@import|https?://", page)
    assert "nan" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL).lower()


@pytest.mark.parametrize("name", REPORTS)
def test_json_is_strict(name, request):
    record = request.getfixturevalue(name).to_json()
    assert json.loads(json.dumps(record, allow_nan=False)) == record


@pytest.mark.parametrize("name", REPORTS)
def test_text_has_no_control_characters(name, request):
    lines = request.getfixturevalue(name).to_text().split("\n")
    assert all(line.isprintable() for line in lines)


def test_text_of_a_classifier(iris):
    lines = iris.to_text().splitlines()
    assert lines[0].endswith("iris.csv; true values: species")
    assert lines[3].split() == ["accuracy", "0.9600", "0.3400", "0.3333"]
    assert [line.split()[:5] for line in lines if line.startswith("versicolor")] == [
        ["versicolor", "17", "1.0000", "0.8824", "0.9375"],
        ["versicolor", "0", "15", "2"],
    ]


def test_text_of_a_detector(cups):
    lines = cups.to_text().splitlines()
    assert lines[0] == "1 image of a; true values: annotations"
    assert lines[3].split() == ["mAP@.5:.95", "0.8000"]  # an IoU of 8/9: right at eight of ten thresholds
    assert [line.split() for line in lines if line.startswith("<cup>")] == [
        ["<cup>", "1", "0.8000", "1.0000", "1.0000", "1.0000"]
    ]


def test_detectors_are_compared_in_text_and_page(detectors):
    lines = detectors.to_text().splitlines()
    start = lines.index("<b> compared with a, 7 images")
    assert [line.split("  ")[-1] for line in lines[start + 1 : start + 3]] == [
        "0.1250, 95 % interval -0.5000 to 0.5000",
        "0.5",
    ]
    assert lines[-3] == "<b> compared with a, 1 image"
    assert [line.split()[-1] for line in lines[-2:]] == ["–", "–"]
    page = detectors.to_html()
    assert "may be equally good (bootstrap over images, p = 0.5)" in page
    assert "There are no true objects to compare by." in page
    assert page.count('class="interval"') == 1
    assert detectors.to_json()["comparisons"][2]["p_value"] is None


@pytest.mark.parametrize(
    ("document", "truth"),
    [
        (whole([number("a")], predict_number, PRICE), ("price", 3.0)),
        (EXAMPLES / "iris.json", ("species", "setosa")),
    ],
    ids=["regression", "classifier"],
)
def test_a_row_is_not_said_in_the_plural(document, truth):
    model = sensenet.create_model(document)
    name, value = truth
    report = evaluate([model, model], pa.table({name: [value]}))
    for said in (report.to_text(), report.to_html()):
        assert "1 row" in said
        assert not re.search(r"\b1 rows", said)


def test_json_has_the_structure_of_bigml(iris):
    record = iris.to_json()
    (evaluation,) = record["evaluations"]
    result = evaluation["result"]
    assert result["class_names"] == ["setosa", "versicolor", "virginica"]
    assert result.keys() == {"class_names", "model", "mode", "random"}
    averages = {"average_precision", "average_recall", "average_f_measure", "average_phi"}
    for measures in (result["model"], result["mode"], result["random"]):
        assert measures.keys() >= {"accuracy", "confusion_matrix", "per_class_statistics", *averages}
    names = {"class_name", "accuracy", "precision", "recall", "f_measure", "phi_coefficient"}
    assert all(
        each.keys() >= {*names, "present_in_test_data"} for each in result["model"]["per_class_statistics"]
    )
    averages = {"area_under_roc_curve", "area_under_pr_curve", "ks_statistic", "max_phi"}
    averages |= {"kendalls_tau_b", "spearmans_rho"}
    assert result["model"].keys() >= {f"average_{name}" for name in averages}
    setosa = result["model"]["per_class_statistics"][0]
    assert setosa.keys() >= averages
    for name in ("roc_curve", "gain_curve", "negative_cdf"):
        assert setosa[name][0] == [0, 0, None]
    assert setosa["lift_curve"][0][1] == setosa["lift_curve"][1][1] == pytest.approx(50 / 16)
    matrix, threshold = setosa["per_threshold_confusion_matrices"][-1]
    assert (matrix, threshold) == ([[16, 34], [0, 0]], pytest.approx(0, abs=1e-3))
    assert setosa["max_phi"] == setosa["ks_statistic"] == [1, pytest.approx(0.6127, abs=1e-4)]


def test_curves_of_many_classes_are_coarser_in_json():
    random = np.random.default_rng(0)
    tallies = [ClassificationTally(tuple(map(str, range(classes)))) for classes in (2, 64)]
    lengths = []
    for tally in tallies:
        classes = len(tally.classes)
        answers = random.random((2000, classes), np.float32)
        tally.add(random.integers(0, classes, 2000), answers / answers.sum(axis=1, keepdims=True))
        evaluation = Evaluation(name="m", result=tally.result(), rows_without_answer=0)
        report = EvaluationReport(
            truth="t", source="s", rows=2000, rows_without_truth=0, evaluations=(evaluation,)
        )
        found = report.to_json()["evaluations"][0]["result"]["model"]["per_class_statistics"][0]
        lengths.append(len(found["gain_curve"]))
    assert lengths[0] > 256 > 130 > lengths[1]


def test_json_of_a_regression(prices):
    result = prices.to_json()["evaluations"][0]["result"]
    assert result.keys() == {"model", "mean", "random"}
    for measures in result.values():
        assert measures.keys() >= {"mean_absolute_error", "mean_squared_error", "r_squared"}
    assert sum(result["model"]["residuals"]["rows"]) == 300
    assert prices.to_json()["comparisons"][0]["interval"] == [0, 0]


def test_many_classes_are_cut_in_text_and_drawn_without_numbers():
    names = [f"class {number_:03d}" for number_ in range(60)]
    values = {"type": "categorical", "values": names}

    def network(features):
        return {"layers": [dense(features, 60, "softmax")], "output_exposition": values}

    model = sensenet.create_model(whole([number("a")], network, category("kind", *names)))
    report = evaluate(model, pa.table({"a": np.arange(120.0), "kind": names * 2}))
    text = report.to_text()
    assert "… and 40 more" in text
    assert "true \\ predicted" not in text
    page = report.to_html()
    assert "The 20 classes with the most rows, of 60." in page
    assert 'class="count' not in page
