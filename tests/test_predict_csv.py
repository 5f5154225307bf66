"""`sensenet predict` on CSV files: encodings, line ends, missing cells, lengths, faults."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from support.resources import KIND, RESOURCES, classify, number, whole

from sensenet.cli import predict_rows as rows_module
from sensenet.cli.predict import main
from sensenet.models.wrappers import create_model

IRIS = Path(__file__).parents[1] / "examples/iris.json"


def run(capsys, *arguments):
    """Exit status, stdout and stderr of the command."""
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def table(text):
    return list(csv.reader(io.StringIO(text)))


NUL = b"petal width\n0.2\0\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"petal widht\n1\n", "line 1: unknown field 'petal widht'"),
        (b"\n\npetal widht\n1\n", "line 3: unknown field 'petal widht'"),
        (b"petal width,petal width\n1,2\n", "line 1: the header names 'petal width' twice"),
        (b"petal length;petal width\n1;2\n", "these are several columns, so the delimiter is ';'"),
        (b"id\tpetal width\n1\t2\n", "these are several columns, so the delimiter is '\\t'"),
        (b'[{"petal width": 1}]\n', "line 1: this is JSON, not CSV: write an object per line"),
        (b'[{"a": 1, "b": 1}, {"a": 1, "b": 1}]', "line 1: this is JSON, not CSV"),
        (b'{\n"petal width": 1}\n', "line 1: this is JSON, not CSV"),
        (b"petal width,species,species\n1,2,3\n", "line 1: the header names 'species' twice"),
        (b"petal width\n1\n\xe9\n", "line 3: not CSV in UTF-8: byte 0xe9 after 0 characters"),
        (b"petal width\n" + b"1\n" * 20_000 + b"\xff\n", "line 20002: not CSV in UTF-8"),
        ("petal width\n1\n".encode("utf-16"), "line 1: the file is UTF-16: save it as UTF-8"),
        ("petal width\n1\n".encode("utf-16-le"), "line 1: not CSV in UTF-8: found a null character"),
        (NUL, "line 2: not CSV in UTF-8: found a null character"),
        (b'petal width\n0.1\n"1\n2\n', "line 3: invalid CSV: unexpected end of data"),
        (b'petal width\n"0.1"x\n', "line 2: invalid CSV: ',' expected"),
        (b'petal width\n"1\n",2\n', "line 2: found 2 cells, but the header has 1"),
        (b'petal width,petal length\n1,2\n"3\n4",wide\n', 'line 3: column 2 ("petal length"): cannot'),
        (b'petal width\rwide\r', 'line 2: column 3 ("petal width")'),
        (b"\xef\xbb\xbf", "no rows"),
        (b"\n\n\n", "no rows"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("way", ["file", "standard input"])
def test_faults_of_csv_are_told_with_their_line(capsys, tmp_path, monkeypatch, content, told, way):
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content), encoding="latin-1"))
    code, out, err = run(capsys, IRIS, path if way == "file" else "-")
    assert (code, err.count("\n")) == (1, 1)
    assert out.startswith("species") or not out
    assert told in err


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_byte_order_marks(capsys, monkeypatch, end, mark):
    content = (mark + end.join(["petal width,petal length", '0.2,"1.4"', "", ",", ""])).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content), encoding="latin-1"))
    code, out, _ = run(capsys, IRIS, "-")
    expected = create_model(IRIS)([{"petal width": 0.2, "petal length": 1.4}, {}])
    assert code == 0
    assert np.allclose([[float(cell) for cell in row[1:]] for row in table(out)[1:]], expected, atol=1e-6)


@pytest.mark.parametrize("cell", ["", "nan", "NaN", " -NAN", '""'])
@pytest.mark.parametrize("header", [True, False])
def test_cells_that_are_missing(capsys, tmp_path, cell, header):
    path = tmp_path / "rows.csv"
    names = ",".join(field.name for field in create_model(IRIS).signature.fields)
    path.write_text((names + "\n" if header else "") + f"5.1,3.5,{cell},0.2\n")
    code, out, _ = run(capsys, IRIS, path, *([] if header else ["--no-header"]))
    expected = create_model(IRIS)([5.1, 3.5, None, 0.2])
    assert code == 0
    assert np.allclose([float(cell) for cell in table(out)[1][1:]], expected, atol=1e-6)


def test_no_class_is_named_from_what_is_not_a_number(capsys, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("petal width,petal length\ninf,-inf\n0.2,1.4\n")
    document = json.loads(IRIS.read_text())
    for layer in document["deepnet"]["network"]["layers"][:-1]:
        layer["activation_function"] = "linear"
    (tmp_path / "linear.json").write_text(json.dumps(document))
    code, out, _ = run(capsys, tmp_path / "linear.json", path)
    _, first, second = table(out)
    assert code == 0
    assert first == ["", "nan", "nan", "nan"]
    assert second[0] in document["deepnet"]["network"]["output_exposition"]["values"]


def test_cells_of_any_length(capsys, tmp_path):
    path, document = tmp_path / "rows.csv", tmp_path / "model.json"
    document.write_text(json.dumps(RESOURCES["text"]()))
    text = "free call " * 30_000
    path.write_text(f'Message\n{text}\n"{text}\n{text}"\n')
    code, out, err = run(capsys, document, path)
    expected = create_model(document)([{"Message": text}, {"Message": f"{text}\n{text}"}])
    assert (code, err) == (0, "")
    assert np.allclose([[float(cell) for cell in row[1:]] for row in table(out)[1:]], expected, atol=1e-6)


@pytest.mark.parametrize("rows", ['"' + "a\n" * 70_000 + '"\n', "a" * 70_000 + "\n"])
def test_lines_and_cells_are_bounded_by_the_memory_limit(capsys, tmp_path, monkeypatch, rows):
    monkeypatch.setenv("SENSENET_MEMORY_LIMIT", "2GiB")
    path, document = tmp_path / "rows.csv", tmp_path / "model.json"
    document.write_text(json.dumps(RESOURCES["text"]()))
    path.write_text("Message\n" + rows)
    limit = csv.field_size_limit()
    try:
        csv.field_size_limit(1000)
        code, _, err = run(capsys, document, path, "--memory-limit", "1MiB")
    finally:
        csv.field_size_limit(limit)
    assert code == 1
    assert "line 2: longer than 65536 characters: set SENSENET_MEMORY_LIMIT to allow more" in err


def test_wide_tables(capsys, tmp_path):
    """No step compares each name with all others, and few rows of many cells are held together."""
    path = tmp_path / "rows.csv"
    fields = [number(f"x{index}") for index in range(20_000)]
    document = tmp_path / "model.json"
    document.write_text(json.dumps(whole(fields, classify, KIND)))
    names = [field["name"] for field in fields]
    path.write_text(",".join(names) + "\n" + ",".join(["1"] * len(names)) + "\n")
    code, out, err = run(capsys, document, path)
    assert (code, err) == (0, "")
    assert len(table(out)) == 2


def test_rows_with_long_cells_are_held_together_in_smaller_numbers(monkeypatch):
    monkeypatch.setattr(rows_module, "MOST_BYTES", 1000)
    short, long = {"a": "x", "b": None}, {"a": "x" * 600, "b": None}
    rows = [(line, short if line < 5 else long) for line in range(10)]
    batches = list(rows_module._batches(iter(rows), 3))
    assert [len(batch) for batch in batches] == [3, 3, 2, 2]
    assert [row for batch in batches for row in batch] == rows
