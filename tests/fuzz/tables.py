"""Tables of every format that models predict: the whole way from a file to its answers as JSON and CSV."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from support.resources import RESOURCES

import sensenet
from fuzz.formats import Case
from fuzz.mutators import mutate_bytes, mutate_text
from sensenet.batches.scoring import Scorer, make_scorer
from sensenet.batches.table_files import TableFile, find_format
from sensenet.cli.predict_tables import TableOutput, predict_tables
from sensenet.errors import SensenetError

KEPT = ("id", "note")

TAIL = 600
"""Bytes at the end of a file that have its metadata."""


def seeds() -> list[Case]:
    scorers()
    return [{f"rows{suffix}": make(_table())} for suffix, make in WRITERS]


def mutate(case: Case, random: Random) -> Case:
    ((name, content),) = case.items()
    return {name: _mutate(name, content, random)}


def open(folder: Path) -> None:
    """Predict the file twice, so that each way of writing reads all of it."""
    (path,) = folder.iterdir()
    file = TableFile(str(path), find_format(str(path)) or "")
    for scorer, format in zip(scorers(), ("csv", "jsonl"), strict=True):
        output = TableOutput(format=format, compression=None, delimiter=",")
        with contextlib.suppress(SensenetError) if format == "csv" else contextlib.nullcontext():
            predict_tables(scorer, [(file.path, file.parts)], output, io.BytesIO())


@cache
def scorers() -> tuple[Scorer, Scorer]:
    """One that raises an error for a bad row, and one that writes it; the model is compiled already."""
    model = sensenet.create_model(RESOURCES["mixed"]())
    model([{}])
    return make_scorer(model, keep=KEPT), make_scorer(model, keep=KEPT, on_error="null")


def _table() -> pa.Table:
    return pa.table(
        {
            "id": pa.array([7, None, 9] * 4, pa.int32()),
            "age": pa.array([1.5, None, -2.0] * 4),
            "cost": pa.array(["$5 each", "7", None] * 4),
            "color": pa.array(["red", "blue", None] * 4).dictionary_encode(),
            "Message": pa.array(["free money", "", "hello you"] * 4),
            "note": pa.array(["a", "bc", None] * 4, pa.large_string()),
        }
    )


def _parquet(**options: Any) -> Callable[[pa.Table], bytes]:
    def make(table: pa.Table) -> bytes:
        stream = io.BytesIO()
        pq.write_table(table, stream, **options)
        return stream.getvalue()

    return make


def _arrow(compression: str | None = None, in_stream: bool = False) -> Callable[[pa.Table], bytes]:
    def make(table: pa.Table) -> bytes:
        stream = io.BytesIO()
        options = pa.ipc.IpcWriteOptions(compression=compression)
        new = pa.ipc.new_stream if in_stream else pa.ipc.new_file
        with new(stream, table.schema, options=options) as writer:
            writer.write_table(table, max_chunksize=5)
        return stream.getvalue()

    return make


def _csv(table: pa.Table) -> bytes:
    stream = io.BytesIO()
    pa.csv.write_csv(table.set_column(3, "color", table["color"].cast(pa.string())), stream)
    return stream.getvalue()


def _json(table: pa.Table) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in table.to_pylist()).encode()


def _zstd(content: bytes) -> bytes:
    compressed: bytes = pa.compress(content, "zstd", asbytes=True)
    return compressed


def _runs(table: pa.Table) -> pa.Table:
    """The table with values of other layouts: runs, views, lists."""
    ends = pa.array([5, 12], pa.int32())
    return (
        table.set_column(1, "age", pa.RunEndEncodedArray.from_arrays(ends, pa.array([1.5, None])))
        .set_column(4, "Message", table["Message"].cast(pa.string_view()))
        .set_column(5, "note", pa.array([["a"], [], None] * 4))
    )


WRITERS: tuple[tuple[str, Callable[[pa.Table], bytes]], ...] = (
    (".parquet", _parquet()),
    (".parquet", _parquet(use_dictionary=False, compression="zstd", row_group_size=5)),
    (".parquet", _parquet(data_page_version="2.0", store_schema=False, compression="gzip")),
    (".parquet", lambda table: _parquet()(table.set_column(5, "note", pa.array([["a"], [], None] * 4)))),
    (".arrow", _arrow()),
    (".arrow", _arrow("zstd")),
    (".arrow", lambda table: _arrow()(_runs(table))),
    (".arrows", _arrow(in_stream=True)),
    (".arrows", _arrow("lz4", in_stream=True)),
    (".csv", _csv),
    (".csv.gz", lambda table: gzip.compress(_csv(table), mtime=0)),
    (".csv.zst", lambda table: _zstd(_csv(table))),
    (".jsonl", _json),
    (".jsonl.gz", lambda table: gzip.compress(_json(table), mtime=0)),
    (".jsonl.zst", lambda table: _zstd(_json(table))),
)

UNPACK: Mapping[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".zst": lambda content: pa.CompressedInputStream(pa.BufferReader(content), "zstd").read(),
}
PACK: Mapping[str, Callable[[bytes], bytes]] = {
    ".gz": lambda content: gzip.compress(content, mtime=0),
    ".zst": _zstd,
}


def _mutate(name: str, content: bytes, random: Random) -> bytes:
    suffix = Path(name).suffix
    if suffix in PACK:
        if random.randrange(3) == 0:
            return mutate_bytes(content, random)
        return PACK[suffix](_mutate(name.removesuffix(suffix), UNPACK[suffix](content), random))
    if suffix in (".csv", ".jsonl"):
        if random.randrange(2):
            return mutate_bytes(content, random)
        return mutate_text(content.decode(), random).encode("utf-8", "replace")
    if random.randrange(2):
        return content[:-TAIL] + mutate_bytes(content[-TAIL:-12], random) + content[-12:]
    return mutate_bytes(content, random)
