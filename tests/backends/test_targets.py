"""What all targets have in common: which ops they take, and how they refuse options."""

from __future__ import annotations

import subprocess
import sys

import pytest
from lowered import graph_of_op
from op_cases import ALL_CASES, case_name, floats, weights

from sensenet.artifact import Report
from sensenet.backends import TARGETS, load_backend
from sensenet.backends.lowering import EMIT, LEGAL
from sensenet.errors import UnknownTargetError
from sensenet.ir.ops import OP_CLASSES, dense, tabular
from sensenet.ir.types import f32
from sensenet.ir.verify import verify_ops
from sensenet.passes.legalize import LOWERINGS, legalize

GRAPH = graph_of_op(dense.Dense(kernel=weights(3, 2)), f32(None, 3))


@pytest.mark.parametrize("target", TARGETS)
def test_every_op_is_legal_or_lowered(target):
    legal = load_backend(target).legal
    assert [op for op in OP_CLASSES if op not in legal and op not in LOWERINGS] == []


def test_the_lowering_takes_all_but_what_becomes_other_ops():
    assert set(OP_CLASSES) - LEGAL == {
        tabular.OneHot,
        tabular.EmbeddingSum,
        tabular.Forest,
        dense.BatchedDense,
    }
    assert set(EMIT) <= set(OP_CLASSES)


@pytest.mark.parametrize("case", ALL_CASES, ids=case_name)
def test_every_op_becomes_ops_of_the_lowering(case):
    verify_ops(legalize(LEGAL).run(case.graph()), LEGAL, "the lowering")


@pytest.mark.parametrize(("target", "known"), [("numpy", "it has none"), ("ir", "there are: dot")])
def test_unknown_options_are_refused(target, known):
    with pytest.raises(UnknownTargetError, match=f"{target} has no option 'quantise'; {known}"):
        load_backend(target).build(GRAPH, Report(target=target, level=0), {"quantise": True})


def test_loading_a_backend_imports_no_optional_package():
    code = (
        "import sys; from sensenet.backends import TARGETS, load_backend; "
        "[load_backend(target) for target in TARGETS]; "
        "print(sorted({'tensorflow', 'keras', 'ai_edge_litert', 'flatbuffers', 'h5py'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_floats_are_not_all_alike():
    assert len(set(floats(5))) == 5, "the tests of targets compare these numbers"
