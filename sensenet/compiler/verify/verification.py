"""Verifies an artifact: runs its files in a fresh process, and compares the answers with the interpreter's.

The interpreter runs the graph as imported. The inputs are generated from the graph's signature, and encoded
from the rows that a caller gives. The largest difference must be within a tolerance, which depends on how the
weights are stored (`Options.rounding`).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sensenet.artifact import Artifact, Executable, Verification
from sensenet.backends import MODULES, TARGETS
from sensenet.compiler.verify.inputs import generated_inputs, given_inputs
from sensenet.errors import ArtifactError, VerificationError
from sensenet.files.directories import temporary_directory
from sensenet.ir.evaluate import Feed, prepare
from sensenet.ir.graph import Graph
from sensenet.ir.printer import print_graph, weights
from sensenet.ir.types import Array
from sensenet.passes.quantization.answers import largest_difference
from sensenet.records import frozen
from sensenet.signature import BOXES, SCORES, VALID

ABSOLUTE, RELATIVE = 1e-5, 1e-4
"""An answer may differ by ABSOLUTE + RELATIVE · |answer|: float32 rounding, summed in another order."""

PIXEL = 1.0
"""The most by which a side of a detector's box may differ: it is rounded to whole pixels."""


@frozen
class Check:
    """Inputs, and the interpreter's answers for them."""

    inputs: Feed
    expected: Feed


def verify_artifact(
    artifact: Artifact, imported: Graph, rows: Sequence[Any] = (), *, rounding: float = 0.0
) -> Verification:
    """Return the difference of an artifact's answers from those of the imported graph.

    `rounding` is added to the tolerance, as a share of the largest answer, for weights that are stored less
    exactly. Raises VerificationError if the difference exceeds the tolerance, ArtifactError if the files
    cannot be run.
    """
    checks = [*generated_checks(imported), *(given_checks(imported, rows) if len(rows) else ())]
    with temporary_directory() as directory:
        found = _run_elsewhere(artifact, imported, checks, directory)
    difference = excess = 0.0
    for check, outputs in zip(checks, found, strict=True):
        for name, expected in check.expected.items():
            gap, over = compare(name, outputs[name], expected, check.expected, rounding)
            difference, excess = max(difference, gap), max(excess, over)
    result = Verification(rows=sum(_rows(check.inputs) for check in checks), difference=difference)
    if excess > 0:
        raise VerificationError(
            f"the {artifact.target} artifact differs from the interpreter by {difference:.3g} on "
            f"{result.rows} rows, {excess:.3g} more than allowed"
        )
    return result


def measure(executable: Executable, checks: Sequence[Check]) -> Verification:
    """Return the difference of an executable's answers from the expected ones, whatever the tolerance.

    It is the difference that budgets of quantization bound (see `passes.quantization.answers`).
    """
    found = [executable.run(check.inputs) for check in checks]
    return Verification(
        rows=sum(_rows(check.inputs) for check in checks),
        difference=largest_difference(found, [check.expected for check in checks]),
    )


def _rows(inputs: Feed) -> int:
    return len(next(iter(inputs.values())))


def compare(
    name: str, found: Array, expected: Array, outputs: Feed, rounding: float = 0.0
) -> tuple[float, float]:
    """Return the largest difference of an output, and by how much it exceeds the tolerance.

    Of a detector's padded arrays, only the valid boxes are compared; of a quantized detector, which may order
    them differently, only the best score. For different shapes or NaNs, the difference is infinite.
    """
    if found.shape != expected.shape:
        return np.inf, np.inf
    if rounding and VALID in outputs:
        if name != SCORES:
            return 0.0, 0.0
        found, expected, outputs = found[:, :1], expected[:, :1], {}
    found, expected = found.astype(np.float64), expected.astype(np.float64)
    if VALID in outputs and name != VALID:
        slots = np.arange(expected.shape[1]) < outputs[VALID][:, None]
        found, expected = found[slots], expected[slots]
    with np.errstate(invalid="ignore"):
        same = (found == expected) | (np.isnan(found) & np.isnan(expected))
        gap = np.where(same, 0.0, np.abs(found - expected))
    gap = np.where(np.isnan(gap), np.inf, gap)
    magnitude = np.where(np.isfinite(expected), np.abs(expected), 0.0)
    tolerance: Any = PIXEL if name == BOXES else ABSOLUTE + RELATIVE * magnitude
    if rounding:
        tolerance = rounding * max(1.0, float(magnitude.max(initial=0.0)))
    return float(gap.max(initial=0.0)), float((gap - tolerance).max(initial=0.0))


def generated_checks(graph: Graph) -> list[Check]:
    """Return random inputs of every kind that the graph accepts, always the same, with the answers."""
    return _answered(graph, generated_inputs(graph))


def given_checks(graph: Graph, rows: Iterable[Any]) -> list[Check]:
    """Return the inputs that rows, or a detector's images, are encoded as, and answers; raises InputError."""
    return _answered(graph, given_inputs(graph.signature, rows))


def _answered(graph: Graph, feeds: Iterable[Feed]) -> list[Check]:
    program = prepare(graph)
    return [Check(feed, program(feed)) for feed in feeds]


def _run_elsewhere(
    artifact: Artifact, imported: Graph, checks: Sequence[Check], directory: Path
) -> list[dict[str, Array]]:
    """Return the answers of the saved artifact, in a separate process, for each check."""
    path = artifact.save(directory / f"artifact{TARGETS[artifact.target].suffix}")
    (directory / "imported.ir").write_text(print_graph(imported), "utf-8")
    np.savez(directory / "imported.npz", **weights(imported))
    for number, check in enumerate(checks):
        np.savez(directory / f"inputs-{number}.npz", **check.inputs)
    command = [
        sys.executable,
        "-m",
        "sensenet.compiler.verify.run_saved",
        MODULES[artifact.target],
        str(path),
        str(directory),
    ]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        last = (process.stderr.strip().splitlines() or [f"exit code {process.returncode}"])[-1]
        raise ArtifactError(f"the {artifact.target} artifact cannot be run: {last}")
    found = []
    for number in range(len(checks)):
        with np.load(directory / f"outputs-{number}.npz") as arrays:
            found.append(dict(arrays))
    return found
