"""`sensenet.batches.score`: record batches in, answers as record batches out, whatever the model is."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.documents import detector, image, typed
from support.profiles import examples
from support.resources import RESOURCES, detect, image_field, number, predict_number, whole

import sensenet
from sensenet.batches import output_schema, score, spark_schema
from sensenet.errors import InputError, InputTypeError, SettingsError

IRIS = Path(__file__).parents[2] / "examples" / "iris.json"
NAMES = ["sepal length", "sepal width", "petal length", "petal width"]


@pytest.fixture(scope="module")
def iris():
    return sensenet.create_model(IRIS)


def flowers(rows=7, **others):
    numbers = np.random.default_rng(rows).uniform(0, 7, (4, rows))
    columns = dict(zip(NAMES, map(pa.array, numbers), strict=True))
    return pa.table(columns | {name: pa.array(cells) for name, cells in others.items()})


def rows_of(scores):
    return [row for batch in scores for row in batch.to_pylist()]


def png():
    pixels = np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png")
    return stream.getvalue()


def test_a_classifier(iris):
    table = flowers(id=list(range(7)))
    scores = score(table.to_batches(max_chunksize=3), iris, keep=["id", "petal width"])
    batches = list(scores)
    answers = iris(table.drop_columns(["id"]))
    assert [batch.num_rows for batch in batches] == [3, 3, 1]
    assert (scores.rows, scores.failed) == (7, 0)
    whole = pa.Table.from_batches(batches)
    assert whole.schema == output_schema(iris, kept=[table.schema.field(n) for n in ("id", "petal width")])
    assert whole["id"].to_pylist() == list(range(7))
    assert whole["prediction"].to_pylist() == [iris.classes[best] for best in answers.argmax(axis=1)]
    found = [list(row.values()) for row in whole["probability"].to_pylist()]
    np.testing.assert_array_equal(np.float32(found), answers)
    assert list(whole["probability"][0].as_py()) == list(iris.classes)


def test_chosen_outputs_and_lists_of_probabilities(iris):
    (batch,) = score(flowers(), iris, ["probability"], probabilities="list")
    assert batch.schema == pa.schema([("probability", pa.list_(pa.float32(), 3))])
    np.testing.assert_array_equal(np.float32(batch["probability"].to_pylist()), iris(flowers()))


def test_a_regression():
    model = sensenet.create_model(whole([number("a"), number("b")], predict_number, number("price")))
    table = pa.table({"b": [1.0, None], "a": ["2", "nan"]})
    (batch,) = score(table, model)
    assert batch.schema == output_schema(model) == pa.schema([("prediction", pa.float32())])
    wanted = model([{"a": 2, "b": 1}, {}])
    np.testing.assert_array_equal(np.float32(batch["prediction"].to_pylist()), wanted[:, 0])


def test_images_by_path_and_bytes_and_their_detections(tmp_path):
    path = tmp_path / "image.png"
    path.write_bytes(png())
    settings = {"bounding_box_threshold": 0.01}
    for document in (detector(), whole([image_field("photo")], detect, number("x"))):
        model = sensenet.create_model(document, settings)
        for column in (
            pa.array([str(path)] * 2),
            pa.array([png()] * 2),
            pa.array([png()] * 2, pa.large_binary()),
        ):
            (batch,) = score(pa.table({"photo": column}), model)
            assert batch.schema == output_schema(model)
            (one,) = score(pa.table({"photo": column}).slice(0, 1), model)
            wanted = model(str(path))
            for found in (*batch["detections"].to_pylist(), *one["detections"].to_pylist()):
                assert [each["box"] for each in found] == [each["box"] for each in wanted]
                assert [each["label"] for each in found] == [each["label"] for each in wanted]
                assert np.float32([each["score"] for each in found]).tolist() == [e["score"] for e in wanted]
            assert wanted


def test_features_are_lists_of_fixed_size():
    document = image()
    document["preprocess"] = document["preprocess"][:1]
    model = sensenet.create_image_feature_extractor(document)
    (batch,) = score(pa.table({"image": [png(), png()]}), model)
    answers = model([png(), png()])
    assert batch.schema == pa.schema([("features", pa.list_(pa.float32(), answers.shape[1]))])
    np.testing.assert_array_equal(np.float32(batch["features"].to_pylist()), answers)


def test_boxes_that_are_arrays_are_refused():
    model = sensenet.create_model(detector(), {"output_unfiltered_boxes": True})
    with pytest.raises(InputError, match="only filtered, unpadded boxes"):
        output_schema(model)


def test_what_a_stream_may_be(iris):
    table = flowers()
    wanted = rows_of(score(table, iris))
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches())
    for form in (table.to_batches(), table.to_batches()[0], reader, pl.from_arrow(table), iter([table])):
        assert rows_of(score(form, iris)) == wanted
    for wrong in (3, "text", {"a": 1}, [1], [{"a": 1}]):
        with pytest.raises(InputTypeError, match="expected record batches of Arrow"):
            list(score(wrong, iris))


def test_batches_are_read_when_they_are_needed(iris):
    """So memory is constant, whatever the number of batches."""
    read = []

    def batches():
        for each in range(1000):
            read.append(each)
            yield flowers(2).to_batches()[0]

    scores = score(batches(), iris)
    assert read == []
    next(scores)
    next(scores)
    assert read == [0, 1]


def test_large_batches_are_divided(iris, monkeypatch):
    from sensenet.batches import scoring

    monkeypatch.setattr(scoring, "ROWS_AT_ONCE", 3)
    sizes = []
    scores = score(flowers(10), iris)
    model = type("Model", (), {})()
    model.answer_table = lambda table: sizes.append(len(table)) or iris.answer_table(table)
    model.answer_shape = iris.answer_shape
    object.__setattr__(scores.scorer, "model", model)
    (batch,) = scores
    assert sizes == [3, 3, 3, 1]
    assert batch.to_pylist() == rows_of(score(flowers(10), iris))


def test_an_error_names_the_row_of_all_batches_and_the_column(iris):
    table = pa.table({"petal width": ["1", "2", "x", "3"], "petal length": ["1"] * 4})
    with pytest.raises(InputError, match=r"row 6: column 3 \(\"petal width\"\): cannot read 'x' as a number"):
        list(score([table.slice(0, 2), table.slice(0, 2), table], iris))


@given(bad=st.lists(st.booleans(), max_size=20))
@examples(30)
def test_rows_with_errors_are_null_and_counted(iris, bad):
    cells = [("wide" if wrong else str(row)) for row, wrong in enumerate(bad)]
    table = pa.table({"petal width": pa.array(cells, pa.string()), "id": pa.array(range(len(bad)))})
    scores = score(table, iris, keep=["id"], on_error="null")
    rows = rows_of(scores)
    assert (scores.rows, scores.failed) == (len(bad), sum(bad))
    kept = [field for field in table.schema if field.name == "id"]
    assert all(batch.schema == output_schema(iris, kept=kept, on_error="null") for batch in scores)
    for place, (row, wrong) in enumerate(zip(rows, bad, strict=True)):
        assert row["id"] == place
        if wrong:
            reason = "column 3 (\"petal width\"): cannot read 'wide' as a number"
            assert row == {"id": place, "prediction": None, "probability": None, "error": reason}
        else:
            assert row["error"] is None
            wanted = iris([{"petal width": place}])[0]
            np.testing.assert_array_equal(np.float32(list(row["probability"].values())), wanted)


@pytest.mark.parametrize("rows", [1, 2, 300, 1000])
@pytest.mark.parametrize("share", [0.01, 0.5, 1.0])
def test_reasons_are_those_of_rows_alone(rows, share):
    """Also if several columns are wrong, or texts and the cells of categories."""
    model = sensenet.create_model(RESOURCES["mixed"]())
    random = np.random.default_rng(rows)
    wrong = random.uniform(size=(rows, 3)) < share
    table = pa.table(
        {
            "age": pa.array(["x" if bad else "1" for bad in wrong[:, 0]]),
            "cost": pa.array(["$y each" if bad else "$2 each" for bad in wrong[:, 1]]),
            "color": pa.array(["red", "blue"][row % 2] for row in range(rows)),
            "when.year": pa.array([f"z{row}" if wrong[row, 2] else "2020" for row in range(rows)]),
        }
    )
    found = rows_of(score(table, model, on_error="null"))
    alone = [rows_of(score(table.slice(row, 1), model, on_error="null"))[0] for row in range(0, rows, 7)]
    assert found[::7] == alone
    assert [row["error"] is not None for row in found] == wrong.any(axis=1).tolist()


def test_bad_rows_are_read_once_each(iris, monkeypatch):
    """Of some wrong rows, no model is called for each."""
    calls = []
    answer = type(iris).answer_table
    monkeypatch.setattr(type(iris), "answer_table", lambda *args: calls.append(1) or answer(*args))
    scores = score(pa.table({"petal width": ["wide"] * 4096}), iris, on_error="null")
    assert [row["error"] for row in rows_of(scores)] == [
        "column 3 (\"petal width\"): cannot read 'wide' as a number"
    ] * 4096
    assert len(calls) < 4096 / 64


def test_bad_rows_of_types_that_arrow_cannot_take(iris):
    column = pa.array(["1", "wide", "2"] * 9, pa.string_view())
    scores = score(pa.table({"petal width": column}), iris, on_error="null")
    assert [row["error"] is None for row in rows_of(scores)] == [True, False, True] * 9


def test_images_with_errors_are_null(tmp_path):
    model = sensenet.create_model(detector(), {"bounding_box_threshold": 0.01})
    scores = score(pa.table({"image": [png(), b"no image", None]}), model, on_error="null")
    first, second, third = rows_of(scores)
    assert scores.failed == 1
    assert first["detections"]
    assert second["detections"] is None
    assert second["error"].startswith("not an image in a known format")
    assert third["error"] is None
    with pytest.raises(InputError, match=r"^row 1: not an image in a known format"):
        list(score(pa.table({"image": [png(), b"no image"]}), model))


def test_wrong_arguments(iris):
    for wrong in ([], "prediction", ["prediction", "prediction"], ["features"], ["probabilty"]):
        with pytest.raises(SettingsError, match="output"):
            score(flowers(), iris, wrong)
    with pytest.raises(SettingsError, match="did you mean 'probability'"):
        score(flowers(), iris, ["probabilty"])
    with pytest.raises(SettingsError, match="expected 'raise' or 'null'; found 'ignore'"):
        score(flowers(), iris, on_error="ignore")
    with pytest.raises(SettingsError, match="expected 'struct' or 'list'"):
        score(flowers(), iris, probabilities="map")
    with pytest.raises(InputTypeError, match="expected a list of column names, found the text 'id'"):
        score(flowers(), iris, keep="id")


@pytest.mark.parametrize("on_error", ["raise", "null"])
def test_columns_that_are_wrong_raise_in_any_case(iris, on_error):
    with pytest.raises(InputError, match="unknown field 'petal widht': did you mean 'petal width'"):
        list(score(pa.table({"petal widht": [1.0]}), iris, on_error=on_error))
    with pytest.raises(InputError, match="no column 'id' to keep"):
        list(score(flowers(), iris, keep=["id"], on_error=on_error))
    doubled = pa.table([[1.0], [1.0]], names=["petal width", "petal width"])
    with pytest.raises(InputError, match="several columns are named 'petal width'"):
        list(score(doubled, iris, on_error=on_error))
    with pytest.raises(SettingsError, match="two columns would be named 'prediction'"):
        list(score(flowers(prediction=[1] * 7), iris, keep=["prediction"], on_error=on_error))


def test_probabilities_that_are_not_numbers_have_no_best_class(iris):
    document = json.loads(IRIS.read_text())
    for layer in document["deepnet"]["network"]["layers"][:-1]:
        layer["activation_function"] = "linear"
    model = sensenet.create_model(document)
    table = pa.table({"petal width": [float("inf"), 0.2], "petal length": [float("-inf"), 1.4]})
    first, second = rows_of(score(table, model, on_error="null"))
    assert first["prediction"] is None
    assert first["error"] is None
    assert second["prediction"] in model.classes


def test_schemas_in_terms_of_spark(iris):
    kept = [pa.field("a`b", pa.int64()), pa.field("day", pa.date32())]
    assert spark_schema(output_schema(iris, kept=kept)) == (
        "`a``b` bigint, `day` date, `prediction` string, "
        "`probability` struct<`setosa`: float, `versicolor`: float, `virginica`: float>"
    )
    assert spark_schema(output_schema(iris, ["probability"], probabilities="list")) == (
        "`probability` array<float>"
    )
    assert spark_schema(output_schema(sensenet.create_model(detector()))) == (
        "`detections` array<struct<`box`: array<int>, `label`: string, `score`: float>>"
    )
    with pytest.raises(InputError, match="the type uint64, which Spark lacks"):
        spark_schema(pa.schema([("n", pa.uint64())]))


@pytest.mark.parametrize("resource", ["mixed", "mixed, no flags", "mixed, defaults"])
@given(data=st.data())
@examples(10)
def test_texts_of_numbers_mean_the_same_in_arrow_and_in_dicts(resource, data):
    """Whether or not Arrow reads all texts of a column as numbers."""
    model = sensenet.create_model(RESOURCES[resource]())
    texts = ["1", "2.50", " 3", "1_0", "nan", "-NaN", "NA", "inf", "1e3", "", None, "$5 each", "٣", "-"]
    names = ["age", "cost", "when.year", "color", "Message"]
    rows = data.draw(
        st.lists(
            st.fixed_dictionaries({name: st.sampled_from(texts) for name in names}), min_size=1, max_size=6
        )
    )
    table = pa.table({name: pa.array([row[name] for row in rows], pa.string()) for name in names})
    try:
        wanted = model(rows)
    except InputError:
        with pytest.raises(InputError, match=r"^row "):
            list(score(table, model))
        return
    whole = pa.Table.from_batches(score(table, model))
    found = (
        [list(row.values()) for row in whole["probability"].to_pylist()]
        if model.classes
        else [[cell] for cell in whole["prediction"].to_pylist()]
    )
    np.testing.assert_array_equal(np.float32(found), wanted)


def test_numbers_of_arrow_that_are_none_in_python(iris):
    with pytest.raises(InputError, match=r"cannot read 'nan\(1\)' as a number"):
        list(score(pa.table({"petal width": ["nan(1)", "2"]}), iris))


def test_no_rows(iris):
    assert rows_of(score(flowers().slice(0, 0), iris)) == []
    (batch,) = score(flowers().to_batches()[0].slice(0, 0), iris)
    assert batch.schema == output_schema(iris)
    assert batch.num_rows == 0


def test_the_objective_is_not_needed_and_not_read(iris):
    with_species = rows_of(score(flowers(species=["?"] * 7), iris))
    assert with_species == rows_of(score(flowers(), iris))


ONE_AND_NULL = {
    "half floats": pa.array(np.array([1, np.nan], np.float16)),
    "unsigned integers": pa.array([1, None], pa.uint64()),
    "decimals": pa.array(["1.00", None]).cast(pa.decimal256(50, 2)),
    "views of text": pa.array(["1", None], pa.string_view()),
    "large text": pa.array(["1", None], pa.large_string()),
    "dictionaries of text": pa.array(["1", None]).dictionary_encode(),
    "dictionaries of numbers": pa.array([1, None]).dictionary_encode(),
    "runs": pa.RunEndEncodedArray.from_arrays([1, 2], pa.array([1.0, None])),
    "booleans": pa.array([True, None]),
}


@pytest.mark.parametrize("kind", ONE_AND_NULL)
def test_types_of_numbers(iris, kind):
    rows = rows_of(score(pa.table({"petal width": ONE_AND_NULL[kind]}), iris))
    wanted = iris([{"petal width": 1}, {}])
    np.testing.assert_array_equal(np.float32([list(row["probability"].values()) for row in rows]), wanted)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[1]]),
        pa.array([[1]], pa.list_view(pa.int8())),
        pa.array([{"a": 1}]),
        pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int8())),
        pa.array([(1, 2, 3)], pa.month_day_nano_interval()),
    ],
    ids=lambda column: str(column.type),
)
def test_types_that_are_no_number_are_errors_that_name_the_column(iris, column):
    with pytest.raises(InputError, match=r'^row 0: column 3 \("petal width"\): cannot read .* as a number'):
        list(score(pa.table({"petal width": column}), iris))


@pytest.mark.parametrize("on_error", ["raise", "null"])
def test_types_without_cells_are_errors_of_the_column(iris, on_error):
    table = pa.table({"petal width": pa.array(["1"], pa.json_())})
    with pytest.raises(InputError, match=r"^column 'petal width' has the type extension<arrow.json>"):
        list(score(table, iris, on_error=on_error))
    kept = score(table.rename_columns(["id"]), iris, keep=["id"], on_error=on_error)
    assert len(rows_of(kept)) == 1


def test_without_field_names_what_is_kept_is_not_a_cell():
    """So that a path may come before its image, as Spark and Ray have it."""
    model = sensenet.create_model(typed())
    row = {"id": ["a", "b"], "x": [2.5, 1.0], "y": ["green", "red"], "z": [None, 3.0]}
    (batch,) = score(pa.table(row), model, keep=["id"])
    (alone,) = score(pa.table({name: cells for name, cells in row.items() if name != "id"}), model)
    assert batch.column("id").to_pylist() == ["a", "b"]
    assert batch.drop_columns(["id"]).equals(alone)
    for names, keep, message in (
        (["id", "x", "y", "z"], "price", "no column 'price' to keep"),
        (["id", "x", "x", "z"], "id", "several columns are named 'x'"),
    ):
        with pytest.raises(InputError, match=message):
            list(score(pa.table(list(row.values()), names), model, keep=[keep]))
