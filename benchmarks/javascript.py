"""Models in JavaScript, by three targets: the sizes and times of docs/wasm.md.

    python -m benchmarks.javascript

One line a model and target: the size of all files in kB, and the time of a call for one row and for 1,000
rows, the least of many, in Node on one processor; for wasm also that of `predict` for a row by field name.
wasm needs no runtime; tfjs runs in TensorFlow.js and onnx in onnxruntime-web, both on wasm, in the versions
that tests/js locks. Calls are from numbers to numbers.

- iris, diabetes: examples; diabetes has forests;
- layers: 30 columns and three layers of 64 units; seeded random weights.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import sensenet
from benchmarks.published.inputs import COLUMNS, UNITS, make_dense, make_numeric

ROOT = Path(__file__).resolve().parents[1]
TARGETS = ("wasm", "tfjs", "onnx")


def layers() -> dict[str, Any]:
    """A regression of three layers."""
    random = np.random.default_rng(0)
    sizes = [(COLUMNS, UNITS, "relu"), (UNITS, UNITS, "relu"), (UNITS, UNITS, "relu"), (UNITS, 1, "linear")]
    exposition = {"type": "numeric", "mean": 0.0, "stdev": 1.0}
    return {
        "preprocess": [make_numeric(index) for index in range(COLUMNS)],
        "layers": [make_dense(random, *size) for size in sizes],
        "output_exposition": exposition,
    }


def main() -> None:
    from support.javascript import DIRECTORY, install  # in `tests`, which the inputs find

    for directory in (DIRECTORY, DIRECTORY / "onnx"):
        install(directory)
    examples = {name: ROOT / "examples" / f"{name}.json" for name in ("iris", "diabetes")}
    with tempfile.TemporaryDirectory() as directory:
        for name, source in {**examples, "layers": layers()}.items():
            for target in TARGETS:
                artifact = sensenet.compile(source, target)
                artifact.save(Path(directory) / f"{name}.{target}")
                size = sum(map(len, artifact.files.values())) / 1e3
                command = ["node", str(Path(__file__).with_suffix(".mjs")), directory, name, target]
                result = subprocess.run(command, check=True, capture_output=True, text=True)
                times = json.loads(result.stdout)
                print(
                    f"{name:9} {target:5} {size:6.1f} kB  " + "  ".join(f"{t:10.2f} µs" for t in times),
                    flush=True,
                )


if __name__ == "__main__":
    main()
