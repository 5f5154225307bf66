"""One row inside C: `NAME_predict` of the target native, against LiteRT's own invoke of the same row.

    python -m benchmarks.native_code [DOCUMENT…]

Nanoseconds of processor time of a call, the least of several runs: of the object file for this machine, and
of the C source in gcc -O3, in a loop of C; and of LiteRT's `invoke`, called from Python.
Without documents: two examples, and the tables of `python -m benchmarks`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

import sensenet
from benchmarks.published import inputs
from sensenet.artifact import Artifact
from sensenet.backends.tflite.interpreter import find_interpreter

RUNS, CALLS = 9, 20_000

FLAGS = ("-std=gnu99", "-O3", "-march=native")

MAIN = """\
#include <stdio.h>
#include <time.h>
#include "model.h"
int main(void) {{
  static float row[MODEL_INPUTS], out[MODEL_OUTPUTS];
  double least = 1e9;
  for (size_t i = 0; i < MODEL_INPUTS; ++i) row[i] = (float)(i % 3);
  for (int run = 0; run < {runs}; ++run) {{
    const clock_t start = clock();
    for (int call = 0; call < {calls}; ++call) {{
      row[0] = (float)(call & 3);
      if (model_predict(row, 1, out) != 0) return 1;
    }}
    const double taken = (double)(clock() - start) / CLOCKS_PER_SEC / {calls};
    least = taken < least ? taken : least;
  }}
  printf("%.9g\\n", least);
  return 0;
}}
"""


def in_c(artifact: Artifact, directory: Path) -> float:
    """Seconds of one call in a program of C."""
    for name, content in artifact.files.items():
        (directory / name).write_bytes(content)
    (directory / "main.c").write_text(MAIN.format(runs=RUNS, calls=CALLS))
    (code,) = (name for name in artifact.files if not name.endswith(".h"))
    program = directory / "program"
    sources = [str(directory / "main.c"), str(directory / code)]
    subprocess.run(["gcc", *FLAGS, *sources, "-o", str(program)], check=True)
    return float(subprocess.run([str(program)], capture_output=True, check=True).stdout)


def in_litert(content: bytes) -> float:
    """Seconds of one `invoke` of a file, with its row set before."""
    interpreter = find_interpreter()(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    (detail,) = interpreter.get_input_details()
    row = np.arange(np.prod(detail["shape"]), dtype=np.float32) % 3
    interpreter.set_tensor(detail["index"], row.reshape(detail["shape"]))
    least = float("inf")
    for _ in range(RUNS):
        start = time.process_time()
        for _ in range(CALLS):
            interpreter.invoke()
        least = min(least, (time.process_time() - start) / CALLS)
    return least


def measure(document: Path) -> Mapping[str, float]:
    """Seconds of a row in each, and bytes of what is linked."""
    found: dict[str, float] = {}
    for emit in ("object", "source"):
        artifact = sensenet.compile(document, "native", emit=emit, prefix="model")
        with tempfile.TemporaryDirectory() as directory:
            found[emit] = in_c(artifact, Path(directory))
        if emit == "object":
            found["bytes"] = len(artifact.files["model.o"])
    lite = sensenet.compile(document, "tflite", batch=1)
    return found | {"LiteRT": in_litert(bytes(lite))}


def main(documents: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        inputs.write_mixed_table(Path(directory))
        inputs.write_numeric_table(Path(directory))
        examples = [Path(f"examples/{name}.json") for name in ("iris", "diabetes")]
        usual = [*examples, *(Path(directory) / f"{name}.json" for name in ("mixed", "numeric"))]
        chosen = [Path(each) for each in documents] or usual
        print("| document | object | source | LiteRT | object's size |\n|---|---|---|---|---|")
        for document in chosen:
            found = measure(document)
            figures = " | ".join(f"{found[name] * 1e9:,.0f} ns" for name in ("object", "source", "LiteRT"))
            print(f"| {document.stem} | {figures} | {found['bytes']:,} bytes |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
