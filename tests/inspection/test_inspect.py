"""`sensenet.inspect`: what it finds in documents, artifacts, graphs and models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import sensenet
from sensenet.errors import ArtifactError, SensenetError, SettingsError, UnknownTargetError
from sensenet.inspection.inspector import describe
from sensenet.inspection.opening import Opened
from sensenet.ir.cost import graph_multiply_adds, graph_parameters
from sensenet.signature import Signature

EXAMPLES = Path(__file__).parents[2] / "examples"
IRIS, DIABETES = EXAMPLES / "iris.json", EXAMPLES / "diabetes.json"


def resource(**more):
    """A resource as BigML's API returns it, with the iris network."""
    document = json.loads(IRIS.read_text())
    document["deepnet"]["holdout_metrics"] = {"max_phi": 0.93, "raw_accuracy": 0.96, "note": "text"}
    document |= {
        "created": "2021-06-28T14:24:48.618000",
        "updated": "2021-06-28T14:25:06.789000",
        "rows": 656,
        "dataset": "dataset/60d9db36128d1c68e9000065",
        "name_options": "1 hidden layers, adam",
        "importance": {"000002": 0.7, "000003": 0.25},
        "tags": ["flowers", 3],
    }
    return document | more


def test_a_document_says_what_it_is():
    found = sensenet.inspect(IRIS)
    assert (found.kind, found.format, found.name) == ("classification", "document", "iris")
    assert found.size == IRIS.stat().st_size
    assert found.classes == ("setosa", "versicolor", "virginica")
    assert found.objective.name == "species"
    petal = found.fields[2]
    assert (petal.name, petal.type, petal.minimum, petal.maximum) == ("petal length", "numeric", 1.0, 6.9)
    assert petal.missing == "3.724"
    assert [(each.name, each.type) for each in found.inputs] == [("numeric_inputs", "f32[?,4]")]


def test_costs_are_those_of_the_graph():
    graph = sensenet.compile(IRIS, "ir", optimize=0).graph
    found = sensenet.inspect(IRIS)
    assert found.costs.parameters == graph_parameters(graph) == sum(each.parameters for each in found.layers)
    assert found.costs.multiply_adds == graph_multiply_adds(graph)
    assert found.costs.size == 4 * found.costs.parameters == sum(each.size for each in found.layers)
    assert [each.op for each in found.layers if each.multiply_adds] == [
        *("standardize", "dense", "batch_normalization", "dense"),
    ]


def test_what_bigml_says_is_kept():
    found = sensenet.inspect(resource())
    assert found.resource.rows == 656
    assert found.resource.metrics == {"max_phi": 0.93, "raw_accuracy": 0.96}
    assert found.resource.tags == ("flowers",)
    assert [each.importance for each in found.fields] == [None, None, 0.7, 0.25]
    text = str(found)
    for line in ("trained        2021-06-28 14:24:48", "rows           656", "max_phi"):
        assert line in text
    assert "importance" in text


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"importance": [["000002", 0.7], ["x"], 3]}, {"000002": 0.7}),
        ({"importance": "much"}, {}),
        ({"importance": {"000002": float("nan"), "000003": True, "000001": "1"}}, {}),
        ({"importance": None}, {}),
    ],
)
def test_importance_in_any_form(more, expected):
    assert sensenet.inspect(resource(**more)).resource.importance == expected


def test_facts_of_a_wrong_type_are_left_out():
    wrong = dict.fromkeys(["created", "updated", "dataset", "name_options", "rows", "tags", "resource"], 1.5)
    found = sensenet.inspect(resource(**wrong)).resource
    assert (found.id, found.created, found.dataset, found.rows, found.tags) == ("", "", "", None, ())


def test_a_resource_in_an_envelope():
    assert sensenet.inspect({"object": resource()}).resource.rows == 656


def test_metrics_of_a_bare_network():
    network = json.loads(IRIS.read_text())["deepnet"]["network"]
    found = sensenet.inspect(network | {"validation_metrics": {"auc": 1.0}})
    assert found.resource.metrics == {"auc": 1.0}
    assert [each.name for each in found.fields] == ["column 1", "column 2", "column 3", "column 4"]


@pytest.mark.parametrize("target", ["ir", "numpy", "tfjs"])
def test_an_artifact_that_keeps_its_graph(target, tmp_path):
    path = tmp_path / f"iris.{target}"
    sensenet.compile(IRIS, target).save(path)
    found = sensenet.inspect(path)
    assert (found.format, found.kind) == (target, "classification")
    assert found.resource is None
    assert found.size >= found.costs.size
    assert [each.name for each in found.fields] == [each.name for each in sensenet.inspect(IRIS).fields]
    assert found.fields[2].maximum == 6.9


@pytest.mark.parametrize(("target", "package"), [("tflite", "ai_edge_litert"), ("onnx", "onnxruntime")])
def test_an_artifact_without_its_graph(target, package, tmp_path):
    pytest.importorskip(package)
    path = tmp_path / f"iris.{target}"
    sensenet.compile(IRIS, target).save(path)
    found = sensenet.inspect(path)
    graph = sensenet.compile(IRIS, target).graph
    assert found.classes == ("setosa", "versicolor", "virginica")
    assert {"dense", "softmax", "fully_connected", "matmul"} & {each.op.lower() for each in found.layers}
    assert found.costs.parameters == graph_parameters(graph)
    assert found.costs.size >= 4 * graph_parameters(graph)
    assert found.costs.multiply_adds is None
    assert {each.multiply_adds for each in found.layers} == {None}
    assert (found.inputs, found.outputs) == ((), ())


def test_quantized_layers_take_a_quarter_of_the_bytes(tmp_path):
    pytest.importorskip("ai_edge_litert")
    sizes = {}
    for quantize in ("none", "weights"):
        path = tmp_path / f"{quantize}.tflite"
        sensenet.compile(EXAMPLES / "digits.json.gz", "tflite", quantize=quantize).save(path)
        found = sensenet.inspect(path)
        sizes[quantize] = (found.costs.size, found.costs.parameters)
    assert sizes["weights"][0] < 0.4 * sizes["none"][0]
    assert sizes["weights"][1] == sizes["none"][1]


def test_an_artifact_of_unknown_layers_says_so():
    opened = Opened(label="x.keras", format="keras", signature=Signature(), graph=None)
    found = describe("x.keras", opened, None, (), measure=False)
    assert (found.costs, found.layers) == (None, ())
    assert "unknown: this keras artifact does not keep its graph" in str(found)


def test_a_pretrained_network_needs_no_weights(monkeypatch, tmp_path):
    monkeypatch.setenv("BIGML_SENSENET_CACHE_PATH", str(tmp_path))
    monkeypatch.setenv("BIGML_SENSENET_URL", "http://127.0.0.1:9/")
    found = sensenet.inspect("mobilenetv2")
    assert (found.format, found.source, len(found.classes)) == ("pretrained network", "mobilenetv2", 1000)
    assert found.image.height == 224
    assert 3.5e6 < found.costs.parameters < 3.6e6
    assert str(found).startswith("mobilenetv2: classification (pretrained network)\n")


def test_graphs_artifacts_and_models_in_memory():
    artifact = sensenet.compile(DIABETES, "numpy")
    formats = [sensenet.inspect(each) for each in (artifact, artifact.graph, sensenet.create_model(DIABETES))]
    assert [each.format for each in formats] == ["numpy", "graph", "model"]
    assert {each.kind for each in formats} == {"regression"}
    assert formats[0].size == len(bytes(artifact))


def test_targets_are_compiled_and_measured():
    artifact = sensenet.compile(IRIS, "numpy")
    found = sensenet.inspect(IRIS, targets=["numpy", "ir"], measure=True)
    numpy, text = found.targets
    assert numpy.size == len(bytes(artifact))
    assert numpy.latency.calls >= 3
    assert numpy.latency.row > 0
    assert numpy.latency.batch > 0
    assert found.latency is None
    assert text.target == "ir"
    assert "this machine" in str(found)


def test_without_targets_the_model_itself_is_measured():
    found = sensenet.inspect(sensenet.create_model(IRIS), measure=True)
    assert found.targets == ()
    assert found.latency.row > 0
    assert "this machine" not in str(sensenet.inspect(IRIS))


def test_settings_are_for_documents():
    found = sensenet.inspect(DIABETES, {"regression_normalize": True})
    assert dict(found.settings)["regression_normalize"] is True
    with pytest.raises(SettingsError, match="leave out regression_normalize"):
        sensenet.inspect(sensenet.compile(DIABETES, "numpy"), {"regression_normalize": True})


def test_unknown_targets_are_refused_before_any_work():
    with pytest.raises(UnknownTargetError):
        sensenet.inspect(IRIS, targets=["numpy", "nowhere"])


@pytest.mark.parametrize("source", ["nowhere.json", {}, {"deepnet": 3}, b"\x00", b"[1]", "resnet51", 3, None])
def test_what_cannot_be_inspected_is_one_of_our_errors(source):
    with pytest.raises(SensenetError):
        sensenet.inspect(source)


def test_a_model_without_its_graph_is_not_compiled(tmp_path):
    pytest.importorskip("onnxruntime")
    sensenet.compile(IRIS, "onnx").save(tmp_path / "iris.onnx")
    with pytest.raises(ArtifactError, match="without its graph"):
        sensenet.inspect(sensenet.create_model(tmp_path / "iris.onnx"), targets=["numpy"])


HOSTILE = "<script>alert(1)</script>\x1b[2J\u202e\n&"


def hostile_document():
    document = resource(name=HOSTILE, description=HOSTILE, name_options=HOSTILE, dataset=HOSTILE)
    for field in document["deepnet"]["fields"].values():
        field["name"] = HOSTILE + field["name"]
    document["deepnet"]["network"]["output_exposition"]["values"] = [HOSTILE, "b", "c"]
    document["deepnet"]["holdout_metrics"] = {HOSTILE: 1.0}
    return document


def test_hostile_names_cannot_control_a_terminal_or_a_notebook():
    found = sensenet.inspect(hostile_document())
    text = str(found)
    assert all(character.isprintable() or character == "\n" for character in text)
    assert "\\x1b[2J" in text
    assert "<script" not in found._repr_html_()


def test_very_long_names_are_cut():
    document = resource(name="x" * 100_000, description="y" * 100_000)
    document["deepnet"]["network"]["output_exposition"]["values"] = ["z" * 100_000, "b", "c"]
    found = sensenet.inspect(document)
    assert len(str(found)) < 5_000
    assert len(sensenet.create_model(document)._repr_html_()) < 40_000
    assert found.classes[0] == "z" * 100_000


def test_the_unit_and_range_of_what_is_predicted():
    document = json.loads(DIABETES.read_text())
    objective = document["deepnet"]["fields"][document["objective_field"]]
    objective |= {"prefix": "$", "description": "what it costs"}
    objective["summary"] = {"minimum": 25, "maximum": 346}
    found = sensenet.inspect(document)
    assert (found.objective.prefix, found.objective.description) == ("$", "what it costs")
    assert "  progression: numeric, 25 to 346, written $…" in str(found)


def test_json_has_all_facts():
    record = sensenet.inspect(resource()).to_json()
    again = json.loads(json.dumps(record, allow_nan=False))
    assert again["fields"][3]["importance"] == 0.25
    assert again["costs"]["parameters"] == 99
    assert again["resource"]["metrics"]["max_phi"] == 0.93
