"""`sensenet predict`: rows of CSV files, images, drawings, and what goes wrong."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.documents import detector, image

from sensenet.cli import predict as command
from sensenet.cli.predict import main
from sensenet.cli.predict_images import describe_answer
from sensenet.json_numbers import as_json
from sensenet.models.wrappers import create_model

EXAMPLES = Path(__file__).parents[1] / "examples"
IRIS = EXAMPLES / "iris.json"
DIABETES = EXAMPLES / "diabetes.json"


def run(capsys, *arguments):
    """Exit code, standard output and standard error of the command."""
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def table(text):
    return list(csv.reader(io.StringIO(text)))


@pytest.fixture
def saved(tmp_path):
    """Saves a document and an image; their paths."""

    def save(document):
        path = tmp_path / "model.json"
        path.write_text(json.dumps(document))
        image_path = tmp_path / "image.png"
        pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
        Image.fromarray(pixels).save(image_path)
        return path, image_path

    return save


def test_rows_are_predicted_by_the_names_of_the_header(capsys):
    code, out, err = run(capsys, IRIS, EXAMPLES / "iris.csv", "--batch", 7)
    rows = table(out)
    given = table((EXAMPLES / "iris.csv").read_text())
    assert (code, err) == (0, "")
    assert rows[0] == ["species", "setosa", "versicolor", "virginica"]
    assert len(rows) == len(given)
    model = create_model(IRIS)
    expected = model([dict(zip(given[0], row, strict=True)) for row in given[1:]])
    assert np.allclose([[float(cell) for cell in row[1:]] for row in rows[1:]], expected, atol=1e-6)
    assert [row[0] for row in rows[1:]] == [model.classes[best] for best in expected.argmax(axis=1)]


def test_columns_stand_in_any_order_and_empty_cells_are_missing(capsys, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("petal width,petal length\n0.2,\n\n,1.4\n")
    code, out, _ = run(capsys, IRIS, path)
    expected = create_model(IRIS)([{"petal width": 0.2}, {"petal length": 1.4}])
    assert code == 0
    assert np.allclose([[float(cell) for cell in row[1:]] for row in table(out)[1:]], expected, atol=1e-6)


def test_pairs_are_a_row(capsys, tmp_path):
    assert main([str(IRIS), "petal length=1.4", "petal width=", "--keep", "petal length"]) == 0
    header, line = capsys.readouterr().out.splitlines()
    assert header == "petal length,species,setosa,versicolor,virginica"
    kept, best, *probabilities = line.split(",")
    assert (kept, best) == ("1.4", "setosa")
    expected = create_model(IRIS)({"petal length": 1.4})[0]
    assert [float(number) for number in probabilities] == expected.tolist()


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["petl length=1.4"], "unknown field 'petl length': did you mean 'petal length'"),
        (["petal length=long"], "cannot read 'long' as a number"),
        (["petal length=1", "petal length=2"], "the field 'petal length' is given twice"),
        (["petal length=1", "rows.csv"], "found both: 'petal length=1' and 'rows.csv'"),
        (["year=2/rows.csv"], "year=2/rows.csv cannot be read: No such file or directory"),
    ],
)
def test_pairs_that_are_not_a_row_are_errors(capsys, pairs, message):
    assert main([str(IRIS), *pairs]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        ("--no-header",),
        ("--format", "jsonl"),
        ("--on-error", "null"),
        ("--batch", "2"),
        ("-o", "row.parquet"),
    ],
)
def test_pairs_refuse_options_of_tables(capsys, options):
    with pytest.raises(SystemExit) as stopped:
        main([str(IRIS), "petal length=1.4", *options])
    assert stopped.value.code == 2
    assert "a row in pairs field=value needs" in capsys.readouterr().err


def test_without_a_header_cells_stand_in_the_order_of_the_model(capsys, tmp_path):
    path = tmp_path / "rows.tsv"
    path.write_text("5.1\t3.5\t1.4\t0.2\n")
    code, out, _ = run(capsys, IRIS, path, "--no-header", "--delimiter", "\t")
    rows = list(csv.reader(io.StringIO(out), delimiter="\t"))
    assert code == 0
    assert rows[1][0] == "setosa"


def test_a_regression_answers_with_one_number_under_the_objectives_name(capsys, tmp_path):
    path = tmp_path / "rows.csv"
    model = create_model(DIABETES)
    names = [field.name for field in model.signature.fields]
    path.write_text(",".join(names) + "\n" + "," * (len(names) - 1) + "\n")
    code, out, _ = run(capsys, DIABETES, path)
    header, answer = table(out)
    assert code == 0
    assert header == [model.signature.objective.name]
    assert float(answer[0]) == pytest.approx(float(model([None] * len(names))[0, 0]), rel=1e-6)


def test_predictions_are_written_whole_or_not_at_all(capsys, tmp_path):
    path, output = tmp_path / "rows.csv", tmp_path / "answers.csv"
    path.write_text("petal width\n0.2\n0.3\nwide\n")
    code, out, err = run(capsys, IRIS, path, "-o", output, "--batch", 1)
    assert (code, out) == (1, "")
    assert "rows.csv, line 4" in err
    assert '"petal width"' in err
    assert "'wide'" in err
    assert sorted(file.name for file in tmp_path.iterdir()) == ["rows.csv"]
    path.write_text("petal width\n0.2\n")
    assert run(capsys, IRIS, path, "-o", output)[0] == 0
    first = output.read_text()
    assert run(capsys, IRIS, path, "-o", output)[0] == 1
    assert output.read_text() == first
    assert run(capsys, IRIS, path, "-o", output, "--force")[0] == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no rows"),
        ("petal width\n", "no rows"),
        ("petal widht\n1\n", "petal width"),
        ("petal width,petal width\n1,2\n", "twice"),
        ("petal width\n1,2\n", "line 2: found 2 cells"),
        ('petal width\n"1\n', "invalid CSV"),
    ],
)
def test_faults_of_the_file_are_told_in_one_line(capsys, tmp_path, text, told):
    path = tmp_path / "rows.csv"
    path.write_text(text)
    code, out, err = run(capsys, IRIS, path)
    assert (code, out) == (1, "")
    assert err.startswith("sensenet: error: ")
    assert told in err
    assert err.count("\n") == 1


def test_bytes_that_are_no_text_and_missing_files_are_told(capsys, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b"petal width\n\xff\xfe\n")
    assert "not CSV in UTF-8" in run(capsys, IRIS, path)[2]
    assert "cannot be read" in run(capsys, IRIS, tmp_path / "none.csv")[2]
    assert "none.json" in run(capsys, tmp_path / "none.json", path)[2]


def test_a_table_with_images_takes_their_paths(capsys, saved, tmp_path):
    model, image_path = saved(image())
    path = tmp_path / "rows.csv"
    path.write_text(f"{image_path},2.5\n{image_path},\n")
    code, out, _ = run(capsys, model, path, "--no-header")
    expected = create_model(image())([[str(image_path), 2.5], [str(image_path), None]])
    assert code == 0
    assert table(out)[0] == ["prediction", "cat", "dog"]
    assert np.allclose([[float(cell) for cell in row[1:]] for row in table(out)[1:]], expected, atol=1e-6)


def test_a_detector_prints_a_line_a_image_and_draws(capsys, saved, tmp_path):
    model, image_path = saved(detector())
    drawing = tmp_path / "found.png"
    threshold = ("-s", "bounding_box_threshold=0.01")
    code, out, err = run(capsys, model, image_path, "--draw", drawing, *threshold)
    objects = create_model(detector(), {"bounding_box_threshold": 0.01})(str(image_path))
    assert (code, err) == (0, "")
    assert json.loads(out) == {"input": str(image_path), "objects": objects}
    assert objects
    before, after = (np.asarray(Image.open(path)) for path in (image_path, drawing))
    assert before.shape == after.shape
    assert (before != after).any()
    code, _, err = run(capsys, model, image_path, "--draw", drawing, *threshold)
    assert code == 1
    assert "already exists" in err


def test_a_image_that_cannot_be_read_does_not_stop_the_others(capsys, saved, tmp_path):
    model, image_path = saved(detector())
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    code, out, err = run(capsys, model, broken, image_path)
    assert code == 1
    assert [json.loads(line)["input"] for line in out.splitlines()] == [str(image_path)]
    assert "broken.jpg" in err


def test_features_and_probabilities_are_named(capsys, saved):
    document = image()
    document["preprocess"] = document["preprocess"][:1]
    document["layers"][0]["weights"] = document["layers"][0]["weights"][:3]
    model, image_path = saved(document)
    answer = json.loads(run(capsys, model, image_path)[1])
    assert list(answer["probabilities"]) == ["cat", "dog"]
    assert answer["probabilities"][answer["prediction"]] == max(answer["probabilities"].values())
    features = json.loads(run(capsys, model, image_path, "-s", "extract_image_features=true")[1])["features"]
    assert len(features) == 3


def test_numbers_that_json_cannot_write_are_null():
    document = image()
    document["preprocess"] = document["preprocess"][:1]
    document["layers"][0]["weights"] = document["layers"][0]["weights"][:3]
    model = create_model(document)
    answer = describe_answer(model, np.float32([[np.nan, 0.5]]))
    assert answer["prediction"] is None
    assert as_json(answer) == {"prediction": None, "probabilities": {"cat": None, "dog": 0.5}}
    assert as_json({"features": [1.5, np.inf, -np.inf], "input": "NaN"}) == {
        "features": [1.5, None, None],
        "input": "NaN",
    }


@pytest.mark.parametrize(
    "arguments",
    [
        (IRIS, EXAMPLES / "iris.csv", "--draw", "x.png"),
        (IRIS, EXAMPLES / "iris.csv", "--format", "xlsx"),
        (IRIS, EXAMPLES / "iris.csv", "--on-error", "ignore"),
        (IRIS, EXAMPLES / "iris.csv", "--no-header", "--keep", "species"),
        (IRIS, EXAMPLES / "iris.csv", "--output-format", "parquet", "-o", "rows.parquet.gz"),
        (IRIS, EXAMPLES / "iris.csv", "--batch", "0"),
        (IRIS, EXAMPLES / "iris.csv", "--delimiter", "::"),
        (IRIS, EXAMPLES / "iris.csv", "--delimiter", '"'),
        (IRIS, EXAMPLES / "iris.csv", "--delimiter", "\n"),
        (IRIS, EXAMPLES / "iris.csv", "-s", "no_such_setting=1"),
        (IRIS,),
    ],
)
def test_a_wrong_command_line_exits_with_2(capsys, arguments):
    with pytest.raises(SystemExit) as stopped:
        run(capsys, *arguments)
    assert stopped.value.code == 2


def test_the_engine_is_the_one_that_is_named(monkeypatch, saved, tmp_path):
    chosen = []

    def create(source, settings, engine):
        chosen.append(engine)
        return create_model(source, settings, "numpy")

    monkeypatch.setattr(command, "create_model", create)
    document, path = saved(detector())
    for number, options in enumerate(([], ["--engine", "tflite"])):
        assert main([str(document), str(path), *options, "-o", str(tmp_path / f"answers{number}")]) == 0
    assert chosen == [None, "tflite"]
