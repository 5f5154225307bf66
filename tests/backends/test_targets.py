"""What all targets have in common: which ops they take, and how they refuse options."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support.lowered import graph_of_op
from support.op_cases import ALL_CASES, case_name, floats, weights

from sensenet.backends import TARGETS, get_target
from sensenet.backends import tensorflow as lowering
from sensenet.backends.onnx import emit as onnx
from sensenet.backends.tfjs import emit as tfjs
from sensenet.backends.tflite import emit as tflite
from sensenet.compiler.pipelines import lowering_passes
from sensenet.errors import UnknownTargetError
from sensenet.ir.legality import require_legal
from sensenet.ir.ops import dense
from sensenet.ir.ops.control import While
from sensenet.ir.ops.core import Constant, Input
from sensenet.ir.ops.table import OP_CLASSES
from sensenet.ir.types import f32
from sensenet.passes.infrastructure.manager import run_passes
from sensenet.passes.lowering.legalize import LOWERINGS

GRAPH = graph_of_op(dense.Dense(kernel=weights(3, 2)), f32(None, 3))


@pytest.mark.parametrize("target", TARGETS)
def test_every_op_is_legal_or_lowered(target):
    legal = get_target(target).legal()
    takes_some = [op for op in OP_CLASSES if legal.get(op) is not True]
    missing = [op.__name__ for op in takes_some if op not in LOWERINGS]
    assert not missing, (
        f"op, step 3: emit {missing} for {target}, or lower it: "
        "LOWERINGS of sensenet/passes/lowering/legalize.py"
    )


@pytest.mark.parametrize("target", ["tflite", "savedmodel", "tfjs", "smbundle", "onnx"])
@pytest.mark.parametrize("case", ALL_CASES, ids=case_name)
def test_every_op_becomes_ops_of_the_target(case, target):
    backend = get_target(target)
    lowered, _ = run_passes(case.graph(), lowering_passes(backend))
    require_legal(lowered, backend.legal(), target)


def test_the_tables_hold_what_is_legal():
    """An op is legal, all nodes of it or some, if and only if it is emitted."""
    assert {*lowering.EMIT, Input, While} == set(lowering.LEGAL)
    assert {*tfjs.EMIT, Input, Constant, While} == set(tfjs.LEGAL)
    assert {*tflite.EMIT, Input, Constant} == set(tflite.LEGAL)
    assert {*onnx.EMIT, Input, Constant, While} == set(onnx.LEGAL)


@pytest.mark.parametrize(("target", "known"), [("numpy", "it has none"), ("ir", "expected one of: dot")])
def test_unknown_options_are_refused(target, known):
    with pytest.raises(UnknownTargetError, match=f"{target} has no option 'quantise'; {known}"):
        get_target(target).read_options({"quantise": True})


def test_loading_a_backend_imports_no_optional_package():
    packages = {"tensorflow", "keras", "ai_edge_litert", "flatbuffers", "h5py", "onnx", "onnxruntime"}
    code = (
        "import sys; from sensenet.backends import TARGETS, get_target; "
        "[get_target(target) for target in TARGETS]; "
        f"print(sorted({packages} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_floats_are_not_all_alike():
    assert len(set(floats(5))) == 5, "the tests of targets compare these numbers"
