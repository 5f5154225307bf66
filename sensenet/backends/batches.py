"""Batches without rows, which kernels of TensorFlow and TFLite refuse or get wrong."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np

from sensenet.ir.types import Array

Run = Callable[[Mapping[str, Array]], dict[str, Array]]
"""Gives the named outputs for named inputs."""


def run_any_batch(run: Run, inputs: Mapping[str, Array], batched: Collection[str]) -> dict[str, Array]:
    """Return the outputs, also for zero rows: then those of one row of zeros, without that row.

    `batched` names the outputs whose first axis is the batch.
    """
    if all(len(array) for array in inputs.values()):
        return run(inputs)
    results = run({name: np.zeros((1, *a.shape[1:]), a.dtype) for name, a in inputs.items()})
    return {name: result[:0] if name in batched else result for name, result in results.items()}
