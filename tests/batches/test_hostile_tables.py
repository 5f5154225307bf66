"""Small files that would take much memory: they are answered within the limit, or raise LimitError."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.documents import detector
from support.resources import RESOURCES

import sensenet
from sensenet.batches.scoring import make_scorer
from sensenet.batches.table_files import TableFile, find_format
from sensenet.errors import InputError, LimitError, SensenetError

MIB = 1 << 20
ROWS = 50_000
LONG = "x" * MIB


@pytest.fixture(scope="module")
def model():
    return sensenet.create_model(RESOURCES["mixed"]())


@pytest.fixture(autouse=True)
def limited(monkeypatch):
    monkeypatch.setenv("SENSENET_MEMORY_LIMIT", "64MiB")


def predict(model, path, keep=()):
    scorer = make_scorer(model, ["prediction"], keep)
    file = TableFile(str(path), find_format(str(path)))
    return [row for part in file.parts(scorer) for row in scorer.score(part)[0].to_pylist()]


def repeated(values, rows=ROWS):
    return pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), pa.array(values))


def write(path, table, **options):
    if path.suffix == ".parquet":
        pq.write_table(table, path, compression="zstd", **options)
        return path
    new = pa.ipc.new_file if path.suffix == ".arrow" else pa.ipc.new_stream
    with new(path, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return path


@pytest.mark.parametrize("store_schema", [True, False])
@pytest.mark.parametrize("name", ["color", "Message"])
def test_one_long_text_of_all_rows_is_read_once(model, tmp_path, name, store_schema):
    """With a value for each row it would take 50 GB."""
    table = pa.table({name: repeated([LONG])})
    path = write(tmp_path / "rows.parquet", table, store_schema=store_schema)
    assert path.stat().st_size < 10_000
    (wanted,) = predict(model, write(tmp_path / "one.parquet", table.slice(0, 1).combine_chunks()))
    assert predict(model, path) == [wanted] * ROWS


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".arrows"])
def test_a_long_text_is_not_kept_for_all_rows(model, tmp_path, suffix):
    table = pa.table({"age": np.zeros(ROWS), "id": repeated([LONG])})
    path = write(tmp_path / f"rows{suffix}", table)
    assert len(predict(model, write(tmp_path / f"some{suffix}", table.slice(0, 9)), ["id"])) == 9
    with pytest.raises(LimitError, match=r"reading 50000 rows needs 48.8 GiB"):
        predict(model, path, ["id"])


def test_views_of_one_text(model, tmp_path):
    one = pa.array([LONG], pa.string_view()).buffers()
    views = pa.Array.from_buffers(
        pa.string_view(), ROWS, [None, pa.py_buffer(one[1].to_pybytes()[:16] * ROWS), one[2]]
    )
    path = write(tmp_path / "rows.arrow", pa.table({"color": views}))
    with pytest.raises(LimitError, match="reading 50000 rows needs"):
        predict(model, path)


def test_runs_are_read_once(model, tmp_path):
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, ROWS], pa.int32()), pa.array(["red", LONG]))
    answers = predict(model, write(tmp_path / "rows.arrow", pa.table({"color": runs})))
    dense = pa.table({"color": ["red", "red", "x"]})
    assert [*answers[:2], answers[-1]] == predict(model, write(tmp_path / "dense.arrow", dense))


@pytest.mark.parametrize("suffix", [".arrow", ".arrows"])
@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_compressed_batches_beyond_the_limit(model, tmp_path, suffix, compression):
    path = write(tmp_path / f"rows{suffix}", pa.table({"age": np.zeros(10 * MIB)}), compression=compression)
    with pytest.raises(LimitError, match=r"decompressing a record batch needs 80.0 MiB"):
        predict(model, path)


def test_a_page_beyond_the_limit(model, tmp_path):
    table = pa.table({"color": ["y" * (70 * MIB)]})
    path = write(tmp_path / "rows.parquet", table, use_dictionary=False)
    assert path.stat().st_size < MIB
    with pytest.raises(LimitError, match=r"rows.parquet: reading row group 0 needs 14"):
        predict(model, path)


def test_one_list_of_many_numbers(model, tmp_path):
    numbers = pa.ListArray.from_arrays(pa.array([0, 10 * MIB], pa.int32()), pa.array(np.zeros(10 * MIB)))
    table = pa.table({"age": [1.0], "id": numbers})
    path = write(tmp_path / "rows.parquet", table)
    assert len(predict(model, write(tmp_path / "age.parquet", table.select(["age"])))) == 1
    with pytest.raises(LimitError, match="reading row group 0"):
        predict(model, path, ["id"])


def test_long_rows_make_smaller_batches(model, tmp_path):
    table = pa.table({"id": [f"{row} {'x' * 100_000}" for row in range(400)], "age": np.arange(400.0)})
    path = write(tmp_path / "rows.parquet", table, use_dictionary=False)
    scorer = make_scorer(model, ["prediction"], ["id"])
    sizes = [part.batch.num_rows for part in TableFile(str(path), "parquet").parts(scorer)]
    assert sum(sizes) == 400
    assert max(sizes) * 100_000 < 32 * MIB
    lines = tmp_path / "rows.jsonl.gz"
    with gzip.open(lines, "wb", 1) as stream:
        for row in table.to_pylist():
            stream.write(json.dumps(row).encode() + b"\n")
    sizes = [part.batch.num_rows for part in TableFile(str(lines), "jsonl").parts(scorer)]
    assert sum(sizes) == 400
    assert max(sizes) * 100_000 < 2 * MIB


def test_a_line_of_many_values(model, tmp_path):
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"age": [' + b"[]," * MIB + b"1]}"))
    with pytest.raises(LimitError, match="line 1: longer than"):
        predict(model, path)


def test_many_names_in_many_lines(tmp_path):
    """A model without field names reads any column."""
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps({f"name {line}": None}) for line in range(3000)))
    with pytest.raises(LimitError, match="3000 columns"):
        list(TableFile(str(path), "jsonl").parts(make_scorer(sensenet.create_model(detector()))))


def test_what_pyarrow_ends_the_process_for(model, tmp_path):
    """A histogram of levels that does not fit the column: asking pyarrow for the column's metadata aborts."""
    table = pa.table({"age": [1.0, None], "id": [[1], None]})
    path = write(tmp_path / "rows.parquet", table)
    content = path.read_bytes()
    for position in range(len(content) - 12, len(content) // 2, -1):
        path.write_bytes(content[:position] + bytes([content[position] ^ 16]) + content[position + 1 :])
        try:
            predict(model, path)
        except SensenetError:
            continue


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".arrows"])
def test_files_that_are_cut_off(model, tmp_path, suffix):
    path = write(tmp_path / f"rows{suffix}", pa.table({"age": [1.0, 2.0], "color": ["red", "blue"]}))
    content = path.read_bytes()
    for size in range(0, len(content) - 8, 7):
        path.write_bytes(content[:size])
        with pytest.raises(InputError, match=f"rows{suffix} cannot be read as"):
            predict(model, path)


KEPT = {
    "text": pa.array(["a", "b", "a"]),
    "views": pa.array(["a", None, "a"], pa.string_view()),
    "bytes": pa.array([b"a", None, b"a"]),
    "dictionaries": pa.array(["a", None, "a"]).dictionary_encode(),
    "lists": pa.array([["a", "a"], None, ["b"]]),
    "structs": pa.array([{"q": "a"}, None, {"q": "b"}]),
    "maps": pa.array([[("k", "v")], None, []], pa.map_(pa.string(), pa.string())),
    "JSON": pa.array(["1", None, "2"], pa.json_()),
}


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".arrows"])
@pytest.mark.parametrize("kind", KEPT)
def test_kept_columns_keep_their_types(model, tmp_path, suffix, kind):
    table = pa.table({"id": KEPT[kind], "id.q": ["x", "y", "z"], "age": ["1", "2", "1"]})
    path = write(tmp_path / f"rows{suffix}", table)
    scorer = make_scorer(model, ["prediction"], ["id", "id.q"])
    (part,) = TableFile(str(path), find_format(str(path))).parts(scorer)
    scored, _ = scorer.score(part)
    for name in ("id", "id.q"):
        assert scored.schema.field(name).type == table.schema.field(name).type
        assert scored.column(name).to_pylist() == table[name].to_pylist()
