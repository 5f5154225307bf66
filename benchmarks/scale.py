"""Rows and images per second in each engine, with one worker and two: the table of docs/scale.md.

    python benchmarks/scale.py [--rows 100000] [--images 400] [ENGINE…]

Scores Parquet of 30 numbers to Parquet with a classifier, then ten times the rows; and a folder of images.
Wall time in a warm session, the second of two runs; each engine and number of workers has its own process.
It needs the extra `scale`, and Java.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = 30
ROWS_A_FILE = 25_000

ENGINES = {"pyarrow": (1,), "duckdb": (1,), "polars": (1,), "dask": (1, 2), "spark": (1, 2), "ray": (1, 2)}
"""Each engine, and its numbers of workers; with one, the model has one thread."""

Score = Callable[[Path, Path], None]
"""Scores what is in one folder into another."""


def document() -> dict[str, Any]:
    """Return a classifier of numbers."""
    random = np.random.default_rng(0)

    def dense(inputs: int, units: int, function: str) -> dict[str, Any]:
        weights = (random.normal(size=(inputs, units)) / np.sqrt(inputs)).round(4).tolist()
        offset = [0.0] * units
        return {"type": "dense", "weights": weights, "offset": offset, "activation_function": function}

    return {
        "preprocess": [
            {"type": "numeric", "index": index, "mean": 0.0, "stdev": 1.0} for index in range(COLUMNS)
        ],
        "layers": [dense(COLUMNS, 32, "relu"), dense(32, 32, "relu"), dense(32, 3, "softmax")],
        "output_exposition": {"type": "categorical", "values": ["a", "b", "c"]},
        "trees": None,
    }


def write_rows(folder: Path, rows: int) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    folder.mkdir()
    random = np.random.default_rng(1)
    for start in range(0, rows, ROWS_A_FILE):
        numbers = random.normal(size=(min(ROWS_A_FILE, rows - start), COLUMNS)).astype(np.float32)
        columns = {f"x{index:02}": numbers[:, index] for index in range(COLUMNS)}
        parquet.write_table(pa.table(columns), folder / f"{start:09}.parquet")


def write_images(folder: Path, images: int) -> None:
    from PIL import Image

    folder.mkdir()
    random = np.random.default_rng(2)
    for number in range(images):
        pixels = random.integers(0, 256, (96, 128, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:05}.jpg")


@contextmanager
def pyarrow(model: Any, images: bool, _: int) -> Iterator[Score]:
    import pyarrow as pa
    from pyarrow import dataset

    from sensenet.batches import output_schema, score

    def run(source: Path, target: Path) -> None:
        if images:
            paths = sorted(str(path) for path in source.iterdir())
            batches: Any = pa.table({"image": paths}).to_batches()
        else:
            batches = dataset.dataset(source).to_batches(batch_size=65_536)
        dataset.write_dataset(score(batches, model), target, schema=output_schema(model), format="parquet")

    yield run


@contextmanager
def duckdb(model: Any, *_: int) -> Iterator[Score]:
    import duckdb as engine
    import pyarrow as pa

    from sensenet.batches import output_schema, score

    def run(source: Path, target: Path) -> None:
        reading, writing = engine.connect(), engine.connect()
        rows = reading.sql(f"from '{source}/*.parquet'").to_arrow_reader(65_536)
        scores = pa.RecordBatchReader.from_batches(output_schema(model), score(rows, model))
        writing.register("scores", scores)
        writing.execute(f"copy (from scores) to '{target}.parquet'")

    yield run


@contextmanager
def polars(model: Any, *_: int) -> Iterator[Score]:
    import polars as engine
    import pyarrow as pa

    from sensenet.batches import output_schema, score

    schema = output_schema(model)
    columns = engine.from_arrow(schema.empty_table()).schema

    def answer(frame: Any) -> Any:
        return engine.from_arrow(pa.Table.from_batches(score(frame, model), schema))

    def run(source: Path, target: Path) -> None:
        rows = engine.scan_parquet(f"{source}/*.parquet")
        rows.map_batches(answer, schema=columns, streamable=True).sink_parquet(f"{target}.parquet")

    yield run


@contextmanager
def dask(model: Any, _: bool, workers: int) -> Iterator[Score]:
    import dask.dataframe
    import pyarrow as pa

    from sensenet.batches import output_schema, score

    outputs = ["prediction"]
    schema = output_schema(model, outputs)

    def answer(frame: Any) -> Any:
        table = pa.Table.from_pandas(frame, preserve_index=False)
        return pa.Table.from_batches(score(table, model, outputs), schema).to_pandas()

    def run(source: Path, target: Path) -> None:
        rows = dask.dataframe.read_parquet(str(source))
        answers = rows.map_partitions(answer, meta=schema.empty_table().to_pandas())
        with dask.config.set(scheduler="processes" if workers > 1 else "synchronous", num_workers=workers):
            answers.to_parquet(str(target), write_index=False)

    yield run


@contextmanager
def spark(model: Any, images: bool, workers: int) -> Iterator[Score]:
    from pyspark.sql import SparkSession

    from sensenet.spark import score

    os.environ.update(PYSPARK_PYTHON=sys.executable, SPARK_LOCAL_IP="127.0.0.1")
    builder = SparkSession.builder.master(f"local[{workers}]").config("spark.driver.host", "127.0.0.1")
    builder = builder.config("spark.driver.memory", "1g").config("spark.ui.enabled", "false")
    session = builder.getOrCreate()

    def run(source: Path, target: Path) -> None:
        if images:
            rows = session.read.format("binaryFile").load(str(source)).select("content")
        else:
            rows = session.read.parquet(str(source))
        score(rows, model).write.parquet(str(target))

    yield run
    session.stop()


@contextmanager
def ray(model: Any, images: bool, workers: int) -> Iterator[Score]:
    import ray as engine
    from ray import data

    from sensenet.ray import Scorer

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    engine.init(num_cpus=2, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1")
    data.DataContext.get_current().enable_progress_bars = False

    def run(source: Path, target: Path) -> None:
        rows = data.read_binary_files(str(source)) if images else data.read_parquet(str(source))
        pool = data.ActorPoolStrategy(size=workers)
        options = {"batch_format": "pyarrow", "batch_size": 64 if images else None, "num_cpus": 0.5}
        rows.map_batches(Scorer, fn_constructor_args=[model], compute=pool, **options).write_parquet(
            str(target)
        )

    yield run
    engine.shutdown()


MAKERS: dict[str, Any] = {made.__name__: made for made in (pyarrow, duckdb, polars, dask, spark, ray)}
WITH_IMAGES = ("pyarrow", "spark", "ray")


def measure(engine: str, workers: int, folder: Path) -> dict[str, float]:
    """Return the seconds of each work, in this process."""
    import sensenet

    rows, images = document(), str(ROOT / "examples/digits.json.gz")
    works = {"rows": rows, "ten": rows} | ({"images": images} if engine in WITH_IMAGES else {})
    seconds = {}
    for work, source in works.items():
        model = sensenet.create_model(source)
        with MAKERS[engine](model, work == "images", workers) as score:
            for turn in range(2):
                with tempfile.TemporaryDirectory(dir=folder) as target:
                    start = time.perf_counter()
                    score(folder / work, Path(target) / f"{turn}")
                    seconds[work] = time.perf_counter() - start
    return seconds


def main() -> None:
    described, _, about = __doc__.split("\n\n", 2)
    parser = argparse.ArgumentParser(description=described, epilog=about)
    parser.add_argument("engines", nargs="*", metavar="ENGINE", help=f"of {', '.join(ENGINES)}; all if none")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--child", nargs=3, metavar=("ENGINE", "WORKERS", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        engine, workers, folder = options.child
        print(json.dumps(measure(engine, int(workers), Path(folder))))
        return
    folder = Path(tempfile.mkdtemp())
    try:
        write_rows(folder / "rows", options.rows)
        write_rows(folder / "ten", 10 * options.rows)
        write_images(folder / "images", options.images)
        print(
            "| engine | workers | rows/s | rows/s with ten times the rows | images/s |\n|---|---|---|---|---|"
        )
        for engine in options.engines or ENGINES:
            for workers in ENGINES[engine]:
                print_line(engine, workers, folder, options)
        print(f"\nLoad of the machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors.")
    finally:
        shutil.rmtree(folder)


def print_line(engine: str, workers: int, folder: Path, options: argparse.Namespace) -> None:
    command = [sys.executable, __file__, "--child", engine, str(workers), str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if workers == 1:
        environment["OMP_NUM_THREADS"] = "1"
    result = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True
    )
    seconds = json.loads(result.stdout.splitlines()[-1])
    counts = {"rows": options.rows, "ten": 10 * options.rows, "images": options.images}
    speeds = [f"{counts[work] / seconds[work]:,.0f}" if work in seconds else "–" for work in counts]
    print(f"| {engine} | {workers} | {' | '.join(speeds)} |", flush=True)


if __name__ == "__main__":
    main()
