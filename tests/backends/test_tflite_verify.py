"""What a .tflite file must be before an interpreter sees it: sound files pass, all else is refused."""

from __future__ import annotations

import copy
import json
import math
import re

import numpy as np
import pytest
from support import documents
from support.lowered import build
from support.op_cases import ALL_CASES, case_name

import sensenet
from sensenet.backends.silence import silence
from sensenet.backends.tflite.flatbuffer import import_schema, pack, unpack
from sensenet.backends.tflite.kinds import KINDS, OPTION_NUMBERS, TYPES, options_of
from sensenet.backends.tflite.metadata import SIGNATURE_FILE, _pack_archive
from sensenet.backends.tflite.reading import FORBIDDEN, TABLES, defaults
from sensenet.backends.tflite.verify import NAMES, RULES, verify
from sensenet.backends.tflite.versions import VERSIONS
from sensenet.errors import ArtifactError, LimitError
from sensenet.ir.ops import control, shape
from sensenet.ir.ops.control import MOST_STEPS
from sensenet.models.wrappers import create_model

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
    letters = {"F": "FLOAT32", "H": "FLOAT16", "I": "INT32", "L": "INT64", "B": "BOOL", "Q": "INT8"}
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


@pytest.mark.parametrize("mode", ["none", "float16", "dynamic"])
@pytest.mark.parametrize("kind", sorted(documents.DOCUMENTS))
def test_every_document_passes(kind, mode):
    for level in (0, 1, 2):
        artifact = sensenet.compile(documents.DOCUMENTS[kind](), "tflite", quantize=mode, optimize=level)
        assert verify(bytes(artifact), "the file").outputs.keys() == artifact.graph.outputs.keys()


def tree_of(kind, mode="none"):
    """The model of a document, all of which may be changed."""
    tree = unpack(bytes(sensenet.compile(documents.DOCUMENTS[kind](), "tflite", quantize=mode)))
    for graph in tree.subgraphs:
        for operator in graph.operators:
            operator.inputs, operator.outputs = operator.inputs.copy(), operator.outputs.copy()
    return tree


def find(tree, kind):
    """The first operator of a kind, and its subgraph."""
    for graph in tree.subgraphs:
        for operator in graph.operators:
            if NAMES[tree.operatorCodes[operator.opcodeIndex].builtinCode] == kind:
                return operator, graph
    raise LookupError(kind)


def set_option(kind, name, value):
    def damage(tree):
        setattr(find(tree, kind)[0].builtinOptions, name, value)

    return damage


def set_input(kind, place, number):
    def damage(tree):
        inputs = find(tree, kind)[0].inputs
        inputs[place] = number

    return damage


def set_constant(kind, place, numbers):
    """Another constant of whole numbers as an operand."""

    def damage(tree):
        operator, graph = find(tree, kind)
        buffer = import_schema().BufferT()
        buffer.data = np.array(numbers, np.int32)
        tree.buffers.append(buffer)
        tensor = import_schema().TensorT()
        tensor.name, tensor.type, tensor.buffer = "damage", 2, len(tree.buffers) - 1
        tensor.shape = np.array(np.shape(numbers), np.int32)
        graph.tensors.append(tensor)
        operator.inputs[place] = len(graph.tensors) - 1

    return damage


def set_tensor(kind, place, **members):
    """Other members of the tensor that an operator reads at a place."""

    def damage(tree):
        operator, graph = find(tree, kind)
        for name, value in members.items():
            setattr(graph.tensors[operator.inputs[place]], name, value)

    return damage


def set_code(number, custom=None):
    def damage(tree):
        code = tree.operatorCodes[0]
        code.builtinCode, code.deprecatedBuiltinCode = number, min(number, 127)
        code.customCode = custom

    return damage


def swap_operators(tree):
    operators = tree.subgraphs[0].operators
    operators[0], operators[-1] = operators[-1], operators[0]


def read_its_result(tree):
    operator, _ = find(tree, "RESHAPE")
    operator.inputs[0] = operator.outputs[0]


def write_twice(tree):
    graph = tree.subgraphs[0]
    graph.operators.append(graph.operators[-1])


def write_a_constant(tree):
    operator, _ = find(tree, "CONV_2D")
    operator.outputs[0] = operator.inputs[1]


def cut_a_buffer(tree):
    operator, graph = find(tree, "CONV_2D")
    buffer = tree.buffers[graph.tensors[operator.inputs[1]].buffer]
    buffer.data = np.array(bytearray(buffer.data)[:-4], np.uint8)


def fill_the_first_buffer(tree):
    tree.buffers[0].data = np.zeros(4, np.uint8)


def name_metadata(tree):
    tree.metadata[0].name = "buffer_location"


def double_a_name(tree):
    outputs = tree.signatureDefs[0].outputs
    outputs[1].name = outputs[0].name


def drop_options(tree):
    operator, _ = find(tree, "CONV_2D")
    operator.builtinOptions, operator.builtinOptionsType = None, 0


def take_other_options(tree):
    operator, _ = find(tree, "CONV_2D")
    operator.builtinOptions = import_schema().AddOptionsT()
    operator.builtinOptionsType = import_schema().BuiltinOptions.AddOptions


def set_scale(*scales, axis=0, zero=0):
    """Other scales of an int8 kernel."""

    def damage(tree):
        operator, graph = find(tree, "FULLY_CONNECTED")
        for operator in graph.operators:
            for index in operator.inputs:
                quantization = graph.tensors[index].quantization if index >= 0 else None
                if quantization is not None and quantization.scale is not None:
                    quantization.scale = np.array(scales, np.float32)
                    quantization.zeroPoint = np.full(len(scales), zero, np.int64)
                    quantization.quantizedDimension = axis

    return damage


def loop_of(tree):
    """The operator of a detector's loop, and its condition and body."""
    operator, _ = find(tree, "WHILE")
    options = operator.builtinOptions
    return operator, tree.subgraphs[options.condSubgraphIndex], tree.subgraphs[options.bodySubgraphIndex]


def producer_of(graph, index):
    (found,) = [operator for operator in graph.operators if index in operator.outputs]
    return found


def set_number(tree, graph, operator, place, number):
    """Another whole number as an operand, of as many axes as the old one."""
    old = graph.tensors[operator.inputs[place]]
    buffer = import_schema().BufferT()
    buffer.data = np.array([number], np.int32)
    tree.buffers.append(buffer)
    tensor = import_schema().TensorT()
    tensor.name, tensor.type, tensor.buffer, tensor.shape = "damage", 2, len(tree.buffers) - 1, old.shape
    graph.tensors.append(tensor)
    operator.inputs[place] = len(graph.tensors) - 1


def count_by(number):
    def damage(tree):
        _, _, body = loop_of(tree)
        set_number(tree, body, producer_of(body, body.outputs[-1]), 1, number)

    return damage


def begin_at(number):
    def damage(tree):
        operator, _, _ = loop_of(tree)
        set_number(tree, tree.subgraphs[0], operator, -1, number)

    return damage


def comparison_of(condition):
    both = producer_of(condition, condition.outputs[0])
    return producer_of(condition, both.inputs[1])


def count_up_to(number):
    def damage(tree):
        _, condition, _ = loop_of(tree)
        set_number(tree, condition, comparison_of(condition), 0, number)

    return damage


def clamp_the_counter(tree):
    _, _, body = loop_of(tree)
    producer_of(body, body.outputs[-1]).builtinOptions.fusedActivationFunction = 3


def pass_the_counter_on(tree):
    _, _, body = loop_of(tree)
    body.outputs = np.array([*body.outputs[:-1], body.inputs[-1]], np.int32)


def count_something_else(tree):
    _, _, body = loop_of(tree)
    operator = producer_of(body, body.outputs[-1])
    operator.inputs[0] = operator.inputs[1]


def compare_the_other_way(tree):
    _, condition, _ = loop_of(tree)
    operator = comparison_of(condition)
    operator.inputs = operator.inputs[::-1].copy()


def compare_with_what_changes(tree):
    _, condition, _ = loop_of(tree)
    operator = comparison_of(condition)
    operator.inputs = operator.inputs[[1, 1]].copy()


def go_on_without_counting(tree):
    _, condition, _ = loop_of(tree)
    condition.outputs = producer_of(condition, condition.outputs[0]).inputs[:1]


def go_on_or_count(tree):
    """A loop that goes on if either side of its condition is true."""
    code = import_schema().OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = KINDS["LOGICAL_OR"].number
    code.version = 1
    tree.operatorCodes.append(code)
    _, condition, _ = loop_of(tree)
    operator = producer_of(condition, condition.outputs[0])
    operator.opcodeIndex = len(tree.operatorCodes) - 1
    operator.builtinOptions, operator.builtinOptionsType = None, 0


def nest_the_loop(tree):
    operator, _, body = loop_of(tree)
    nested = copy.deepcopy(operator)
    nested.inputs = body.inputs.copy()
    body.operators.append(nested)


CUSTOM = 32
READ_VARIABLE = 143
UNBOUNDED = "a loop without a bound on its steps"


@pytest.mark.parametrize(
    ("kind", "damage", "message"),
    [
        ("image", set_code(CUSTOM, "FlexWriteFile"), "a field of OperatorCode"),
        ("image", set_code(CUSTOM), "operator 32, which sensenet does not run"),
        ("image", set_code(READ_VARIABLE), "operator 143, which sensenet does not run"),
        ("image", set_input("CONV_2D", 0, 10_000), "an input of CONV_2D"),
        ("image", set_input("CONV_2D", 1, -2), "an input of CONV_2D"),
        ("image", set_input("CONV_2D", 2, -1), "the types of CONV_2D"),
        ("image", swap_operators, "an input of"),
        ("detector", read_its_result, "an input of RESHAPE"),
        ("image", write_twice, "an output of"),
        ("image", write_a_constant, "an output of CONV_2D"),
        ("image", cut_a_buffer, "the size of a buffer"),
        ("image", fill_the_first_buffer, "the first buffer"),
        ("image", name_metadata, "the metadata"),
        ("image", drop_options, "the options of CONV_2D"),
        ("image", take_other_options, "the kind of options of CONV_2D"),
        ("image", set_option("CONV_2D", "strideH", 0), "CONV_2D is not sound"),
        ("image", set_option("CONV_2D", "strideW", -1), "CONV_2D is not sound"),
        ("image", set_option("CONV_2D", "dilationHFactor", 0), "CONV_2D is not sound"),
        ("image", set_option("CONV_2D", "padding", 7), "CONV_2D is not sound"),
        ("image", set_option("CONV_2D", "fusedActivationFunction", 9), "the activation of CONV_2D"),
        ("image", set_option("DEPTHWISE_CONV_2D", "depthMultiplier", 0), "DEPTHWISE_CONV_2D is not sound"),
        ("image", set_option("MAX_POOL_2D", "filterHeight", 0), "MAX_POOL_2D is not sound"),
        ("image", set_option("CONCATENATION", "axis", 4), "CONCATENATION is not sound"),
        ("image", set_option("FULLY_CONNECTED", "weightsFormat", 1), "FULLY_CONNECTED is not sound"),
        ("image", set_constant("PAD", 1, [[0, 0], [-1, 0], [0, 1], [0, 0]]), "PAD is not sound"),
        ("image", set_constant("PAD", 1, [[0, 0]]), "PAD is not sound"),
        ("image", set_constant("MEAN", 1, [1, 9]), "MEAN is not sound"),
        ("detector", set_constant("RESHAPE", 1, [-1, -1]), "RESHAPE is not sound"),
        ("image", set_tensor("CONV_2D", 0, isVariable=True), "the shape of a tensor"),
        ("image", set_tensor("CONV_2D", 1, type=3), "a tensor"),
        ("image", set_tensor("CONV_2D", 1, type=2), "the types of CONV_2D"),
        ("image", set_tensor("CONV_2D", 1, buffer=999), "a tensor"),
        ("image", set_tensor("CONV_2D", 1, shape=np.int32([-4, 3, 3, -3])), "the shape of a tensor"),
        ("image", set_tensor("CONV_2D", 2, shape=np.int32([2, 2])), "CONV_2D is not sound"),
        ("image", set_tensor("MAX_POOL_2D", 0, shapeSignature=np.int32([1])), "the shape of a"),
        ("detector", double_a_name, "the names of outputs"),
        ("detector", set_option("WHILE", "condSubgraphIndex", 0), "a subgraph of a loop"),
        ("detector", set_option("WHILE", "bodySubgraphIndex", 1), "a subgraph of a loop"),
        ("detector", set_option("WHILE", "bodySubgraphIndex", 3), "a subgraph of a loop"),
        ("detector", count_by(0), UNBOUNDED),
        ("detector", count_by(-1), UNBOUNDED),
        ("detector", count_by(2**31 - 1), UNBOUNDED),
        ("detector", begin_at(-(2**31)), UNBOUNDED),
        ("detector", count_up_to(MOST_STEPS + 1), UNBOUNDED),
        ("detector", clamp_the_counter, UNBOUNDED),
        ("detector", pass_the_counter_on, UNBOUNDED),
        ("detector", count_something_else, UNBOUNDED),
        ("detector", compare_the_other_way, UNBOUNDED),
        ("detector", compare_with_what_changes, UNBOUNDED),
        ("detector", go_on_without_counting, UNBOUNDED),
        ("detector", go_on_or_count, UNBOUNDED),
        ("detector", nest_the_loop, "a loop in a loop"),
        ("detector", set_option("ARG_MAX", "outputType", 0), "the type of ARG_MAX"),
        ("detector", set_constant("STRIDED_SLICE", 3, [0, 1, 1, 1, 1]), "STRIDED_SLICE is not sound"),
        ("detector", set_option("GATHER", "batchDims", 5), "GATHER is not sound"),
        ("detector", set_option("PACK", "valuesCount", 3), "PACK is not sound"),
    ],
)
def test_damaged_files_are_refused(kind, damage, message):
    tree = tree_of(kind)
    verify(bytes(pack(tree)), "the file")
    damage(tree)
    with pytest.raises(ArtifactError, match=f"^the file: .*{message}"):
        verify(bytes(pack(tree)), "the file")


@pytest.mark.parametrize(
    "damage",
    [
        set_scale(0.0),
        set_scale(-1.0),
        set_scale(math.nan),
        set_scale(math.inf),
        set_scale(1.0, 2.0),
        set_scale(*[1.0] * 32, axis=1),
        set_scale(*[1.0] * 32, axis=-1),
        set_scale(*[1.0] * 32, zero=3),
        set_scale(1.0, zero=128),
        set_scale(),
    ],
)
def test_scales_are_checked(damage):
    layers = [documents.dense(5, 32), documents.dense(32, 32), documents.dense(32, 2, "softmax")]
    content = bytes(sensenet.compile(documents.network(layers), "tflite", quantize="dynamic"))
    tree = unpack(content)
    verify(content, "the file")
    damage(tree)
    with pytest.raises(ArtifactError, match=r"scale|zero point"):
        verify(bytes(pack(tree)), "the file")


CALL = "a call of the model"
HUGE = np.int32([1, 1 << 20, 1 << 20, 3])


@pytest.mark.parametrize(
    ("kind", "damage", "what"),
    [
        ("image", set_constant("RESIZE_BILINEAR", 1, [1 << 15, 1 << 15]), CALL),
        (
            "image",
            set_constant("PAD", 1, [[0, 0], [1 << 20, 0], [0, 1 << 20], [0, 0]]),
            CALL,
        ),
        (
            "image",
            set_tensor("CONV_2D", 0, shape=HUGE, shapeSignature=None),
            "a tensor",
        ),
        ("detector", set_constant("FILL", 0, [1 << 20, 1 << 12]), CALL),
    ],
)
def test_memory_is_bounded(kind, damage, what):
    tree = tree_of(kind)
    damage(tree)
    with pytest.raises(LimitError, match=f"the file: {what} needs .* of memory"):
        verify(bytes(pack(tree)), "the file")


def test_a_table_that_many_refer_to_counts_each_time():
    """Otherwise a small file could have any number of operators."""
    content = bytearray(sensenet.compile(documents.typed(), "tflite").__bytes__())
    model = import_schema().Model.GetRootAs(content, 0)
    offset = model._tab.Offset(6)
    vector = model._tab.Vector(offset)
    first = vector + int.from_bytes(content[vector : vector + 4], "little")
    at = len(content) + (-len(content)) % 4
    content += bytes(at - len(content))
    count = 1 << 20
    content += count.to_bytes(4, "little")
    field = model._tab.Pos + offset
    content[field : field + 4] = (at - field).to_bytes(4, "little")
    with pytest.raises(ArtifactError, match="the flatbuffer is damaged"):
        verify(bytes(content), "the file")
    assert first < at


@pytest.mark.parametrize("length", [0, 3, 8, 20, 100, 1000])
def test_truncated_files_are_refused(length):
    content = bytes(sensenet.compile(documents.typed(), "tflite"))[:length]
    with pytest.raises(ArtifactError, match=r"^the file: "):
        verify(content, "the file")


def with_signature(artifact, flatbuffer, change=lambda record: None):
    """A file with the signature of an artifact, changed, behind a flatbuffer."""
    record = artifact.graph.signature.to_json()
    change(record)
    return bytes(flatbuffer) + _pack_archive(flatbuffer, {SIGNATURE_FILE: json.dumps(record)})


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("typed", lambda record: record.update(kind="detector")),
        ("typed", lambda record: record["columns"].pop()),
        ("image", lambda record: record["columns"].pop(0)),
        ("image", lambda record: record["image"].update(channels=4)),
        ("detector", lambda record: record.update(kind="deepnet")),
    ],
)
def test_signatures_that_do_not_fit_are_refused(kind, change, tmp_path):
    artifact = sensenet.compile(documents.DOCUMENTS[kind](), "tflite")
    flatbuffer = bytes(artifact)[: bytes(artifact).index(b"PK\x03\x04")]
    path = tmp_path / "model.tflite"
    path.write_bytes(with_signature(artifact, flatbuffer))
    create_model(path)
    path.write_bytes(with_signature(artifact, flatbuffer, change))
    with pytest.raises(ArtifactError, match=re.escape(f"do not fit its {SIGNATURE_FILE}")):
        create_model(path)


@pytest.mark.tensorflow
def test_operators_of_tensorflow_never_run(tmp_path):
    """Its flex delegate is at hand in this process, and would write the file."""
    tf = pytest.importorskip("tensorflow")
    written = tmp_path / "written"

    @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32, "numeric_inputs")])
    def function(x):
        tf.io.write_file(str(written), "it ran")
        return {"predictions": x[:, :2]}

    with silence("tensorflow", "absl"):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
        flatbuffer = bytes(converter.convert())
    assert b"FlexWriteFile" in flatbuffer
    path = tmp_path / "model.tflite"
    path.write_bytes(with_signature(sensenet.compile(documents.typed(), "tflite"), flatbuffer))
    with pytest.raises(ArtifactError, match="a field of OperatorCode"):
        create_model(path)
    assert not written.exists()


def test_an_unknown_way_to_rescale_is_refused(tmp_path):
    artifact = sensenet.compile(documents.image(), "tflite")
    flatbuffer = bytes(artifact)[: bytes(artifact).index(b"PK\x03\x04")]
    path = tmp_path / "model.tflite"
    change = lambda record: record["image"].update(rescale_type="")  # noqa: E731
    path.write_bytes(with_signature(artifact, flatbuffer, change))
    with pytest.raises(ArtifactError, match="rescale_type is '', expected one of"):
        create_model(path)


def test_a_class_without_a_name_is_an_error(tmp_path):
    artifact = sensenet.compile(documents.detector(), "tflite", settings={"bounding_box_threshold": 0.01})
    flatbuffer = bytes(artifact)[: bytes(artifact).index(b"PK\x03\x04")]
    path = tmp_path / "model.tflite"
    image = np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)
    path.write_bytes(with_signature(artifact, flatbuffer))
    assert create_model(path)(image)
    path.write_bytes(with_signature(artifact, flatbuffer, lambda record: record.update(classes=[])))
    model = create_model(path)
    with pytest.raises(ArtifactError, match=r"class \d, and its file names 0 classes"):
        model(image)
