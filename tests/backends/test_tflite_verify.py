"""Sound .tflite files pass the checks before an interpreter sees them: those of every op and document."""

from __future__ import annotations

import pytest
from support import documents
from support.lowered import build
from support.op_cases import ALL_CASES, case_name

import sensenet
from sensenet.backends.tflite.flatbuffer import import_schema
from sensenet.backends.tflite.kinds import KINDS, OPTION_NUMBERS, TYPES, options_of
from sensenet.backends.tflite.reading import FORBIDDEN, TABLES, defaults
from sensenet.backends.tflite.verify import NAMES, RULES, verify
from sensenet.backends.tflite.versions import VERSIONS
from sensenet.errors import ArtifactError
from sensenet.ir.ops import control, shape

pytest.importorskip("ai_edge_litert")


def test_numbers_are_those_of_the_schema():
    schema = import_schema()
    assert {name: kind.number for name, kind in KINDS.items()} == {
        name: getattr(schema.BuiltinOperator, name) for name in KINDS
    }
    assert all(getattr(schema.BuiltinOptions, name) == number for name, number in OPTION_NUMBERS.items())
    named = {options_of(kind) for kind in NAMES.values()}
    assert {name for name in named if hasattr(schema.BuiltinOptions, name)} == set(OPTION_NUMBERS)
    assert {name for name in TABLES if name.endswith("Options")} <= set(OPTION_NUMBERS)
    letters = {"F": "FLOAT32", "H": "FLOAT16", "I": "INT32", "L": "INT64", "B": "BOOL"}
    letters |= {"Q": "INT8", "S": "INT16", "N": "INT4"}
    assert all(getattr(schema.TensorType, letters[letter]) == number for number, (letter, _) in TYPES.items())


SPELLED = {
    **{"old_code": "deprecatedbuiltincode", "code": "builtincode", "signatures": "signaturedefs"},
    **{"signature": "shapesignature", "opcode": "opcodeindex", "options_type": "optionstype"},
    **{"mutating": "mutatingvariableinputs", "key": "signaturekey", "subgraph": "subgraphindex"},
    **{"tensor": "tensorindex", "power_of_two": "potscale", "from": "indatatype", "to": "outdatatype"},
    **{"stride_w": "stridew", "stride_h": "strideh", "activation": "fusedactivationfunction"},
    **{"multiplier": "depthmultiplier", "adjoint_x": "adjx", "adjoint_y": "adjy", "asymmetric": "asymmetric"},
    **{"bias_type": "quantizedbiastype", "keep_dims": "keep", "count": "", "width": "filterwidth"},
    **{"height": "filterheight", "half_pixel": "halfpixelcenters", "shape": "shape", "type": "type"},
    **{"axes": "squeezedims", "shrink_mask": "shrinkaxismask", "condition": "condsubgraphindex"},
    **{"body": "bodysubgraphindex", "dilation_w": "dilationwfactor", "dilation_h": "dilationhfactor"},
}
"""The names that the schema has for fields."""


def test_tables_have_the_fields_and_defaults_of_the_schema():
    schema = import_schema()
    for name, text in TABLES.items():
        theirs = list(vars(getattr(schema, f"{name}T")()).items())
        fields = text.split()
        if name.endswith("Options") and FORBIDDEN not in fields:
            found = [float(value) for value in defaults(name).values()]
            assert found == [float(value) for _, value in theirs if isinstance(value, int | float)], name
        for field, (member, _) in zip(fields, theirs, strict=False):
            key = field.partition(":")[0]
            assert field == FORBIDDEN or SPELLED.get(key, key.replace("_", "")) in member.lower(), (name, key)


def test_every_operator_that_is_written_has_a_rule_and_is_read():
    assert RULES.keys() == KINDS.keys()
    assert VERSIONS.keys() <= set(NAMES.values())


SIZED_BY_CALLERS = (shape.Range, shape.Fill)
"""Ops whose results have as many numbers as an input says, where an input is all that the graph is."""


@pytest.mark.parametrize(
    "case",
    [case for case in ALL_CASES if not isinstance(case.op, (*SIZED_BY_CALLERS, control.While))],
    ids=case_name,
)
def test_every_op_passes(case):
    content = bytes(build(case.graph(), "tflite"))
    interface = verify(content, "the file")
    assert interface.inputs == {node.name: node.types[0] for node in case.graph().inputs}


@pytest.mark.parametrize(
    "case", [case for case in ALL_CASES if isinstance(case.op, SIZED_BY_CALLERS)], ids=case_name
)
def test_a_size_that_an_input_says_is_refused(case):
    with pytest.raises(ArtifactError, match=r"is not sound .* is not constant"):
        verify(bytes(build(case.graph(), "tflite")), "the file")


@pytest.mark.parametrize("case", [case for case in ALL_CASES if isinstance(case.op, control.While)])
def test_a_loop_that_counts_no_steps_is_refused(case):
    with pytest.raises(ArtifactError, match="a loop without a bound on its steps"):
        verify(bytes(build(case.graph(), "tflite")), "the file")


@pytest.mark.parametrize("mode", ["none", "float16", "weights", "dynamic"])
@pytest.mark.parametrize("kind", sorted(documents.DOCUMENTS))
def test_every_document_passes(kind, mode):
    for level in (0, 1, 2):
        artifact = sensenet.compile(documents.DOCUMENTS[kind](), "tflite", quantize=mode, optimize=level)
        assert verify(bytes(artifact), "the file").outputs.keys() == artifact.graph.outputs.keys()
