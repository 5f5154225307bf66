"""Models in MLflow's format: saved, logged and loaded, as pyfunc, in a fresh process and in Spark."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import attrs
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from support.documents import ROW, detector, image, typed
from support.resources import MIXED_ROWS, RESOURCES, image_resource, region_resource

from sensenet.backends import get_target
from sensenet.compiler.driver import compile
from sensenet.errors import ArtifactError, InputTypeError, MissingPackageError
from sensenet.models.engines import run_graph
from sensenet.models.wrappers import create_image_feature_extractor, create_model

mlflow = pytest.importorskip("mlflow")
pyfunc = pytest.importorskip("mlflow.pyfunc")

import sensenet.mlflow as flavor  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")

ROWS = [{"width": 1.5, "color": "red", "height": 4.0}, {"color": "blue"}, {"width": -2.0}]


@pytest.fixture(scope="module")
def classifier():
    return create_model(RESOURCES["tabular"]())


@pytest.fixture(scope="module")
def saved(classifier, tmp_path_factory):
    path = tmp_path_factory.mktemp("mlflow") / "model"
    flavor.save_model(classifier, path)
    return path


def test_a_saved_model_answers_the_same(classifier, saved):
    frame = pd.DataFrame(ROWS, index=[5, 6, 9])
    found = pyfunc.load_model(str(saved)).predict(frame)
    assert found.index.tolist() == [5, 6, 9]
    assert found["prediction"].tolist() == classifier.predict(frame).tolist()
    probabilities = classifier.predict_proba(frame)
    np.testing.assert_allclose(found["probabilities"].tolist(), probabilities, atol=1e-6)
    np.testing.assert_allclose(found["probability"], probabilities.max(axis=1), atol=1e-6)
    again = flavor.load_model(str(saved))
    np.testing.assert_allclose(again(ROWS), classifier(ROWS), atol=1e-6)


def test_parameters_are_an_operating_point(classifier, saved):
    loaded = pyfunc.load_model(str(saved))
    for threshold in (0.0, 0.5, 1.0):
        point = {"kind": "probability", "positive_class": "spam", "threshold": threshold}
        found = loaded.predict(pd.DataFrame(ROWS), params={"positive_class": "spam", "threshold": threshold})
        assert found["prediction"].tolist() == classifier.predict(ROWS, operating_point=point).tolist()
    with pytest.raises(ValueError, match="unknown positive_class 'eggs'"):
        loaded.predict(pd.DataFrame(ROWS), params={"positive_class": "eggs"})


def test_the_signature_has_fields_answers_and_parameters(saved):
    signature = pyfunc.load_model(str(saved)).metadata.signature
    assert [(each.name, str(each.type), each.required) for each in signature.inputs] == [
        ("width", "DataType.double", False),
        ("color", "DataType.string", False),
        ("height", "DataType.double", False),
    ]
    assert signature.outputs.input_names() == ["prediction", "probability", "probabilities"]
    assert {each.name: each.default for each in signature.params} == {"positive_class": "", "threshold": 0.5}


def test_a_regression_has_numbers_and_no_parameters(tmp_path):
    model = create_model(RESOURCES["mixed, defaults"]())
    flavor.save_model(model, tmp_path / "model")
    loaded = pyfunc.load_model(str(tmp_path / "model"))
    assert loaded.metadata.signature.params is None
    rows = [{**row, "member": str(row.get("member", ""))} for row in MIXED_ROWS if "000000" not in row]
    found = loaded.predict(pd.DataFrame(rows))
    assert list(found) == ["prediction"]
    np.testing.assert_allclose(found["prediction"], model(rows)[:, 0], rtol=1e-5)


def test_fields_of_one_name_go_by_their_ids(tmp_path):
    document = RESOURCES["tabular"]()
    document["object"]["deepnet"]["fields"]["000002"]["name"] = "width"
    signature = flavor.make_signature(create_model(document).signature)
    assert signature.inputs.input_names() == ["000000", "color", "000002"]


def test_images_are_paths_or_bytes(tmp_path):
    path = tmp_path / "image.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (30, 31, 3), np.uint8)).save(path)
    cells = [str(path), path.read_bytes()]
    models = {
        "rows": create_model(image_resource()),
        "regions": create_model(region_resource(), {"bounding_box_threshold": 0.01}),
        "features": create_image_feature_extractor(image()),
    }
    for name, model in models.items():
        flavor.save_model(model, tmp_path / name)
        loaded = pyfunc.load_model(str(tmp_path / name))
        column = "photo" if model.signature.fields else "0"
        found = loaded.predict(pd.DataFrame({column: cells}))
        if name == "regions":
            assert found["prediction"].tolist() == model(cells)
            assert found["prediction"][0]
            one = loaded.predict(pd.DataFrame({column: cells[:1]}, index=[3]))
            assert one["prediction"].to_dict() == {3: model(cells[0])}
        elif name == "features":
            np.testing.assert_allclose(
                found["features"].tolist(), model([[cell] for cell in cells]), rtol=1e-5
            )
        else:
            assert found["prediction"].tolist() == model.predict([{"photo": cell} for cell in cells]).tolist()


def test_a_model_without_field_names_takes_rows_of_cells(tmp_path):
    model = create_model(typed())
    flavor.save_model(model, tmp_path / "model")
    loaded = pyfunc.load_model(str(tmp_path / "model"))
    assert loaded.metadata.signature.inputs is None
    for rows in ([list(ROW)] * 2, np.array([ROW] * 2, object), pd.DataFrame([ROW] * 2)):
        assert loaded.predict(rows)["prediction"].tolist() == model.predict(rows).tolist()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_detector_without_field_names_takes_rows_of_cells(count, tmp_path):
    path = tmp_path / "image.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (30, 31, 3), np.uint8)).save(path)
    model = create_model(detector(), {"bounding_box_threshold": 0.01})
    flavor.save_model(model, tmp_path / "model")
    loaded = pyfunc.load_model(str(tmp_path / "model"))
    wanted = [model(str(path))] * count
    assert loaded.predict(pd.DataFrame({"0": [str(path)] * count}))["prediction"].tolist() == wanted
    if count:
        assert loaded.predict([[str(path)]] * count)["prediction"].tolist() == wanted


def test_an_artifact_keeps_its_target(classifier, tmp_path):
    pytest.importorskip("onnxruntime")
    flavor.save_model(compile(RESOURCES["tabular"](), "onnx"), tmp_path / "model")
    assert (tmp_path / "model/data/model.onnx").is_file()
    again = flavor.load_model(str(tmp_path / "model"))
    assert again.engine == "onnx"
    np.testing.assert_allclose(again(ROWS), classifier(ROWS), atol=1e-5)


@pytest.mark.parametrize("target", ["numpy", "ir", "onnx", "tflite"])
@pytest.mark.parametrize("saved_first", [True, False])
def test_a_model_opened_from_an_artifact_keeps_its_target(classifier, tmp_path, target, saved_first):
    if target in ("onnx", "tflite"):
        pytest.importorskip({"onnx": "onnxruntime", "tflite": "ai_edge_litert"}[target])
    artifact = compile(RESOURCES["tabular"](), target)
    source = artifact.save(tmp_path / f"a{get_target(target).suffix}") if saved_first else artifact
    opened = create_model(source)
    flavor.save_model(opened, tmp_path / "model")
    again = flavor.load_model(str(tmp_path / "model"))
    assert opened.engine == target
    assert again.engine == ("numpy" if target == "ir" else target)
    np.testing.assert_array_equal(again(ROWS), opened(ROWS))
    found = pyfunc.load_model(str(tmp_path / "model")).predict(pd.DataFrame(ROWS))
    assert found["prediction"].tolist() == classifier.predict(ROWS).tolist()


def test_a_file_that_has_changed_is_not_saved(tmp_path):
    """Pickling compiles the graph again then; MLflow would get another artifact than the one opened."""
    pytest.importorskip("onnxruntime")
    artifact = compile(RESOURCES["tabular"](), "onnx")
    opened = create_model(artifact)
    opened._use(attrs.evolve(opened._executable, remake=lambda: (run_graph, (artifact.graph, "onnx"))))
    with pytest.raises(ArtifactError, match="has changed"):
        flavor.save_model(opened, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_requirements_are_those_of_the_extra_with_the_name_of_the_target(monkeypatch):
    needed = [
        "numpy<3,>=1.26",
        "absent>=2; extra == 'x'",
        "pillow>=10; extra == 'y'",
        "old; python_version < '3'",
    ]
    monkeypatch.setattr("importlib.metadata.requires", lambda _: needed)
    numpy = f"numpy=={np.__version__}"
    assert flavor.list_requirements("x") == ["absent>=2", numpy]
    assert flavor.list_requirements("keras") == [numpy]


def test_logging(classifier, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"file:{tmp_path}/runs")
    try:
        with mlflow.start_run():
            info = flavor.log_model(classifier, "model", metadata={"source": "test"})
        again = flavor.load_model(info.model_uri)
        found = pyfunc.load_model(info.model_uri).predict(pd.DataFrame(ROWS))
    finally:
        mlflow.set_tracking_uri(before)
    np.testing.assert_allclose(again(ROWS), classifier(ROWS), atol=1e-6)
    assert found["prediction"].tolist() == classifier.predict(ROWS).tolist()
    assert info.signature.inputs.input_names() == ["width", "color", "height"]


@pytest.mark.slow
def test_the_directory_brings_its_code_and_requirements(classifier, saved, tmp_path):
    """A fresh process finds this package nowhere but in the directory."""
    assert (saved / "code/sensenet/mlflow.py").is_file()
    lines = (saved / "requirements.txt").read_text().splitlines()
    assert any(line.startswith("numpy==") for line in lines)
    assert not any(line.startswith(("sensenet", "tensorflow")) for line in lines)
    pd.DataFrame(ROWS).to_json(tmp_path / "rows.json")
    code = f"""if True:
        import sys
        import attrs
        import mlflow.pyfunc, pandas
        assert "sensenet" not in sys.modules
        model = mlflow.pyfunc.load_model({str(saved)!r})
        print(sys.modules["sensenet"].__file__)
        print(model.predict(pandas.read_json({str(tmp_path / "rows.json")!r}))["prediction"].tolist())
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    file, answers = result.stdout.splitlines()
    assert file == str(saved / "code/sensenet/__init__.py")
    assert json.loads(answers.replace("'", '"')) == classifier.predict(ROWS).tolist()


def test_given_requirements_stay(classifier, tmp_path):
    flavor.save_model(
        classifier, tmp_path / "model", pip_requirements=["sensenet @ file:///wheels/sensenet.whl"]
    )
    assert "file:///wheels/sensenet.whl" in (tmp_path / "model/requirements.txt").read_text()
    assert not (tmp_path / "model/code").exists()


def test_what_cannot_be_saved_or_loaded(classifier, saved, tmp_path):
    with pytest.raises(InputTypeError, match="create_model first"):
        flavor.save_model("model.json", tmp_path / "model")
    with pytest.raises(ArtifactError, match="exists already"):
        flavor.save_model(classifier, saved)
    assert not (tmp_path / "model").exists()
    with pytest.raises(ArtifactError, match="found no model of MLflow at"):
        flavor.load_model(str(tmp_path))
    with pytest.raises(ArtifactError, match="found no model of MLflow at"):
        flavor.load_model(str(tmp_path / "nowhere"))
    changed = tmp_path / "other"
    shutil.copytree(saved, changed)
    text = (changed / "MLmodel").read_text()
    (changed / "MLmodel").write_text(text.replace("\n  sensenet:\n", "\n  other:\n"))
    with pytest.raises(ArtifactError, match="not a model of sensenet: its flavors are"):
        flavor.load_model(str(changed))


def test_without_mlflow_the_error_says_what_to_install(classifier, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setitem(sys.modules, "mlflow.models", None)
    with pytest.raises(MissingPackageError, match=r"sensenet-compiler\[mlflow\]"):
        flavor.save_model(classifier, tmp_path / "model")


def test_of_a_source_tree_that_is_not_installed_the_requirements_are_unknown(monkeypatch):
    monkeypatch.setattr("sensenet.mlflow.DISTRIBUTION", "never-installed")
    with pytest.raises(MissingPackageError, match=r"'never-installed', which is not installed"):
        flavor.list_requirements("numpy")


@pytest.mark.slow
def test_spark_answers_the_same(classifier, saved, monkeypatch):
    pytest.importorskip("pyspark")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    from pyspark.sql import SparkSession

    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    rows, names = [[1.5, "red", 4.0], [0.5, "blue", 1.0], [-2.0, "green", 3.0]], ["width", "color", "height"]
    builder = SparkSession.builder.master("local[1]").config("spark.driver.host", "127.0.0.1")
    session = builder.config("spark.ui.enabled", "false").getOrCreate()
    try:
        table = session.createDataFrame(rows, names)
        udf = pyfunc.spark_udf(session, str(saved), env_manager="local")
        answered = table.withColumn("answer", udf(*names)).select("answer.*").collect()
        point = {"positive_class": "spam", "threshold": 0.0}
        at = pyfunc.spark_udf(session, str(saved), env_manager="local", params=point)
        chosen = table.withColumn("answer", at(*names)).select("answer.prediction").collect()
    finally:
        session.stop()
    assert [each.prediction for each in answered] == classifier.predict(rows).tolist()
    found = [each.probabilities for each in answered]
    np.testing.assert_allclose(found, classifier.predict_proba(rows), atol=1e-6)
    assert [each.prediction for each in chosen] == ["spam"] * 3
