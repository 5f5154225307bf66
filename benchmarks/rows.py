"""Where the time of rows goes: one row, many as lists, many as an array, and the first of a fresh process.

    python -m benchmarks.rows

The engine is native. Times are processor time of all threads, the least of several runs: a busy machine
changes that less than wall time. Of a fresh process it is wall time.
"""

from __future__ import annotations

import compileall
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.published import inputs
from sensenet.models.wrappers import create_model
from sensenet.runtime.tables import as_table
from sensenet.signature import NUMERIC_INPUT

ENGINE = "native"
RUNS = 5

FRESH = """
import time
seconds, before = {"Python itself": time.process_time()}, time.perf_counter()
def step(name):
    global before
    now = time.perf_counter()
    seconds[name], before = now - before, now
import numpy
step("import of NumPy")
from sensenet.models.wrappers import create_model
step("import of sensenet")
model = create_model(PATH)
step("the document: read, checked, optimized, prepared")
model(ROW)
step("the first row")
import json
print(json.dumps(seconds))
"""


def least(call: Callable[[], object], repeats: int) -> float:
    """Seconds of processor time of one call."""
    seconds = []
    for _ in range(RUNS):
        start = time.process_time()
        for _ in range(repeats):
            call()
        seconds.append((time.process_time() - start) / repeats)
    return min(seconds)


def one_row(path: Path, row: list[Any]) -> Mapping[str, float]:
    """Seconds of the parts of a call with one row."""
    model = create_model(path, engine=ENGINE)
    predict = model._predict
    model([row] * 100)  # compiles
    return {
        "machine code: cells, network and answer": least(lambda: predict.answer_row(row), 2000),
        "the whole call": least(lambda: model(row), 2000),
    }


def many_rows(path: Path, rows: Any) -> Mapping[str, float]:
    """Seconds of the parts of a call with many rows."""
    predict = create_model(path, engine=ENGINE)._predict
    encoder = predict.rows
    encoded = encoder.encode(as_table(rows, encoder.layout))
    return {
        "the rows' cells to numbers": least(lambda: encoder.encode(as_table(rows, encoder.layout)), 1),
        "the network": least(lambda: predict.run({NUMERIC_INPUT: encoded}), 1),
        "the whole call": least(lambda: predict(rows), 1),
    }


def fresh_process(path: Path, row: list[Any]) -> Mapping[str, float]:
    """Seconds of the steps to the first row of a process: wall time, of each step the least.

    Not processor time: threads of NumPy's matrix library wait in a loop when they are made.
    """
    # as pip does when it installs a package
    compileall.compile_dir(Path(__file__).parents[1] / "sensenet", quiet=2)
    program = FRESH.replace("PATH", repr(str(path))).replace("ROW", repr(row))
    runs = [
        json.loads(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout)
        for _ in range(RUNS)
    ]
    return {name: min(run[name] for run in runs) for name in runs[0]}


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for write in (inputs.write_mixed_table, inputs.write_numeric_table, inputs.write_million_rows):
            write(directory)
        mixed, row = directory / "mixed.json", json.loads((directory / "row.json").read_text())
        rows = json.loads((directory / "rows.json").read_text())
        tables = {
            "one row": one_row(mixed, row),
            "20,000 rows as lists": many_rows(mixed, rows),
            "1,000,000 rows as an array": many_rows(
                directory / "numeric.json", np.load(directory / "million.npy")
            ),
            "fresh process to first row": fresh_process(mixed, row),
        }
    print("| work | step | time |\n|---|---|---|")
    for work, steps in tables.items():
        for step, seconds in steps.items():
            print(f"| {work} | {step} | {seconds * 1e3:,.3g} ms |")


if __name__ == "__main__":
    main()
