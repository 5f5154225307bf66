"""Spark answers as one process does, in threads of one JVM and with executors in their own."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from support.dying import die_once, make_dying
from support.scale import ALWAYS, TABLES, image_model, make_table, require, scored, write_images

import sensenet
import sensenet.spark
from sensenet.errors import InputError, InputTypeError, SettingsError

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
MASTERS = ("local[2, 4]", "local-cluster[2, 1, 600]")
"""The second has two executors, each a JVM of one core with Python workers of its own."""

ROWS = 60


@pytest.fixture(scope="module", params=MASTERS)
def spark(request):
    pyspark = require("pyspark")
    if not shutil.which("java") and not os.environ.get(ALWAYS):
        pytest.skip("Spark needs Java")
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    os.environ.update(PYSPARK_PYTHON=sys.executable, SPARK_LOCAL_IP="127.0.0.1", PYTHONPATH=path)
    builder = pyspark.sql.SparkSession.builder.master(request.param)
    for key, value in {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "1g",
        "spark.executor.memory": "512m",
        "spark.executorEnv.PYTHONPATH": path,
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "5",
    }.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


def spread(spark, table, partitions=4):
    """A table as a data frame in partitions."""
    return spark.createDataFrame(table).repartition(partitions)


def as_dicts(df):
    return sorted((row.asDict(recursive=True) for row in df.collect()), key=lambda row: row["id"])


def numbers(value):
    """Probabilities of either form, and detections, as a list."""
    return [*value.values()] if isinstance(value, dict) else value


def assert_same(found, wanted):
    assert len(found) == len(wanted)
    for row, expected in zip(found, wanted, strict=True):
        assert row.keys() == expected.keys()
        for name, value in expected.items():
            if isinstance(value, dict | list):
                np.testing.assert_array_equal(numbers(row[name]), numbers(value))
            else:
                assert row[name] == value


@pytest.mark.parametrize("name", TABLES)
def test_rows_texts_and_trees(spark, name):
    model, table = make_table(name, ROWS)
    df = sensenet.spark.score(spread(spark, table), model, keep=["id"])
    assert df.columns == ["id", "prediction", "probability"]
    assert_same(as_dicts(df), scored(table, model, keep=["id"]))


def test_image_bytes(spark, tmp_path):
    pa = require("pyarrow")
    paths = write_images(tmp_path, 6)
    model = image_model()
    files = spark.read.format("binaryFile").load(paths).withColumnsRenamed({"content": "photo", "path": "id"})
    found = as_dicts(sensenet.spark.score(files.select("id", "photo"), model, keep=["id"]))
    contents = [Path(path).read_bytes() for path in sorted(paths)]
    table = pa.table({"id": [f"file:{path}" for path in sorted(paths)], "photo": contents})
    wanted = scored(table, model, keep=["id"])
    assert found == wanted
    assert any(row["detections"] for row in wanted)
    column = files.select("id", sensenet.spark.udf(model)("photo").alias("detections"))
    assert as_dicts(column) == wanted


@pytest.mark.parametrize("probabilities", ["struct", "list"])
def test_the_function_of_columns(spark, probabilities):
    from pyspark.sql.functions import struct

    model, table = make_table("texts", ROWS)
    df = spread(spark, table)
    row = struct(*[f"`{name}`" for name in df.columns if name != "id"])
    predict = sensenet.spark.udf(model)
    probability = sensenet.spark.udf(model, "probability", probabilities=probabilities)
    answered = df.select("id", predict(row).alias("prediction"), probability(row).alias("probability"))
    assert_same(as_dicts(answered), scored(table, model, keep=["id"], probabilities=probabilities))


def bad_table():
    """Rows of which number 7 has a text that is not a number, and their model."""
    pa = require("pyarrow")
    model, table = make_table("rows", ROWS)
    widths = [str(number) for number in range(ROWS)]
    widths[7] = "wide"
    return model, table.set_column(1, "width", pa.array(widths))


def test_a_bad_row_fails_the_job_and_is_named(spark):
    model, table = bad_table()
    with pytest.raises(Exception, match=r"InputError: partition \d+, row \d+ \(id=7\): .*width.*'wide'"):
        sensenet.spark.score(spread(spark, table), model, keep=["id"]).collect()


def test_a_bad_row_is_null_as_asked(spark):
    from pyspark.sql.functions import struct

    model, table = bad_table()
    df = spread(spark, table)
    found = as_dicts(sensenet.spark.score(df, model, keep=["id"], on_error="null"))
    assert_same(found, scored(table, model, keep=["id"], on_error="null"))
    assert [row["id"] for row in found if row["error"]] == [7]
    predict = sensenet.spark.udf(model, on_error="null")
    answered = as_dicts(df.select("id", predict(struct("width", "color", "height")).alias("prediction")))
    assert [row["id"] for row in answered if row["prediction"] is None] == [7]


def test_what_is_wrong_with_columns_is_an_error_before_the_job(spark):
    model, table = make_table("rows", 3)
    df = spark.createDataFrame(table)
    with pytest.raises(InputError, match="unknown field 'id'"):
        sensenet.spark.score(df, model)
    with pytest.raises(InputError, match="no column 'identity' to keep"):
        sensenet.spark.score(df, model, keep=["identity"])
    with pytest.raises(SettingsError, match="unknown output 'probabilities'"):
        sensenet.spark.score(df, model, ["probabilities"], keep=["id"])
    with pytest.raises(SettingsError, match="two columns would be named 'prediction'"):
        sensenet.spark.score(df.withColumnRenamed("id", "prediction"), model, keep=["prediction"])
    with pytest.raises(InputTypeError, match="expected a data frame of Spark"):
        sensenet.spark.score(table, model, keep=["id"])
    with pytest.raises(SettingsError, match="unknown output"):
        sensenet.spark.udf(model, "detections")


def test_an_empty_table_has_the_columns(spark):
    model, table = make_table("rows", 3)
    df = sensenet.spark.score(spark.createDataFrame(table).where("id < 0"), model, keep=["id"])
    assert df.collect() == []
    assert df.columns == ["id", "prediction", "probability"]


def probe(batches):
    """The threads of a worker, and how often it opened a model that counts."""
    import pyarrow as pa
    from support import dying
    from threadpoolctl import threadpool_info

    from sensenet.processors import usable_processors

    for _ in batches:
        blas = max(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")
        row = {"blas": blas, "threads": usable_processors(), "opened": dying.opened}
        yield pa.RecordBatch.from_pylist([row])


def test_a_worker_has_one_thread_and_opens_a_model_once(spark):
    """The model comes with each of twenty tasks."""
    model, table = make_table("trees", ROWS)
    model = make_dying(model, None)
    for _ in range(2):
        assert sensenet.spark.score(spread(spark, table, 10), model, keep=["id"]).count() == ROWS
    schema = "blas long, threads long, opened long"
    rows = spark.range(0, 8, 1, 8).mapInArrow(probe, schema).collect()
    assert {(row.blas, row.threads) for row in rows} == {(1, 1)}
    assert max(row.opened for row in rows) == 1


def kill_executor_once(folder, batches):
    """Pass batches on; the first process of all to get here kills the JVM that it works for."""
    for batch in batches:
        yield batch
        if die_once(folder):
            daemon = os.getppid()
            executor = int(Path(f"/proc/{daemon}/stat").read_text().rsplit(")", 1)[1].split()[1])
            os.kill(executor, signal.SIGKILL)


@pytest.mark.parametrize("victim", ["worker", "executor"])
def test_what_is_killed_in_a_job_loses_and_doubles_nothing(spark, victim, tmp_path):
    model, table = make_table("rows", ROWS)
    wanted = scored(table, model, keep=["id"])
    df = spread(spark, table)
    if victim == "worker":
        model = make_dying(model, tmp_path)
    elif spark.sparkContext.master.startswith("local["):
        pytest.skip("there, the executor is the driver")
    else:
        df = df.mapInArrow(functools.partial(kill_executor_once, str(tmp_path)), df.schema)
    answers = sensenet.spark.score(df, model, keep=["id"])
    answers.write.parquet(str(tmp_path / "answers"))
    assert (tmp_path / "died").exists()
    assert_same(as_dicts(spark.read.parquet(str(tmp_path / "answers"))), wanted)
