"""`sensenet predict` on tables of all formats: answers, columns, faults, kills."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.documents import detector, image
from support.processes import kill, start
from support.profiles import examples

import sensenet
from sensenet.cli import predict_inputs
from sensenet.cli.predict import main

EXAMPLES = Path(__file__).parents[1] / "examples"
IRIS, FLOWERS = EXAMPLES / "iris.json", EXAMPLES / "iris.csv"
NAMES = ["sepal length", "sepal width", "petal length", "petal width"]


def run(capsys, *arguments):
    """Exit status, stdout and stderr of the command."""
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def flowers(rows=20):
    numbers = np.random.default_rng(0).uniform(0, 7, (4, rows)).round(3)
    columns = dict(zip(NAMES, map(pa.array, numbers), strict=True))
    return pa.table(columns | {"id": pa.array([f"flower {row}" for row in range(rows)])})


def write(table, path):
    name = path.name.removesuffix(".gz").removesuffix(".zst")
    if name.endswith(".parquet"):
        pq.write_table(table, path)
    elif name.endswith((".arrow", ".feather", ".arrows")):
        new = pa.ipc.new_stream if name.endswith(".arrows") else pa.ipc.new_file
        with new(str(path), table.schema) as writer:
            writer.write_table(table, max_chunksize=7)
    else:
        write_text(table, path, name)
    return path


def write_text(table, path, name):
    stream = io.BytesIO()
    if name.endswith(".csv"):
        pa.csv.write_csv(table, stream)
    else:
        stream.write("".join(json.dumps(row) + "\n" for row in table.to_pylist()).encode())
    content = stream.getvalue()
    match path.suffix:
        case ".gz":
            path.write_bytes(gzip.compress(content))
        case ".zst":
            path.write_bytes(pa.compress(content, "zstd", asbytes=True))
        case _:
            path.write_bytes(content)


def read(path):
    if path.suffix == ".parquet":
        return pq.read_table(path)
    with path.open("rb") as stream:
        return (pa.ipc.open_stream if path.suffix == ".arrows" else pa.ipc.open_file)(stream).read_all()


SUFFIXES = [".parquet", ".arrow", ".feather", ".arrows", ".csv", ".csv.gz", ".csv.zst", ".jsonl", ".jsonl.gz"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_formats_of_the_input(capsys, tmp_path, suffix):
    source = write(flowers(), tmp_path / f"rows{suffix}")
    output = tmp_path / "scores.parquet"
    assert run(capsys, IRIS, source, "--keep", "id", "-o", output) == (0, "", "")
    found = read(output)
    answers = sensenet.create_model(IRIS)(flowers().drop_columns(["id"]))
    assert found.column_names == ["id", "prediction", "probability"]
    assert found["id"].to_pylist() == flowers()["id"].to_pylist()
    np.testing.assert_array_equal(
        np.float32([list(row.values()) for row in found["probability"].to_pylist()]), answers
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_formats_of_the_output(capsys, tmp_path, suffix):
    source, output = write(flowers(), tmp_path / "rows.parquet"), tmp_path / f"scores{suffix}"
    assert run(capsys, IRIS, source, "--keep", "id", "--outputs", "prediction", "-o", output) == (0, "", "")
    answers = sensenet.create_model(IRIS)(flowers().drop_columns(["id"]))
    best = [sensenet.create_model(IRIS).classes[each] for each in answers.argmax(axis=1)]
    content = output.read_bytes()
    if suffix.endswith(".gz"):
        content = gzip.decompress(content)
    if suffix.endswith(".zst"):
        content = pa.CompressedInputStream(pa.BufferReader(content), "zstd").read()
    if ".csv" in suffix:
        assert content.decode().splitlines()[0] == "id,species"
        found = [line.partition(",")[2] for line in content.decode().splitlines()[1:]]
    elif ".jsonl" in suffix:
        rows = [json.loads(line) for line in content.splitlines()]
        assert list(rows[0]) == ["id", "prediction"]
        found = [row["prediction"] for row in rows]
    else:
        found = read(output)["prediction"].to_pylist()
    assert found == best


def test_formats_by_option_and_standard_streams(capsys, tmp_path, monkeypatch):
    source = write(flowers(), tmp_path / "rows.arrows").read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(source)))
    code, out, _ = run(capsys, IRIS, "-", "--format", "arrows", "--output-format", "jsonl", "--keep", "id")
    assert code == 0
    assert [json.loads(line)["id"] for line in out.splitlines()] == flowers()["id"].to_pylist()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(source)))
    code, _, err = run(capsys, IRIS, "-", "--format", "parquet")
    assert (code, "this format needs a file" in err) == (1, True)


def test_folders_globs_and_several_files(capsys, tmp_path):
    folder = tmp_path / "tables"
    folder.mkdir()
    write(flowers().slice(0, 8), folder / "a.parquet")
    write(flowers().slice(8).select(["id", *reversed(NAMES)]), folder / "b.jsonl")
    (folder / "notes.txt").write_text("no table")
    write(flowers(), folder / ".hidden.parquet")
    for inputs in ([folder], [folder / "[ab].*"], [folder / "a.parquet", folder / "b.jsonl"]):
        code, out, _ = run(capsys, IRIS, *inputs, "--keep", "id", "--outputs", "prediction")
        assert code == 0
        assert [line.partition(",")[0] for line in out.splitlines()] == ["id", *flowers()["id"].to_pylist()]
    code, out, _ = run(capsys, IRIS, folder / "a.parquet", folder / "a.parquet", "--keep", "id")
    assert len(out.splitlines()) == 17
    assert "matches no file" in run(capsys, IRIS, folder / "*.csv")[2]
    code, out, _ = run(capsys, IRIS, tmp_path / "tabl*", "--keep", "id", "--outputs", "prediction")
    assert [line.partition(",")[0] for line in out.splitlines()] == ["id", *flowers()["id"].to_pylist()]
    (tmp_path / "empty").mkdir()
    assert "contains no tables" in run(capsys, IRIS, tmp_path / "empty")[2]


def test_images_as_a_table(capsys, tmp_path):
    model = tmp_path / "model.json"
    model.write_text(json.dumps(detector()))
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        pixels = np.random.default_rng(len(name)).integers(0, 256, (40, 60, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)
    output = tmp_path / "found.parquet"
    settings = ("-s", "bounding_box_threshold=0.01")
    assert run(capsys, model, folder, "-o", output, *settings)[0] == 0
    found = read(output).to_pylist()
    for inputs in ([folder / "*.png"], [tmp_path / "imag*"], [folder / "a.png", folder / "b.*"]):
        assert run(capsys, model, *inputs, "-o", output, "-f", *settings, "--batch", 1)[0] == 0
        assert read(output).to_pylist() == found
        assert pq.ParquetFile(output).num_row_groups == 2  # one for each batch
    assert [row["input"] for row in found] == [str(folder / "a.png"), str(folder / "b.png")]
    wanted = sensenet.create_model(detector(), {"bounding_box_threshold": 0.01})(str(folder / "a.png"))
    assert [each["box"] for each in found[0]["detections"]] == [each["box"] for each in wanted]
    listed = write(pa.table({"path": [row["input"] for row in found]}), tmp_path / "paths.parquet")
    assert run(capsys, model, listed, "-o", output, "-f", *settings)[0] == 0
    assert read(output)["detections"].to_pylist() == [row["detections"] for row in found]


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv", ".arrows"])
def test_a_bad_cell(capsys, tmp_path, suffix):
    cells = pa.array(["1.5", "wide", "2", "-"])
    table = pa.table({"petal width": cells, "id": ["a", "b", "c", "d"]})
    source, output = write(table, tmp_path / f"rows{suffix}"), tmp_path / "scores.jsonl"
    code, _, err = run(capsys, IRIS, source, "--keep", "id", "-o", output)
    place = {".csv": "line 3", ".jsonl": "line 2"}.get(suffix, "row 1")
    assert code == 1
    assert f"rows{suffix}, {place}: column 3 (\"petal width\"): cannot read 'wide' as a number" in err
    assert not output.exists()
    code, _, err = run(capsys, IRIS, source, "--keep", "id", "-o", output, "--on-error", "null")
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert code == 0
    assert "1 of 4 rows have no answer" in err or "2 of 4 rows have no answer" in err
    assert (rows[1]["prediction"], rows[1]["probability"]) == (None, None)
    assert "cannot read 'wide'" in rows[1]["error"]
    assert rows[0]["error"] is None


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".arrows", ".jsonl", ".csv.gz", ".csv.zst"])
@given(data=st.data())
@examples(15)
def test_damaged_files_raise_one_error(suffix, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged")
    path = write(flowers(5).drop_columns(["id"]), folder / f"rows{suffix}")
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    output = folder / "scores.parquet"
    code = main([str(IRIS), str(path), "-o", str(output)])
    assert code in (0, 1)
    assert output.exists() == (code == 0)
    assert not list(folder.glob(".sensenet*"))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("[1]", "line 2: expected an object of JSON, found [1]: write each object in a line of its own"),
        ("1", "line 2: expected an object of JSON, found 1\n"),
        ("{", "line 2: not an object of JSON in UTF-8"),
        (' [\n{"petal width": 1}\n]', "line 2: not an object of JSON in UTF-8"),
        ('{\n"petal width": 1\n}', "(char 2): write each object in a line of its own"),
        ('{"petal width": 1} 2', "line 2: not an object of JSON in UTF-8"),
        ('{"petal widht": 1}', "unknown field 'petal widht'"),
        ('{"petal width": "\\ud800"}', "line 2"),
        ('{"petal width": [1]}', "line 2: column 3"),
        ('{"petal width": 1' + "[" * 100_000, "line 2: not an object of JSON in UTF-8"),
    ],
)
def test_faults_of_json_lines(capsys, tmp_path, line, told):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"petal width": 1}\n' + line + "\n")
    code, _, err = run(capsys, IRIS, path)
    assert code == 1
    assert told in err
    assert err.count("\n") == 1


def test_values_of_json_lines_of_several_types(capsys, tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = [
        {"petal width": 1, "id": 1},
        {"petal width": "2.5"},
        {"petal width": True, "id": "x"},
        {},
        {"id": 2.5},
    ]
    path.write_text("\n\n".join(map(json.dumps, rows)))
    code, out, _ = run(capsys, IRIS, path, "--output-format", "jsonl", "--keep", "id")
    found = [json.loads(line) for line in out.splitlines()]
    wanted = sensenet.create_model(IRIS)([{k: v for k, v in row.items() if k != "id"} for row in rows])
    assert code == 0
    assert [row["id"] for row in found] == [1, None, "x", None, 2.5]
    np.testing.assert_allclose([list(row["probability"].values()) for row in found], wanted, rtol=1e-6)


def test_columns_that_a_format_cannot_hold(capsys, tmp_path):
    source = write(pa.table({"petal width": [1.0], "x": [[1]], "b": [b"1"]}), tmp_path / "rows.parquet")
    for name in ("x", "b"):
        others = {"x", "b"} - {name}
        table = write(read(source).drop_columns(list(others)), tmp_path / "one.parquet")
        output = tmp_path / "scores.csv"
        code, _, err = run(capsys, IRIS, table, "--keep", name, "-o", output)
        assert code == 1
        assert f"CSV cannot hold '{name}'" in err
        assert not output.exists()
    code, _, err = run(capsys, IRIS, table, "--keep", name, "--output-format", "jsonl")
    assert code == 1
    assert "JSON cannot hold" in err


CELLS = ["", "1", "2.5", "nan", " 3", "x", '"4"', '"5,5"', '"a\nb"', "inf", "NA", "1_0"]
PLAIN_ROWS = st.lists(st.tuples(*[st.sampled_from(CELLS)] * 3), max_size=6)


OUTPUTS = [[], ["--outputs", "probability,prediction"], ["--outputs", "probability"]]


@given(
    rows=PLAIN_ROWS, end=st.sampled_from(["\n", "\r\n"]), mark=st.sampled_from(["", "\ufeff"]), data=st.data()
)
@examples(60)
def test_csv_has_the_same_answers_without_pyarrow(rows, end, mark, data, tmp_path_factory):
    """Byte by byte, with errors too."""
    folder = tmp_path_factory.mktemp("csv")
    path = folder / "rows.csv"
    lines = [data.draw(st.sampled_from(["petal width,id,petal length", "petal width,id,petal lenght"]))]
    path.write_text(mark + end.join([*lines, *map(",".join, rows)]), newline="")
    with_arrow, without = both_ways(folder, IRIS, path, "--keep", "id", *data.draw(st.sampled_from(OUTPUTS)))
    assert with_arrow == without


def both_ways(folder, *arguments):
    """Exit status, output and stderr of the command, with pyarrow and without."""
    outcomes = []
    for way in (True, False):
        output = folder / f"{way}.csv"
        stream = io.StringIO()
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(predict_inputs, "_has_arrow", lambda way=way: way)
            patched.setattr("sys.stderr", stream)
            code = main([*map(str, arguments), "-f", "-o", str(output)])
        outcomes.append((code, output.read_bytes() if output.exists() else None, stream.getvalue()))
    return outcomes


@pytest.mark.parametrize(
    ("keep", "told"),
    [
        ("id", ""),
        ("id,id", "two columns would be named 'id'"),
        ("prediction", "two columns would be named 'prediction'"),
        ("setosa", "two columns of the CSV file would be named 'setosa'"),
        ("species", ""),
        ("petal width", ""),
    ],
)
def test_kept_columns_have_the_same_names_without_pyarrow(tmp_path, keep, told):
    path = tmp_path / "rows.csv"
    name = keep.partition(",")[0]
    path.write_text(f"petal length,{name}\n1,2\n")
    with_arrow, without = both_ways(tmp_path, IRIS, path, "--keep", keep)
    assert with_arrow == without
    assert with_arrow[0] == bool(told)
    assert told in with_arrow[2]


def test_a_column_needs_no_name_if_it_is_the_only_cell(tmp_path):
    document = image()
    document["preprocess"] = document["preprocess"][:1]
    first = document["layers"][0]
    first["weights"] = first["weights"][:3]  # of the image's features
    model, rows = tmp_path / "model.json", tmp_path / "rows.csv"
    model.write_text(json.dumps(document))
    Image.new("RGB", (24, 20)).save(tmp_path / "a.png")
    rows.write_text(f"id,path\n7,{tmp_path / 'a.png'}\n")
    with_arrow, without = both_ways(tmp_path, model, rows, "--keep", "id")
    assert with_arrow == without
    assert with_arrow[0] == 0
    assert with_arrow[1].startswith(b"id,")
    assert with_arrow[1].splitlines()[1].startswith(b"7,")


def test_detections_and_features_need_pyarrow(capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    rows, model = tmp_path / "rows.csv", tmp_path / "model.json"
    rows.write_text("image\na.png\n")
    for document, settings in (
        (detector(), []),
        (image(), ["-s", "extract_image_features=true"]),
    ):
        model.write_text(json.dumps(document))
        code, _, err = run(capsys, model, rows, *settings)
        assert (code, "pip install 'sensenet-compiler[arrow]'" in err) == (1, True)
        with pytest.raises(SystemExit):
            run(capsys, model, rows, "--no-header", *settings)
        assert "a model that predicts classes or numbers" in capsys.readouterr().err


def test_csv_needs_no_pyarrow(capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    code, out, err = run(capsys, IRIS, FLOWERS, "--keep", "species", "--outputs", "prediction")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "species,prediction"
    code, _, err = run(capsys, IRIS, FLOWERS, "-o", tmp_path / "scores.parquet")
    assert code == 1
    assert "pip install 'sensenet-compiler[arrow]'" in err


def test_the_kept_objective_gives_its_name_to_no_other_column(capsys):
    assert run(capsys, IRIS, FLOWERS, "--keep", "species")[1].splitlines()[0] == (
        "species,prediction,setosa,versicolor,virginica"
    )


STEPS = ["open", "write", "fsync", "move"]

KILLED = """
import os, sys, signal
step, source, output = sys.argv[1:]
from sensenet.batches import scoring
from sensenet.cli import predict
from sensenet.files import writing
def hang(*arguments, **options):
    print("hangs", flush=True)
    signal.pause()
if step == "open":
    scoring.Scorer.score = hang
elif step == "write":
    from sensenet.batches import table_writers
    real = table_writers._cast
    seen = []
    def cast(batch, schema):
        seen.append(batch)
        return hang() if len(seen) == 3 else real(batch, schema)
    table_writers._cast = cast
elif step == "fsync":
    os.fsync = hang
else:
    writing._replace = writing._move = hang
predict.main(["MODEL", source, source, source, "-f", "-o", output])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("step", "suffix", "old"),
    [*((step, ".parquet", b"old") for step in STEPS), ("write", ".arrow", None), ("move", ".arrow", None)],
)
def test_a_process_killed_while_it_writes_leaves_the_old_file_or_none(tmp_path, step, suffix, old):
    source, output = (
        write(flowers().drop_columns(["id"]), tmp_path / "rows.parquet"),
        tmp_path / f"out{suffix}",
    )
    if old is not None:
        output.write_bytes(old)
    kill(start(KILLED.replace("MODEL", str(IRIS)), step, str(source), str(output)))
    assert (output.read_bytes() if output.exists() else None) == old


def test_a_progress_bar_counts_rows(capsys, tmp_path, monkeypatch):
    source = write(flowers(), tmp_path / "rows.parquet")
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setattr("sys.stderr", stream)
    assert main([str(IRIS), str(source), "--keep", "id", "-o", str(tmp_path / "scores.parquet")]) == 0
    assert "20.0/20.0 [" in stream.getvalue()
