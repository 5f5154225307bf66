"""How a model travels to workers of Spark; tests/scale runs Spark itself."""

from __future__ import annotations

import pickle
import sys

import pytest

import sensenet
from sensenet import spark
from sensenet.errors import InputTypeError, MissingPackageError
from sensenet.models.create import create_model

IRIS = "examples/iris.json"


@pytest.fixture
def opened(monkeypatch):
    models = {}
    monkeypatch.setattr(spark, "_opened", models)
    return models


def test_a_worker_shares_a_model_that_comes_twice(opened):
    model = create_model(IRIS)
    content = pickle.dumps(spark.Shipment(model))
    first = pickle.loads(content)
    assert pickle.loads(content) is first
    assert first is not model
    assert list(first([5.1, 3.5, 1.4, 0.2])[0]) == list(model([5.1, 3.5, 1.4, 0.2])[0])


def test_the_oldest_of_many_models_is_closed(opened):
    models = [create_model(IRIS, settings={"image_path_prefix": str(number)}) for number in range(6)]
    found = [pickle.loads(pickle.dumps(spark.Shipment(model))) for model in models]
    assert [model.settings.image_path_prefix for model in opened.values()] == ["2", "3", "4", "5"]
    assert found[-1] in opened.values()


def test_what_is_not_a_data_frame_is_an_error():
    with pytest.raises(InputTypeError, match=r"expected a data frame of Spark, found \[\]"):
        spark.score([], create_model(IRIS))


def test_a_function_of_columns_is_made_before_the_session():
    pytest.importorskip("pyspark.sql")
    assert spark.udf(create_model(IRIS)).returnType.simpleString() == "string"
    probability = spark.udf(create_model(IRIS), "probability", probabilities="list")
    assert probability.returnType.simpleString() == "array<float>"


def test_a_missing_pyspark_is_an_error(monkeypatch):
    for name in {"pyspark", *(name for name in sys.modules if name.startswith("pyspark."))}:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingPackageError, match=r"sensenet-compiler\[spark\]"):
        spark.udf(sensenet.create_model(IRIS))
