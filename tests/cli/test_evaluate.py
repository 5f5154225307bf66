"""`sensenet evaluate`: reports of all forms, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sensenet.cli.evaluate import main, split_arguments

EXAMPLES = Path(__file__).parents[2] / "examples"
IRIS, ROWS = str(EXAMPLES / "iris.json"), str(EXAMPLES / "iris.csv")


def test_text(capsys):
    assert main([IRIS, ROWS]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.splitlines()[3].split() == ["accuracy", "0.9600", "0.3400", "0.3333"]


def test_json_and_a_page(capsys, tmp_path):
    page = tmp_path / "report.html"
    assert main([IRIS, IRIS, ROWS, ROWS, "--json", "--html", str(page)]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["rows"] == 100
    assert [each["result"]["model"]["accuracy"] for each in record["evaluations"]] == [0.96, 0.96]
    assert record["comparisons"][0]["disagreements"] == 0
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert main([IRIS, ROWS, "--html", str(page)]) == 1
    assert "already exists" in capsys.readouterr().err
    assert main([IRIS, ROWS, "--html", str(page), "-f"]) == 0


def test_a_failure_writes_no_page(capsys, tmp_path):
    page = tmp_path / "report.html"
    rows = tmp_path / "rows.csv"
    rows.write_text("petal width,species\n1,setosa\nwide,setosa\n")
    assert main([IRIS, str(rows), "--html", str(page)]) == 1
    assert "line 3" in capsys.readouterr().err
    assert not page.exists()


def test_options_of_tables(capsys, tmp_path):
    rows = tmp_path / "rows.txt"
    rows.write_text('petal width;kind;id;"a,b"\n0.2;setosa;1;\n1.8;virginica;2;\nwide;setosa;3;\n')
    options = ["--truth", "kind", "--ignore", 'id,"a,b"', "--format", "csv", "--delimiter", ";"]
    assert main([IRIS, str(rows), *options, "--on-error", "null", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["rows"], record["truth"]) == (3, "kind")
    assert record["evaluations"][0]["rows_without_answer"] == 1


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([IRIS], 2, "required: DATA"),
        ([ROWS, ROWS], 2, "expected a model before the tables"),
        ([IRIS, "missing.csv"], 1, "missing.csv cannot be read"),
        ([IRIS, ROWS, "--truth", "kind"], 1, "no column 'kind' with the true values"),
        ([IRIS, ROWS, "--delimiter", ";;"], 2, "the delimiter is one character"),
        ([IRIS, ROWS, "--images", "here"], 1, "images: only annotations"),
        (["missing.json", ROWS], 1, "missing.json"),
    ],
)
def test_what_is_refused(capsys, arguments, status, message):
    try:
        found = main(arguments)
    except SystemExit as stop:
        found = stop.code
    assert found == status
    assert message in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("arguments", "models"),
    [
        (["a.json", "b.csv"], 1),
        (["a.json", "b.tflite", "c.csv", "d.parquet"], 2),
        (["a.json", "-"], 1),
        (["a.json", "b", "c.json"], 2),
        (["a", "folder"], 1),
        (["only"], 0),
        (["a.csv", "b.csv.gz"], 0),
    ],
)
def test_the_last_arguments_are_data(arguments, models):
    assert split_arguments(arguments) == (arguments[:models], arguments[models:])
