"""`sensenet.evaluation.evaluate`: rows of every kind in, measures out; what is wrong is said."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from PIL import Image
from support.evaluations import only
from support.resources import KIND, RESOURCES, classify, number, predict_number, whole

import sensenet
from sensenet.batches import score
from sensenet.errors import ArtifactError, InputError, MissingPackageError, SensenetError, SettingsError
from sensenet.evaluation import evaluate
from sensenet.evaluation.classification import ClassificationTally

metrics = pytest.importorskip("sklearn.metrics")

EXAMPLES = Path(__file__).parents[2] / "examples"
IRIS, FLOWERS = EXAMPLES / "iris.json", EXAMPLES / "iris.csv"
NAMES = ["sepal length", "sepal width", "petal length", "petal width"]


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


def test_truth_in_another_column_and_columns_to_ignore(iris, flowers):
    renamed = flowers.rename_columns([*NAMES, "kind"]).append_column("id", pa.array(range(50)))
    report = evaluate(iris, renamed, truth="kind", ignore=["id"])
    assert (report.truth, only(report).model.accuracy) == ("kind", 0.96)
    with pytest.raises(InputError, match="unknown field 'id'"):
        evaluate(iris, renamed, truth="kind")


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "arrow"])
def test_the_column_of_true_values_may_have_the_id_of_the_objective(iris, flowers, tmp_path, suffix):
    by_id = flowers.rename_columns([*NAMES, iris.signature.objective.id])
    paths = []
    for file, table in enumerate((by_id, flowers)):  # each file has its own name for them
        paths.append(tmp_path / f"{file}.{suffix}")
        match suffix:
            case "csv":
                pa.csv.write_csv(table, paths[-1])
            case "jsonl":
                paths[-1].write_text("\n".join(map(json.dumps, table.to_pylist())))
            case "parquet":
                pq.write_table(table, paths[-1])
            case "arrow":
                with pa.ipc.new_file(paths[-1], table.schema) as writer:
                    writer.write_table(table)
    report = evaluate(iris, paths)
    assert (report.rows, only(report).model.accuracy) == (100, 0.96)


def test_of_two_columns_with_names_of_the_objective_that_with_its_id_counts(iris, flowers):
    both = flowers.append_column(iris.signature.objective.id, pa.array(["setosa"] * 50))
    report = evaluate(iris, both)
    assert (report.truth, only(report).model.accuracy) == (iris.signature.objective.id, 16 / 50)


def test_an_objective_with_the_name_of_a_field_must_be_named():
    model = sensenet.create_model(whole([number("a")], predict_number, number("a")))
    table = pa.table({"a": [1.0, 2.0]})
    with pytest.raises(InputError, match=r"no column '\w+' with the true values; name it with --truth"):
        evaluate(model, table)
    assert evaluate(model, table, truth="a").truth == "a"


def test_a_later_batch_of_lines_of_json_may_lack_true_values(iris, flowers, tmp_path):
    rows = flowers.to_pylist()
    lines = [json.dumps(row) for row in rows * 328]  # 16,400 are more than a batch has
    lines += [json.dumps({name: row[name] for name in NAMES}) for row in rows * 400]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    report = evaluate(iris, tmp_path / "rows.jsonl")
    assert (report.rows, report.rows_without_truth) == (36_400, 20_000)


def test_without_pyarrow_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match=r"sensenet-compiler\[arrow\]"):
        evaluate(IRIS, FLOWERS)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"ignore": None}, "ignore: expected a list of column names, found None"),
        ({"ignore": "id"}, "ignore: expected a list of column names, found the text 'id'"),
        ({"ignore": [3]}, "ignore: expected names of columns, found 3"),
        ({"truth": 7}, "truth: expected the name of a column, found 7"),
        ({"truth": ""}, "no column '' with the true values"),
        ({"format": "xls"}, "format: expected 'csv' or .*; found 'xls'"),
        ({"delimiter": ";;"}, "the delimiter is one character"),
        ({"delimiter": None}, "the delimiter is one character, .* found None"),
        ({"delimiter": "\n"}, "the delimiter is one character"),
    ],
)
def test_invalid_options_are_refused(iris, option, message):
    with pytest.raises(SensenetError, match=message):
        evaluate(iris, FLOWERS, **option)


def test_another_delimiter_is_named(iris, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text('"petal length";"species"\n1;setosa\n')
    with pytest.raises(InputError, match=r"line 1: invalid CSV: .* is the delimiter another one"):
        evaluate(iris, path)
    path.write_text(Path(FLOWERS).read_text().replace(",", ";"))
    with pytest.raises(InputError, match="are several columns, so the delimiter is ';'"):
        evaluate(iris, path)
    assert evaluate(iris, path, delimiter=";").rows == 50


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


def test_a_name_that_is_not_utf_8_is_refused(digits):
    with contextlib.suppress(OSError, UnicodeError):  # some systems have no such names
        os.rename(digits / "7", os.fsencode(digits) + b"/\xff")
    if (digits / "7").exists():
        pytest.skip("this file system has no names that are not UTF-8")
    with pytest.raises(InputError, match=r"\\udcff.*the name is not UTF-8: rename it"):
        evaluate(EXAMPLES / "digits.json.gz", digits)


def test_folders_without_images(tmp_path):
    with pytest.raises(InputError, match="neither tables nor folders of images"):
        evaluate(EXAMPLES / "digits.json.gz", tmp_path)
    (tmp_path / "0").mkdir()
    with pytest.raises(InputError, match="contains no images"):
        evaluate(EXAMPLES / "digits.json.gz", tmp_path)


def test_many_classes_are_answered_few_rows_at_a_time(iris, flowers, monkeypatch):
    wanted = evaluate([iris, iris], flowers).to_text()
    add, sizes = ClassificationTally.add, []

    def add_and_count(tally, truths, *answers):
        sizes.append(len(truths))
        add(tally, truths, *answers)

    monkeypatch.setattr(sys.modules["sensenet.evaluation.evaluate"], "MOST_ANSWERS", 3 * 7)
    monkeypatch.setattr(ClassificationTally, "add", add_and_count)
    assert evaluate([iris, iris], flowers).to_text() == wanted
    assert sizes == [7] * 14 + [1] * 2  # two models
    broken = flowers.set_column(4, "species", pa.array([["setosa"]] * 50))
    with pytest.raises(InputError, match=r"row 0: column 'species'"):
        evaluate(iris, broken)
    half = flowers.set_column(0, NAMES[0], pa.array(["1"] * 30 + ["x"] * 20))
    with pytest.raises(InputError, match=r"row 30: column 0"):
        evaluate(iris, half)


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


def test_an_unknown_policy(iris):
    with pytest.raises(SettingsError, match="on_error"):
        evaluate(iris, FLOWERS, on_error="skip")
