"""TensorFlow graphs in files: sizes that the file tells are checked before TensorFlow loads them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support import documents
from support.graph_models import damage

import sensenet
from sensenet.backends.graph_sizes import (
    LENGTHS,
    SHAPES,
    require_counts,
    require_single_arguments,
    require_sizes,
    row_memory,
)
from sensenet.backends.savedmodel.checking import clean_files, parse_saved_model
from sensenet.backends.savedmodel.files import TENSORS
from sensenet.backends.savedmodel.loading import load_function
from sensenet.backends.savedmodel.names import MODEL_FILE
from sensenet.backends.tfjs.running import make_executable
from sensenet.errors import ArtifactError, LimitError

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow


def graph_of(op, place, entries, dtype="int32", through=()):
    """Nodes of an op that takes a constant at one place, passed on by other ops."""
    graph_def = tf.compat.v1.GraphDef()
    constant = graph_def.node.add(name="constant", op="Const")
    constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(np.array(entries, dtype)))
    name = "constant"
    for number, passing in enumerate(through):
        graph_def.node.add(name=f"node_{number}", op=passing, input=["unknown", f"{name}:0"])
        name = f"node_{number}"
    inputs = [*(f"given_{n}" for n in range(place)), name, "^before"]
    graph_def.node.add(name="sized", op=op, input=inputs)
    return graph_def.node


@pytest.mark.parametrize(("op", "place"), [(op, place) for op in SHAPES for place in SHAPES[op]])
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_large_shapes_are_refused(op, place, dtype):
    require_sizes(tf, graph_of(op, place, [-1, 0, 3, 1 << 20], dtype), "the file")
    with pytest.raises(LimitError, match="the file: the node 'sized' needs"):
        require_sizes(tf, graph_of(op, place, [1 << 30, -1, 0, 1 << 30], dtype), "the file")
    with pytest.raises(ArtifactError, match="less than -1"):
        require_sizes(tf, graph_of(op, place, [2, -2], dtype), "the file")


@pytest.mark.parametrize(("op", "place"), [(op, place) for op in LENGTHS for place in LENGTHS[op]])
def test_long_axes_are_refused(monkeypatch, op, place):
    monkeypatch.setenv("SENSENET_MEMORY_LIMIT", "1000000")
    require_sizes(tf, graph_of(op, place, [[0, 1000], [1000, 0], [1000, 1000], [-3, 3]]), "the file")
    with pytest.raises(LimitError, match="the file: the node 'sized' needs"):
        require_sizes(tf, graph_of(op, place, 1000001), "the file")


@pytest.mark.parametrize("through", [("Identity",), ("Pack",), ("Pack", "ConcatV2", "Identity")])
def test_shapes_of_several_parts_are_looked_through(through):
    if through == ("Identity",):
        nodes = graph_of("Reshape", 1, [1 << 30, 1 << 30])
        nodes.add(name="same", op="Identity", input=["constant"])
        nodes[1].input[1] = "same:output:0"
    else:
        nodes = graph_of("Reshape", 1, [1 << 30, 1 << 30], through=through)
    with pytest.raises(LimitError):
        require_sizes(tf, nodes, "the file")


def test_a_ring_of_nodes_ends():
    nodes = graph_of("Reshape", 1, [4])
    nodes.add(name="ring", op="Identity", input=["ring"])
    nodes[1].input[1] = "ring"
    require_sizes(tf, nodes, "the file")


def counting(op, attribute, count):
    node = tf.compat.v1.NodeDef(name="counting", op=op, input=["one", "other:0", "^before"])
    node.attr[attribute].i = count
    return [node]


@pytest.mark.parametrize("op", ["ConcatV2", "Pack", "AddN"])
def test_a_node_has_as_many_inputs_as_it_says(op):
    require_counts(counting(op, "N", 2), "the file")
    with pytest.raises(ArtifactError, match=r"the node .counting. .* N is 2147483647, its inputs 2"):
        require_counts(counting(op, "N", 2**31 - 1), "the file")


@pytest.mark.parametrize(
    ("op", "attribute"), [("Split", "num_split"), ("SplitV", "num_split"), ("Unpack", "num")]
)
def test_many_results_of_a_node_are_refused(op, attribute):
    require_counts(counting(op, attribute, 1000), "the file")
    with pytest.raises(LimitError, match="the file: the node 'counting' needs"):
        require_counts(counting(op, attribute, 2**31 - 1), "the file")


@pytest.mark.parametrize("side", ["input_arg", "output_arg"])
@pytest.mark.parametrize("attribute", ["number_attr", "type_list_attr"])
def test_functions_do_not_take_or_give_lists(side, attribute):
    function = tf.compat.v1.GraphDef().library.function.add()
    argument = getattr(function.signature, side).add(name="values")
    require_single_arguments([function], "the file")
    setattr(argument, attribute, "N")
    with pytest.raises(ArtifactError, match="the file is not run: its function '' takes or gives a list"):
        require_single_arguments([function], "the file")


LARGE = (1132396544, 1056964608, 1069547520, 1075838976)
"""The bits of floating-point numbers, in the place of a shape."""


def test_a_graph_model_is_checked():
    """TensorFlow ends the process for shapes such as these."""
    files = dict(sensenet.compile(documents.detector(), "tfjs").files)
    model = json.loads(files["model.json"])
    (group,) = model["weightsManifest"]
    shapes = {node["input"][1] for node in model["modelTopology"]["node"] if node["op"] == "Reshape"}
    content, position = bytearray(files[group["paths"][0]]), 0
    changed = 0
    for weight in group["weights"]:
        size = np.dtype(weight["dtype"]).itemsize * int(np.prod(weight["shape"]))
        if weight["name"] in shapes:
            content[position : position + size] = np.array(LARGE, np.int32).tobytes()[:size]
            changed += 1
        position += size
    assert changed > 3
    with pytest.raises(LimitError, match="the node"):
        make_executable({**files, group["paths"][0]: bytes(content)}, "the file")


def test_a_saved_model_is_checked():
    files = sensenet.compile(documents.detector(), "savedmodel").files
    saved_model = parse_saved_model(files[MODEL_FILE], "the file")
    changed = 0
    for function in saved_model.meta_graphs[0].graph_def.library.function:
        for node in function.node_def:
            if node.op == "Const" and node.name.endswith("Reshape/shape"):
                tensor = node.attr["value"].tensor
                sizes = np.array(LARGE, np.int32)[: tensor.tensor_shape.dim[0].size]
                tensor.CopyFrom(tf.make_tensor_proto(sizes))
                changed += 1
    assert changed > 3
    with pytest.raises(LimitError, match="Reshape"):
        clean_files(tf, {**files, MODEL_FILE: saved_model.SerializeToString()}, "the file")


def test_the_inputs_of_a_graph_model_are_counted():
    """TensorFlow would make a list of so many types, for minutes."""
    files = sensenet.compile(documents.detector(), "tfjs").files

    def change(model):
        for node in model["modelTopology"]["node"]:
            if node["op"] == "ConcatV2":
                node["attr"]["N"]["i"] = str(2**31 - 1)

    with pytest.raises(ArtifactError, match="its attribute N is 2147483647"):
        make_executable(damage(files, change), "the file")


def test_the_inputs_of_a_saved_model_are_counted():
    files = sensenet.compile(documents.detector(), "savedmodel").files
    saved_model = parse_saved_model(files[MODEL_FILE], "the file")
    clean_files(tf, files, "the file")
    for function in saved_model.meta_graphs[0].graph_def.library.function:
        for node in function.node_def:
            if node.op in ("ConcatV2", "Pack"):
                node.attr["N"].i = 2**31 - 1
    with pytest.raises(ArtifactError, match="its attribute N is 2147483647"):
        clean_files(tf, {**files, MODEL_FILE: saved_model.SerializeToString()}, "the file")


def test_a_saved_model_whose_signature_is_no_function_is_refused():
    files = sensenet.compile(documents.typed(), "savedmodel").files
    saved_model = parse_saved_model(files[MODEL_FILE], "the file")
    nodes = saved_model.meta_graphs[0].object_graph_def.nodes
    for node in nodes:
        if node.WhichOneof("kind") == "bare_concrete_function":
            node.user_object.identifier = "_generic_user_object"
    with pytest.raises(ArtifactError, match="the file cannot be loaded"):
        load_function({**files, MODEL_FILE: saved_model.SerializeToString()}, TENSORS, "the file")


def traced(make):
    """The graph that a function of f32[rows,1000] makes, its Placeholder and its answer."""
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None, 1000])
        y = make(x)
    return graph, [y]


def test_values_that_are_needed_at_once_count_together():
    row = 4 * 1000
    assert row_memory(*traced(lambda x: tf.exp(tf.exp(tf.exp(x)))), "the file") == 2 * row
    assert row_memory(*traced(lambda x: tf.exp(x) + tf.abs(x)), "the file") == 3 * row
    assert (
        row_memory(*traced(lambda x: tf.matmul(x, np.ones((1000, 5000), np.float32))), "the file") == 6 * row
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda x: tf.matmul(tf.reshape(x, [-1, 1000, 1]), tf.reshape(x, [-1, 1, 1000])),
        lambda x: tf.reshape(x, [-1, 1000, 1]) + tf.reshape(x, [-1, 1, 1000]),
        lambda x: tf.gather(x, tf.zeros([1000, 1000], tf.int32), axis=1),
    ],
    ids=["product", "sum", "gathered"],
)
def test_large_results_of_small_operands_are_refused(monkeypatch, make):
    graph, answers = traced(make)
    assert row_memory(graph, answers, "the file") >= 4_000_000
    monkeypatch.setenv("SENSENET_MEMORY_LIMIT", "3000000")
    with pytest.raises(LimitError, match="the file: a call needs"):
        row_memory(graph, answers, "the file")


def test_answers_of_unknown_rank_count_as_a_number():
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32)
    assert row_memory(graph, [x], "the file") == 4


def test_a_graph_model_for_a_large_batch_is_refused():
    """Without the limit, two rows would be repeated until they fill the batch."""
    files = sensenet.compile(documents.typed(), "tfjs").files
    (name,) = json.loads(files["model.json"])["signature"]["inputs"]

    def enlarge(model):
        (node,) = [each for each in model["modelTopology"]["node"] if each["name"] == name]
        node["attr"]["shape"]["shape"]["dim"][0]["size"] = str(1 << 28)

    with pytest.raises(LimitError, match=r"model\.json: a call needs"):
        make_executable(damage(files, enlarge), "the file")


def test_a_graph_model_says_what_a_row_takes():
    opened = make_executable(sensenet.compile(documents.typed(), "tfjs").files, "the file")
    assert opened.call_memory.rows == 1
    assert opened.call_memory.size >= 4 * len(opened.signature.columns)
