"""Quantize a .tflite file with ai-edge-quantizer: runs in an environment that has it, alone.

    python benchmarks/ai_edge.py RECIPE model.tflite inputs.npz quantized.tflite

RECIPE is the name of a function of `ai_edge_quantizer.recipe`; each array of inputs.npz is one input for all
calibration rows, along its first axis.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np


def main() -> None:
    from ai_edge_quantizer import quantizer, recipe

    name, model, inputs, output = sys.argv[1:]
    made = quantizer.Quantizer(model, getattr(recipe, name)())
    with np.load(inputs) as arrays:
        columns = dict(arrays)
    rows = len(next(iter(columns.values())))
    data = [{key: column[row : row + 1] for key, column in columns.items()} for row in range(rows)]
    calibration = made.calibrate({"serving_default": data}) if made.need_calibration else None
    Path(output).write_bytes(made.quantize(calibration).quantized_model)


if __name__ == "__main__":
    main()
