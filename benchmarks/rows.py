"""Where the time of rows goes: one row, many as lists, many as an array, and the first of a fresh process.

    python -m benchmarks.rows

The engine is native. Times are processor time of all threads, the least of several runs: a busy machine
changes that less than wall time.
"""

from __future__ import annotations

import compileall
import json
import os
import resource
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
FRESH_RUNS = 10

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
"""For the processor time of processes: other threads of NumPy's library wait in a loop when they are made."""

NUMPY = "import numpy"

FRESH = """
import time
before = time.process_time()
seconds = {"Python itself": before}
def step(name):
    global before
    now = time.process_time()
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
    """Seconds of the steps to the first row of a process, and of whole processes in turns."""
    # as pip does when it installs a package
    compileall.compile_dir(Path(__file__).parents[1] / "sensenet", quiet=2)
    program = FRESH.replace("PATH", repr(str(path))).replace("ROW", repr(row))
    runs = []
    for _ in range(FRESH_RUNS):
        _, importing = run_python(NUMPY)
        steps, answering = run_python(program)
        wholes = {"the whole process": answering, f"a process of `{NUMPY}`": importing}
        runs.append({**json.loads(steps), **wholes})
    return {name: min(run[name] for run in runs) for name in runs[0]}


def run_python(program: str) -> tuple[bytes, float]:
    """What a fresh process prints, and its seconds of processor time."""
    before = children_time()
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, capture_output=True, check=True, env=os.environ | ONE_THREAD)
    return found.stdout, children_time() - before


def children_time() -> float:
    """Seconds of processor time of all processes that this one has waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


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
