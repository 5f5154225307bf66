"""Recorded documents, lowered for each target: what is written answers as the network, in the interpreter.

So all of the lowering is checked without any runtime, in the text form that `--dump-ir` writes.
"""

from __future__ import annotations

import pytest
from support.conformance import recorded_cases

from sensenet.backends import get_target
from sensenet.compiler.pipelines import lowering_passes
from sensenet.compiler.verify.verification import compare, generated_checks
from sensenet.errors import SensenetError
from sensenet.frontend import import_graph
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import same_graph
from sensenet.ir.legality import require_legal
from sensenet.ir.parser import parse_graph
from sensenet.ir.printer import print_graph, weights
from sensenet.passes import PIPELINES
from sensenet.passes.infrastructure.manager import run_passes

GROUPS = ("tabular", "real", "image", "detector", "extractor", "h5", "smbundle")

TARGETS = (
    ("tflite", 0),
    ("tflite", 2),
    pytest.param("savedmodel", 2, marks=pytest.mark.slow),
    pytest.param("tfjs", 1, marks=pytest.mark.slow),
    pytest.param("keras", 2, marks=pytest.mark.slow),
)
"""Those that have a lowering of their own, and levels that they are lowered after."""


@pytest.mark.parametrize(("target", "level"), TARGETS)
@pytest.mark.parametrize("case", recorded_cases(*GROUPS))
def test_what_is_written_answers_as_the_network(case, target, level):
    record = case.read()
    try:
        imported = import_graph(record["model"], record.get("settings"))
    except SensenetError as error:
        pytest.skip(f"refused: {error}")
    backend = get_target(target)
    lowered, _ = run_passes(imported, (*PIPELINES[level], *lowering_passes(backend)))
    require_legal(lowered, backend.legal(), target)
    read_back = parse_graph(print_graph(lowered), weights(lowered))
    assert same_graph(read_back, lowered)
    for check in generated_checks(imported):
        found = evaluate(read_back, check.inputs)
        for name, expected in check.expected.items():
            difference, excess = compare(name, found[name], expected, check.expected)
            assert excess <= 0, f"{name} differs by {difference}"
