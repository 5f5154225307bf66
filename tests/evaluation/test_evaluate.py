"""`sensenet.evaluation.evaluate`: rows of every kind in, measures out; what is wrong is said."""

from __future__ import annotations

import csv
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from support.resources import (
    KIND,
    PRICE,
    RESOURCES,
    category,
    classify,
    number,
    predict_number,
    region_resource,
    whole,
)

import sensenet
from sensenet.batches import score
from sensenet.errors import ArtifactError, InputError, SettingsError
from sensenet.evaluation import evaluate

metrics = pytest.importorskip("sklearn.metrics")

EXAMPLES = Path(__file__).parents[2] / "examples"
IRIS, FLOWERS = EXAMPLES / "iris.json", EXAMPLES / "iris.csv"
NAMES = ["sepal length", "sepal width", "petal length", "petal width"]


@pytest.fixture(scope="module")
def iris():
    return sensenet.create_model(IRIS)


@pytest.fixture(scope="module")
def flowers():
    with FLOWERS.open() as stream:
        rows = list(csv.DictReader(stream))
    return pa.table({name: [row[name] for row in rows] for name in rows[0]})


@pytest.fixture(scope="module")
def prices():
    return sensenet.create_model(whole([number("a"), number("b")], predict_number, PRICE))


def only(report):
    (evaluation,) = report.evaluations
    return evaluation.result


def test_a_classifier(iris, flowers):
    report = evaluate(iris, FLOWERS)
    (evaluation,) = report.evaluations
    truth = flowers["species"].to_pylist()
    predicted = [
        row["prediction"] for batch in score(flowers, iris, keep=["species"]) for row in batch.to_pylist()
    ]
    result = evaluation.result
    assert result.class_names == iris.classes
    assert result.model.accuracy == metrics.accuracy_score(truth, predicted)
    assert result.model.average_phi == pytest.approx(0.943, abs=1e-3)
    assert (report.rows, report.rows_without_truth, evaluation.rows_without_answer) == (50, 0, 0)
    assert (report.truth, report.notes, report.comparisons) == ("species", (), ())


def test_a_path_and_a_model_and_lists_of_them_are_the_same(iris):
    wanted = evaluate(iris, str(FLOWERS)).to_text().replace("model", "iris.json")
    assert [line.split() for line in evaluate(IRIS, [FLOWERS]).to_text().splitlines()] == [
        line.split() for line in wanted.splitlines()
    ]


@pytest.mark.parametrize(
    "form", ["csv", "csv.gz", "jsonl", "parquet", "arrow", "folder", "batches", "pandas"]
)
def test_rows_in_every_form(iris, flowers, tmp_path, form):
    path = tmp_path / f"rows.{form}"
    rows = path
    match form:
        case "csv" | "csv.gz":
            compressed = pa.CompressedOutputStream(path, "gzip") if form == "csv.gz" else path.open("wb")
            with compressed as stream:
                stream.write(FLOWERS.read_bytes())
        case "jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in flowers.to_pylist()))
        case "parquet":
            pq.write_table(flowers, path)
        case "arrow":
            with pa.ipc.new_file(path, flowers.schema) as writer:
                writer.write_table(flowers)
        case "folder":
            path.mkdir()
            pq.write_table(flowers.slice(0, 20), path / "a.parquet")
            pq.write_table(flowers.slice(20), path / "b.parquet")
        case "batches":
            rows = flowers.to_batches(max_chunksize=7)
        case "pandas":
            rows = pytest.importorskip("pandas").DataFrame(flowers.to_pydict())
    report = evaluate(iris, rows)
    assert report.rows == 50
    assert only(report).model.accuracy == 0.96


def test_a_regression(prices):
    random = np.random.default_rng(2)
    numbers = random.normal(size=(2, 100))
    table = pa.table({"a": numbers[0], "b": numbers[1]})
    predicted = prices(table)[:, 0].astype(float)
    truth = predicted + random.normal(size=100)
    result = only(evaluate(prices, table.append_column("price", pa.array(truth))))
    assert result.model.mean_absolute_error == pytest.approx(metrics.mean_absolute_error(truth, predicted))
    assert result.model.r_squared == pytest.approx(metrics.r2_score(truth, predicted))


def test_true_numbers_may_be_texts_and_may_be_missing(prices):
    table = pa.table({"a": ["1", "2", "3"], "price": ["4.5", "", "nan"]})
    report = evaluate(prices, table)
    assert (report.rows, report.rows_without_truth) == (3, 2)
    assert only(report).truth_mean == 4.5


def test_true_classes_that_are_numbers():
    numbered = {"type": "categorical", "values": ["1", "2", "3"]}
    objective = {**KIND, "summary": {"categories": [["1", 5], ["2", 5], ["3", 5]], "missing_count": 0}}
    model = sensenet.create_model(
        whole([number("a")], lambda n: {**classify(n), "output_exposition": numbered}, objective)
    )
    for cells in ([1, 2, 3], [1.0, 2.0, 3.0], ["1", "2", "3"], ["1.0", "2", "3"]):
        result = only(evaluate(model, pa.table({"a": [1, 2, 3], "kind": cells})))
        assert result.class_names == ("1", "2", "3")
        assert [each.instances for each in result.model.per_class_statistics] == [1, 1, 1]


def test_true_classes_that_are_booleans_or_tokens_of_missing_values():
    values = {"type": "categorical", "values": ["NA", "false", "true"]}
    objective = category("kind", "true", "false", "NA")
    model = sensenet.create_model(
        whole([number("a")], lambda n: {**classify(n), "output_exposition": values}, objective)
    )
    report = evaluate(model, pa.table({"a": [1, 2, 3], "kind": [True, False, None]}))
    assert [each.instances for each in only(report).model.per_class_statistics] == [0, 1, 1]
    report = evaluate(model, pa.table({"a": [1, 2, 3], "kind": ["NA", "N/A", "true"]}))
    assert [each.instances for each in only(report).model.per_class_statistics] == [1, 0, 1]
    assert report.rows_without_truth == 1


@pytest.mark.parametrize("kind", ["categories of pandas", "categories of Polars", "dictionaries"])
def test_true_classes_that_are_coded(iris, flowers, kind):
    match kind:
        case "categories of pandas":
            pandas = pytest.importorskip("pandas")
            rows = pandas.DataFrame(flowers.to_pydict()).astype({"species": "category"})
        case "categories of Polars":
            polars = pytest.importorskip("polars")
            rows = polars.DataFrame(flowers.to_pydict()).cast({"species": polars.Categorical})
        case _:
            rows = flowers.set_column(4, "species", flowers["species"].dictionary_encode())
    assert only(evaluate(iris, rows)).model.accuracy == 0.96


def test_true_numbers_of_other_types(prices):
    for cells in (pa.array([1, 2], pa.decimal128(21, 2)), [True, False], pa.array([1, 2], pa.uint8())):
        assert only(evaluate(prices, pa.table({"a": [1, 2], "price": cells}))).rows == 2
    with pytest.raises(InputError, match=r"expected a number .*, found datetime.date"):
        evaluate(prices, pa.table({"a": [1, 2], "price": pa.array([1, 2], pa.date32())}))


def test_truth_in_another_column_and_columns_to_ignore(iris, flowers):
    renamed = flowers.rename_columns([*NAMES, "kind"]).append_column("id", pa.array(range(50)))
    report = evaluate(iris, renamed, truth="kind", ignore=["id"])
    assert (report.truth, only(report).model.accuracy) == ("kind", 0.96)
    with pytest.raises(InputError, match="unknown field 'id'"):
        evaluate(iris, renamed, truth="kind")


def test_a_missing_truth_column_is_named(iris, flowers):
    with pytest.raises(InputError, match=r"no column 'species' .*name it with --truth; columns: 'sepal l"):
        evaluate(iris, flowers.drop_columns(["species"]))
    with pytest.raises(InputError, match=r"no column 'specis' .*did you mean 'species'\?"):
        evaluate(iris, flowers, truth="specis")


def test_no_rows_and_no_truth_are_errors(iris, flowers):
    with pytest.raises(InputError, match="no rows"):
        evaluate(iris, flowers.slice(0, 0))
    with pytest.raises(InputError, match="no true value in any of 50 rows"):
        evaluate(iris, flowers.set_column(4, "species", pa.nulls(50, pa.string())))


def test_a_class_that_the_model_does_not_know(iris, flowers):
    species = ["tulip"] * 5 + flowers["species"].to_pylist()[5:]
    report = evaluate(iris, flowers.set_column(4, "species", pa.array(species)))
    assert only(report).class_names == (*iris.classes, "tulip")
    assert only(report).model.accuracy <= 0.9
    assert report.notes == ("the model does not know 'tulip' as classes: their rows count as wrong answers",)


def test_a_column_of_other_texts_is_not_taken_for_classes(iris, flowers):
    ids = pa.array([f"id {number}" for number in range(50 * 3)])
    table = pa.concat_tables([flowers] * 3).append_column("id", ids)
    with pytest.raises(InputError, match=r"more than 100 values that are not classes .*such as 'id 0'"):
        evaluate(iris, table, truth="id", ignore=["species"])


def test_a_truth_that_is_no_name(iris):
    table = pa.table({NAMES[0]: [1.0], "species": pa.array([["a"]])})
    with pytest.raises(InputError, match=r"row 0: column 'species': expected the name of a class, found"):
        evaluate(iris, table)
    with pytest.raises(InputError, match="no true value in any of 1 rows"):
        evaluate(iris, table, on_error="null")


def test_a_truth_that_is_no_number(prices):
    table = pa.table({"a": [1, 2], "price": ["3", "three"]})
    with pytest.raises(InputError, match=r"row 1: column 'price': expected a number .*, found 'three'"):
        evaluate(prices, table)
    report = evaluate(prices, table, on_error="null")
    assert (report.rows, report.rows_without_truth, only(report).rows) == (2, 1, 1)
    with pytest.raises(InputError, match=r"expected a number .*, found inf"):
        evaluate(prices, pa.table({"a": [1], "price": [float("inf")]}))
    with pytest.raises(InputError, match=r"expected a number .*, found 1e\+300"):
        evaluate(prices, pa.table({"a": [1], "price": [1e300]}))


def test_rows_that_cannot_be_read(iris, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("petal width,species\n0.2,setosa\nwide,setosa\n1.8,virginica\n")
    with pytest.raises(InputError, match=r"rows.csv, line 3: column 3 .*cannot read 'wide' as a number"):
        evaluate(iris, path)
    report = evaluate(iris, path, on_error="null")
    assert report.evaluations[0].rows_without_answer == 1
    assert only(report).rows == 2


def test_models_are_compared_with_the_first(iris, flowers, tmp_path):
    path = tmp_path / "iris.onnx"
    pytest.importorskip("onnxruntime")
    sensenet.compile(IRIS, target="onnx").save(path)
    report = evaluate([IRIS, path], flowers)
    assert [each.name for each in report.evaluations] == ["iris.json", "iris.onnx"]
    (comparison,) = report.comparisons
    assert (comparison.first, comparison.second) == ("iris.json", "iris.onnx")
    assert (comparison.rows, comparison.disagreements, comparison.p_value) == (50, 0, 1)
    assert comparison.largest_change < 1e-5


def test_classes_in_another_order_are_compared_by_name():
    first = whole([number("a")], classify, KIND)
    network = json.loads(json.dumps(first))
    layers = network["object"]["deepnet"]["network"]
    layers["output_exposition"] = {"type": "categorical", "values": ["spam", "other", "ham"]}
    layers["layers"][-1]["weights"] = [
        row[::-1] for row in np.array(layers["layers"][-1]["weights"]).tolist()
    ]
    layers["layers"][-1]["offset"] = layers["layers"][-1]["offset"][::-1]
    models = [sensenet.create_model(each) for each in (first, network)]
    table = pa.table({"a": np.arange(20.0), "kind": ["spam", "ham"] * 10})
    (comparison,) = evaluate(models, table).comparisons
    assert comparison.largest_change < 1e-6


def test_models_of_other_fields_read_their_own():
    a = sensenet.create_model(whole([number("a")], classify, KIND))
    b = sensenet.create_model(whole([number("b")], classify, KIND))
    table = pa.table({"b": [1.0, 2.0], "a": [1.0, 2.0], "kind": ["spam", "ham"]})
    report = evaluate([a, b], table)
    assert report.comparisons[0].largest_change == 0  # of the same weights and numbers
    with pytest.raises(InputError, match="unknown field 'c'"):
        evaluate([a, b], table.append_column("c", pa.array([1, 2])))


def test_models_that_cannot_be_compared(iris, prices):
    other = sensenet.create_model(RESOURCES["tabular"]())
    with pytest.raises(InputError, match="model 1 is one of classifiers, model 2 of regressions"):
        evaluate([iris, prices], FLOWERS)
    with pytest.raises(InputError, match="model 2 has other classes than model 1"):
        evaluate([iris, other], FLOWERS)
    with pytest.raises(InputError, match="no model"):
        evaluate([], FLOWERS)
    with pytest.raises(SettingsError, match="images"):
        evaluate(iris, FLOWERS, images="here")


def test_an_extractor_has_nothing_to_evaluate():
    extractor = sensenet.create_image_feature_extractor(EXAMPLES / "digits.json.gz")
    with pytest.raises(ArtifactError, match="extracts features"):
        evaluate(extractor, FLOWERS)


@pytest.fixture
def digits(tmp_path):
    """Two folders of one blank image each."""
    for name, value in (("0", 0), ("7", 16)):
        (tmp_path / name).mkdir()
        for number_ in range(2):
            Image.fromarray(np.full((8, 8), value, np.uint8)).save(tmp_path / name / f"{number_}.png")
    return tmp_path


def test_a_folder_of_images_by_class(digits):
    report = evaluate(EXAMPLES / "digits.json.gz", digits)
    assert report.truth == "class"
    assert only(report).model.confusion_matrix.sum(axis=1).tolist() == [2, 0, 0, 0, 0, 0, 0, 2, 0, 0]
    (digits / "7" / "broken.png").write_text("no image")
    with pytest.raises(InputError, match=r"broken.png"):
        evaluate(EXAMPLES / "digits.json.gz", digits)
    report = evaluate(EXAMPLES / "digits.json.gz", digits, on_error="null")
    assert (report.rows, report.evaluations[0].rows_without_answer) == (5, 1)


def test_folders_without_images(tmp_path):
    with pytest.raises(InputError, match="neither tables nor folders of images"):
        evaluate(EXAMPLES / "digits.json.gz", tmp_path)
    (tmp_path / "0").mkdir()
    with pytest.raises(InputError, match="contains no images"):
        evaluate(EXAMPLES / "digits.json.gz", tmp_path)


def test_memory_does_not_grow_with_the_rows(iris):
    random = np.random.default_rng(5)

    def batches(count):
        for _ in range(count):
            columns = {name: random.uniform(0, 7, 2000) for name in NAMES}
            yield pa.record_batch({**columns, "species": random.choice(iris.classes, 2000)})

    def peak(count):
        tracemalloc.start()
        try:
            assert evaluate(iris, batches(count)).rows == 2000 * count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(2)
    few, many = peak(40), peak(120)
    assert many < 1.15 * few


def test_detectors(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    document = region_resource()
    model = sensenet.create_model(document, {"bounding_box_threshold": 0.001, "max_objects": 100})
    found = model(str(tmp_path / "a.png"))
    boxes = [
        {"image_id": 1, "category_id": model.classes.index(each["label"])}
        | {
            "bbox": [
                each["box"][0],
                each["box"][1],
                each["box"][2] - each["box"][0],
                each["box"][3] - each["box"][1],
            ]
        }
        for each in found
    ]
    annotations = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": boxes,
        "categories": [{"id": number_, "name": name} for number_, name in enumerate(model.classes)],
    }
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(annotations))
    report = evaluate(document, path)
    assert found
    assert only(report).mean_average_precision == pytest.approx(1)
    assert (report.rows, report.notes) == (1, ())
    strict = evaluate(document, path, settings={"bounding_box_threshold": 0.5})
    assert "returns only boxes with scores above 0.5" in strict.notes[0]
    with pytest.raises(InputError, match="expected the path of annotations"):
        evaluate(document, pa.table({"photo": ["a.png"]}))


def test_the_thresholds_of_an_artifact_hold_for_documents_next_to_it(tmp_path):
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(tmp_path / "a.png")
    path = tmp_path / "coco.json"
    path.write_text(
        json.dumps(
            {
                "images": [{"id": 1, "file_name": "a.png"}],
                "annotations": [{"image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5]}],
                "categories": [{"id": 1, "name": "cup"}],
            }
        )
    )
    document = region_resource()
    artifact = sensenet.compile(document, target="numpy", settings={"bounding_box_threshold": 0.25})
    report = evaluate([document, artifact], path)
    assert [each.result.lowest_score for each in report.evaluations] == [0.25, 0.25]
    assert len(report.notes) == 2


def test_an_unknown_policy(iris):
    with pytest.raises(SettingsError, match="on_error"):
        evaluate(iris, FLOWERS, on_error="skip")
