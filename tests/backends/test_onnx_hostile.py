"""Files of ONNX that are damaged, or that sensenet does not write: refused before onnxruntime sees them."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from support.documents import DOCUMENTS
from support.lowered import build, graph_of_op

import sensenet
from sensenet.backends.onnx import running, verify
from sensenet.backends.onnx.names import METADATA_KEY
from sensenet.backends.onnx.verify import parse
from sensenet.errors import ArtifactError, LimitError, SensenetError
from sensenet.ir.ops import detection
from sensenet.ir.ops.control import MOST_STEPS
from sensenet.ir.types import DType, TensorType, f32
from sensenet.limits import VARIABLE
from sensenet.models.wrappers import create_model

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

FLOAT, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64


@pytest.fixture
def model():
    return parse(bytes(sensenet.compile(DOCUMENTS["typed"](), "onnx")), "the file")


@pytest.fixture
def detector():
    return parse(bytes(sensenet.compile(DOCUMENTS["detector"](), "onnx")), "the file")


@pytest.fixture
def refuse(tmp_path, monkeypatch):
    """Expect an error for a model before a session is made of it."""

    def fail(*_):
        raise AssertionError("onnxruntime saw the file")

    monkeypatch.setattr(running, "make_session", fail)

    def expect(model, message, kind=ArtifactError):
        path = tmp_path / "model.onnx"
        path.write_bytes(model.SerializeToString())
        with pytest.raises(kind, match=message):
            create_model(path)

    return expect


def add_constant(model, name, array):
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(array), name))


def loop_of(model):
    return next(node for node in model.graph.node if node.op_type == "Loop")


@pytest.mark.parametrize("kind", ["If", "Scan", "StringNormalizer", "RandomNormal", "x" * 999])
def test_other_operators(model, refuse, kind):
    model.graph.node[0].op_type = kind
    refuse(model, "which sensenet does not write")


def test_operators_of_other_domains(model, refuse):
    model.graph.node[0].domain = "com.microsoft"
    refuse(model, "its NodeProto has the field 'domain'")


def test_other_operator_sets(model, refuse):
    model.opset_import.add(domain="com.microsoft", version=1)
    refuse(model, "its operator sets are")
    del model.opset_import[:]
    refuse(model, "its operator sets are")
    model.opset_import.add(domain="", version=7)
    refuse(model, "its operator sets are")


def test_functions(model, refuse):
    function = model.functions.add(name="f", domain="d")
    function.opset_import.add(domain="", version=18)
    refuse(model, "its ModelProto has the field 'functions'")


def test_other_files(model, refuse):
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    refuse(model, "its TensorProto has the field '(external_data|data_location)'")


@pytest.mark.parametrize("name", ["sparse_initializer", "quantization_annotation", "doc_string"])
def test_other_parts_of_a_graph(model, refuse, name):
    part = getattr(model.graph, name)
    if isinstance(part, str):
        setattr(model.graph, name, "x")
    else:
        part.add()
    refuse(model, f"its GraphProto has the field '{name}'")


def test_what_the_format_does_not_know_is_not_passed_on(model):
    known = model.SerializeToString()
    field = bytes([0xFA, 0x3F, 3]) + b"abc"  # number 1023
    assert parse(known + field, "the file").SerializeToString() == known


def test_attributes_that_are_not_written(model, refuse):
    model.graph.node[0].attribute.append(onnx.helper.make_attribute("surprise", 1))
    refuse(model, "has the attribute 'surprise'")


@pytest.mark.parametrize("number", [-(1 << 31), -1, 0, 2, 1 << 40])
def test_axes_of_batches_in_a_loop(detector, refuse, number):
    """ONNX does not check them there, and onnxruntime reads what is before the sizes."""
    (body,) = [each.g for node in detector.graph.node for each in node.attribute if each.HasField("g")]
    node = next(node for node in body.node if node.op_type == "GatherND")
    node.attribute[0].i = number
    refuse(detector, f"the attribute batch_dims of its operator GatherND is {number}")


def test_attributes_that_are_tensors(model, refuse):
    attribute = onnx.helper.make_attribute("axis", onnx.numpy_helper.from_array(np.ones(3, np.float32)))
    node = next(node for node in model.graph.node if verify.OPERATORS[node.op_type] == {"axis"})
    del node.attribute[:]
    node.attribute.append(attribute)
    refuse(model, "its AttributeProto has the field 't'")


def test_constants_of_another_size(model, refuse):
    model.graph.initializer[0].dims.append(1 << 40)
    refuse(model, "is not of its size")


@pytest.mark.parametrize("dims", [[-1], [1 << 62, 4], [0, -5]])
def test_constants_of_impossible_sizes(model, refuse, dims):
    tensor = model.graph.initializer[0]
    del tensor.dims[:]
    tensor.dims.extend(dims)
    refuse(model, "is not of its size")


def test_constants_of_text(model, refuse):
    model.graph.initializer[0].data_type = onnx.TensorProto.STRING
    refuse(model, "has another dtype")


def test_values_that_nothing_gives(model, refuse):
    model.graph.node[0].input[0] = "nowhere"
    refuse(model, "nothing gives 'nowhere'")


def test_values_that_are_left_out(model, refuse):
    """onnxruntime crashes if an input is left out that an operator needs."""
    node = next(node for node in model.graph.node if len(node.input) == 2)
    node.input[1] = ""
    refuse(model, "nothing gives ''")


def test_operators_without_all_their_inputs(model, refuse):
    node = next(node for node in model.graph.node if node.op_type == "MatMul")
    del node.input[1]
    refuse(model, "its operators do not fit each other")


@pytest.mark.parametrize("value", ["x", 1.5, [1, 2]])
def test_attributes_of_other_types(model, refuse, value):
    node = next(node for node in model.graph.node if verify.OPERATORS[node.op_type] == {"axis"})
    del node.attribute[:]
    node.attribute.append(onnx.helper.make_attribute("axis", value))
    refuse(model, "its operators do not fit each other")


def test_values_that_are_read_before_they_are_there(model, refuse):
    model.graph.node[0].input[0] = model.graph.node[-1].output[0]
    refuse(model, "nothing gives")


def test_names_that_are_defined_twice(model, refuse):
    model.graph.node[1].output[0] = model.graph.node[0].output[0]
    refuse(model, "is defined twice")


def test_loops_that_do_not_end(detector, refuse):
    assert verify.MOST_STEPS == MOST_STEPS
    loop = loop_of(detector)
    kept = loop.input[0]
    loop.input[0] = ""
    refuse(detector, "nothing gives '', which Loop reads")
    loop.input[0] = loop.input[1]
    refuse(detector, "a loop that may take more than 1,048,576 steps")
    loop.input[0] = kept
    (steps,) = (each for each in detector.graph.initializer if each.name == kept)
    for number in (MOST_STEPS + 1, -1, (1 << 63) - 1):
        steps.raw_data = np.int64(number).tobytes()
        refuse(detector, "a loop that may take more than 1,048,576 steps")


def test_loops_in_loops(detector, refuse):
    for _ in range(verify.MOST_NESTED):
        outer = onnx.NodeProto()
        outer.CopyFrom(loop_of(detector))
        next(each for each in outer.attribute if each.name == "body").g.node.insert(0, outer)
        loop_of(detector).CopyFrom(outer)
    refuse(detector, "loops are in one another|defined twice")


def test_loops_that_carry_other_values(detector, refuse):
    loop_of(detector).input.append(loop_of(detector).input[2])
    refuse(detector, "its loop carries other values")


def test_long_vectors_are_refused_before_lists_are_made_of_them(model, refuse):
    """ONNX makes a list of the sizes in a vector of whole numbers, if it computes sizes from others."""
    add_constant(model, "one", np.int64([1]))
    add_constant(model, "many", np.int64([1 << 40]))
    for kind, inputs, result, attributes in (
        ("Expand", ["one", "many"], "ones", {}),
        ("Greater", ["ones", "one"], "long", {}),
        ("Cast", ["long"], "longer", {"to": INT64}),
        ("Cast", ["longer"], "longest", {"to": INT64}),
    ):
        model.graph.node.append(onnx.helper.make_node(kind, inputs, [result], **attributes))
    refuse(model, "needs [0-9.]+ TiB of memory", LimitError)


def test_large_answers(model, refuse):
    """An answer's size follows from a constant."""
    add_constant(model, "one", np.float32([1]))
    add_constant(model, "many", np.int64([1 << 40]))
    model.graph.node.insert(0, onnx.helper.make_node("Expand", ["one", "many"], ["big"]))
    refuse(model, "computing 'big' needs 4.0 TiB of memory", LimitError)


def test_large_values_that_are_computed_in_advance(model, refuse):
    """Their size is a product of numbers that shape inference does not follow."""
    nodes = [
        onnx.helper.make_node("Exp", ["power"], ["number"]),
        onnx.helper.make_node("Cast", ["number"], ["size"], to=INT64),
        onnx.helper.make_node("Expand", ["one", "size"], ["big"]),
    ]
    add_constant(model, "power", np.float32([24]))
    add_constant(model, "one", np.float32([1]))
    for node in reversed(nodes):
        model.graph.node.insert(0, node)
    refuse(model, "'big' depends on no input, and has no known size")


@pytest.mark.parametrize(("together", "limit"), [(False, 3_999_999), (False, 4_100_000), (True, 15_900_000)])
def test_values_that_are_needed_at_once_count_together(model, refuse, monkeypatch, together, limit):
    monkeypatch.setenv(VARIABLE, str(limit))
    add_constant(model, "one", np.float32([1]))
    add_constant(model, "million", np.int64([1_000_000]))
    names = ["a", "b", "c"]
    for name in names:
        model.graph.node.append(onnx.helper.make_node("Expand", ["one", "million"], [name]))
        if not together:
            model.graph.node.append(onnx.helper.make_node("ReduceMax", [name], [f"greatest {name}"]))
    if together:
        model.graph.node.append(onnx.helper.make_node("Max", names, ["greatest"]))
    if limit == 4_100_000:
        verify.verify(model, "the file")
    else:
        refuse(model, "a call needs 15.3 MiB" if together else "computing 'a' needs 3.8 MiB", LimitError)


def test_sizes_that_follow_from_the_number_of_rows(model, refuse):
    """They are those of a row."""
    add_constant(model, "one", np.float32([1]))
    add_constant(model, "first", np.int64([0]))
    add_constant(model, "times", np.int64([1 << 30]))
    for kind, inputs, result in (
        ("Shape", [model.graph.input[0].name], "sizes"),
        ("Gather", ["sizes", "first"], "rows"),
        ("Mul", ["rows", "times"], "many"),
        ("Expand", ["one", "many"], "big"),
    ):
        model.graph.node.append(onnx.helper.make_node(kind, inputs, [result]))
    refuse(model, "computing 'big' needs 4.0 GiB of memory", LimitError)


@pytest.mark.parametrize(
    ("kind", "factors"), [("Mul", (65_536, 65_537)), ("Add", (1 << 32, 1)), ("Sub", (1, -1 << 32))]
)
def test_sizes_computed_in_advance_that_onnx_gets_wrong(model, refuse, kind, factors):
    """Before 1.23 it computes them in 32 bits; onnxruntime does in 64."""
    for name, number in zip("xy", factors, strict=True):
        add_constant(model, name, np.int64([number]))
    add_constant(model, "one", np.float32([1]))
    model.graph.node.append(onnx.helper.make_node(kind, ["x", "y"], ["many"]))
    model.graph.node.append(onnx.helper.make_node("Expand", ["one", "many"], ["big"]))
    message = r"'many' depends on no input, and has no known size|computing 'big' needs 16\.0 GiB of memory"
    refuse(model, message, (ArtifactError, LimitError))


def test_a_call_leaves_no_memory_that_another_takes_anew():
    """onnxruntime would join what a second call takes into one block, besides the blocks of the first."""
    content = bytes(sensenet.compile(DOCUMENTS["typed"](), "onnx"))
    assert running.make_session(content, 1).get_session_options().enable_mem_pattern is False


def test_inputs_of_impossible_sizes(model, refuse):
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = -4
    refuse(model, "a tensor has a negative size")


def test_files_without_a_signature(model, refuse):
    del model.metadata_props[:]
    refuse(model, "was not made by sensenet")


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "null", '{"columns": 3}'], ids=range(5))
def test_signatures_that_are_none(model, refuse, text):
    model.metadata_props[0].value = text
    refuse(model, "the file|model.onnx|signature", SensenetError)


def test_signatures_that_do_not_fit(model, tmp_path):
    record = json.loads(model.metadata_props[0].value)
    record["columns"].pop()
    model.metadata_props[0].value = json.dumps(record)
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ArtifactError, match="its tensors do not fit its signature"):
        create_model(path)


def test_files_of_others(tmp_path):
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    declared = [onnx.helper.make_tensor_value_info(name, FLOAT, [None, 2]) for name in "xy"]
    graph = onnx.helper.make_graph([node], "g", declared[:1], declared[1:])
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx.helper.make_model(graph, producer_name="others").SerializeToString())
    with pytest.raises(ArtifactError, match=f"was not made by sensenet.*{METADATA_KEY}"):
        create_model(path)


def test_truncated_files(model, tmp_path):
    content = model.SerializeToString()
    path = tmp_path / "model.onnx"
    for end in range(8, len(content), 37):
        path.write_bytes(content[:end])
        with pytest.raises(SensenetError):
            create_model(path)


@pytest.mark.parametrize("kind", sorted(DOCUMENTS))
def test_sound_files_are_verified(kind, tmp_path):
    create_model(sensenet.compile(DOCUMENTS[kind](), "onnx", optimize=0).save(tmp_path / "model.onnx"))


def test_a_missing_runtime_is_named(model, tmp_path, monkeypatch):
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(SensenetError, match=r"sensenet-compiler\[onnx\]|\.\[onnx\]"):
        create_model(path)


def test_writing_needs_no_runtime(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    op = detection.SuppressBoxes(score_threshold=0.5, iou_threshold=0.5, max_objects=10)
    types = f32(None, 6, 4), f32(None, 6), TensorType(DType.INT32, (None, 6))
    assert bytes(build(graph_of_op(op, *types), "onnx"))


def test_a_text_that_is_not_utf_8_is_told(tmp_path):
    content = bytes(sensenet.compile(DOCUMENTS["typed"](), "onnx", inputs="fields"))
    name = parse(content, "the file").graph.name.encode()
    path = tmp_path / "model.onnx"
    path.write_bytes(content.replace(name, b"\xff" * len(name)))
    with pytest.raises(ArtifactError, match="a text in it is not UTF-8"):
        create_model(path)
