"""Loops in graphs of TensorFlow from files: each has a bound, or the file is not run."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support import documents

import sensenet
from sensenet.backends import graph_loops
from sensenet.backends.graph_loops import bound_loops
from sensenet.backends.savedmodel.checking import clean_files, parse_saved_model
from sensenet.backends.savedmodel.files import TENSORS
from sensenet.backends.savedmodel.graphs import MODEL_FILE
from sensenet.backends.savedmodel.loading import load_function
from sensenet.backends.tfjs.running import make_executable
from sensenet.errors import ArtifactError, InputError

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow

ENDED = "a loop of the model has not ended after"


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(graph_loops, "MOST_STEPS", 5)


def doubling(levels=1):
    """A GraphDef: x is doubled while it is below 8, by so many loops in one another."""

    def loop(x, level):
        if not level:
            return 2.0 * x
        return tf.while_loop(lambda x: x < 8.0, lambda x: (loop(x, level - 1),), (x,))[0]

    function = tf.function(lambda x: tf.identity(loop(x, levels), "y"), autograph=False)
    return function.get_concrete_function(tf.TensorSpec([], tf.float32, "x")).graph.as_graph_def()


def bound(graph_def):
    functions = graph_def.library.function
    functions.extend(bound_loops(tf, graph_def.node, functions, "the file"))


def run(graph_def, x):
    """What the graph makes of a number once its loops have been bound."""
    bound(graph_def)
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graph_def, name="")
    with tf.compat.v1.Session(graph=graph) as session:
        return session.run("y:0", {"x:0": x})


def function_of(graph_def, attribute):
    """The condition or the body of the only loop."""
    (loop,) = [node for node in graph_def.node if node.op == "StatelessWhile"]
    name = loop.attr[attribute].func.name
    return next(each for each in graph_def.library.function if each.signature.name == name)


@pytest.mark.parametrize("levels", [1, 2])
def test_a_loop_that_ends_in_time_runs_as_it_did(levels):
    assert run(doubling(levels), 0.5) == 8.0
    assert run(doubling(levels), 9.0) == 9.0


@pytest.mark.parametrize("x", [0.125, 0.0, -1.0])
def test_a_loop_that_does_not_end_in_time_is_an_error(x):
    with pytest.raises(tf.errors.OpError, match=graph_loops.BOUND):
        run(doubling(), x)


def test_a_condition_that_is_no_scalar_is_bounded_too():
    graph_def = doubling()
    condition = function_of(graph_def, "cond")
    output = condition.signature.output_arg[0].name
    shape = condition.node_def.add(name="shape", op="Const")
    shape.attr["dtype"].type = tf.int32.as_datatype_enum
    shape.attr["value"].tensor.CopyFrom(tf.make_tensor_proto([1], tf.int32))
    column = condition.node_def.add(
        name="column", op="Reshape", input=[condition.ret[output], "shape:output:0"]
    )
    column.attr["T"].type = tf.bool.as_datatype_enum
    column.attr["Tshape"].type = tf.int32.as_datatype_enum
    condition.ret[output] = "column:output:0"
    assert run(graph_def, 0.5) == 8.0


def increment_of(body):
    """The constant that the body adds to the loop's counter."""
    total = body.ret[body.signature.output_arg[0].name]
    nodes = {node.name: node for node in body.node_def}
    node = nodes[total.partition(":")[0]]
    while node.op == "Identity":
        node = nodes[node.input[0].partition(":")[0]]
    return nodes[node.input[1].partition(":")[0]]


def count_by(number):
    def damage(graph_def):
        tensor = tf.make_tensor_proto(number)
        increment_of(function_of(graph_def, "body")).attr["value"].tensor.CopyFrom(tensor)

    return damage


def pass_the_counter_on(graph_def):
    body = function_of(graph_def, "body")
    body.ret[body.signature.output_arg[0].name] = body.signature.input_arg[0].name


def swap_results(graph_def):
    body = function_of(graph_def, "body")
    first, second, *_ = (each.name for each in body.signature.output_arg)
    body.ret[first], body.ret[second] = body.ret[second], body.ret[first]


def begin_at(number):
    def damage(graph_def):
        (loop,) = [node for node in graph_def.node if node.op == "StatelessWhile"]
        (start,) = [node for node in graph_def.node if node.name == loop.input[0].partition(":")[0]]
        start.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(number))

    return damage


def begin_at_an_input(graph_def):
    (loop,) = [node for node in graph_def.node if node.op == "StatelessWhile"]
    loop.input[0] = "x"


def name_no_body(graph_def):
    (loop,) = [node for node in graph_def.node if node.op == "StatelessWhile"]
    loop.attr["body"].func.name = "nothing"


@pytest.mark.parametrize(
    "damage",
    [
        *(count_by(number) for number in (0, -1, 2, [1, 1], 1.0, np.int64(1))),
        *(begin_at(number) for number in (-1, -(2**31), [0, 0], 0.0)),
        begin_at_an_input,
        name_no_body,
        pass_the_counter_on,
        swap_results,
    ],
)
def test_a_loop_that_does_not_count_its_steps_is_refused(damage):
    graph_def = doubling()
    damage(graph_def)
    with pytest.raises(ArtifactError, match=r"the file is not run: its loop '.*' does not count its steps"):
        bound(graph_def)


def test_loops_are_not_nested_deeply():
    with pytest.raises(ArtifactError, match="more than 2 of its loops are in one another"):
        bound(doubling(3))


@pytest.mark.parametrize("attribute", ["cond", "body"])
def test_recursion_is_refused(attribute):
    graph_def = doubling()
    function = function_of(graph_def, attribute)
    call = function.node_def.add(name="again", op="PartitionedCall")
    call.attr["f"].func.name = function.signature.name
    with pytest.raises(ArtifactError, match="a function of its graph calls itself"):
        bound(graph_def)


IMAGE = np.arange(16 * 16 * 3).reshape(16, 16, 3).astype(np.uint8)


def never_end(function):
    """Make a condition that is always true."""
    node = function.node_def.add(name="always", op="Const")
    node.attr["dtype"].type = tf.bool.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(True))
    function.ret[function.signature.output_arg[0].name] = "always:output:0"


def test_a_graph_model_with_an_endless_loop_ends():
    files = sensenet.compile(documents.detector(), "tfjs").files
    model = json.loads(files["model.json"])
    (condition,) = [
        function
        for function in model["modelTopology"]["library"]["function"]
        if function["signature"]["name"].endswith("_condition")
    ]
    for node in condition["nodeDef"]:
        node["op"] = node["op"].replace("LogicalAnd", "LogicalOr")
    changed = {**files, "model.json": json.dumps(model).encode()}
    (name,) = model["signature"]["inputs"]
    with pytest.raises(InputError, match=ENDED):
        make_executable(changed, "the file").run({name: IMAGE[None].astype(np.float32)})


def test_a_saved_model_with_an_endless_loop_ends():
    artifact = sensenet.compile(documents.detector(), "savedmodel")
    saved_model = parse_saved_model(artifact.files[MODEL_FILE], "the file")
    library = saved_model.meta_graphs[0].graph_def.library
    conditions = {
        node.attr["cond"].func.name
        for f in library.function
        for node in f.node_def
        if node.op in graph_loops.LOOPS
    }
    for function in library.function:
        if function.signature.name in conditions:
            never_end(function)
    changed = {**artifact.files, MODEL_FILE: saved_model.SerializeToString()}
    (pixels,) = artifact.graph.inputs
    with pytest.raises(InputError, match=ENDED):
        load_function(changed, TENSORS, "the file").run({pixels.name: IMAGE[None].astype(np.float32)})


def test_every_loop_of_a_saved_model_is_bounded():
    files = sensenet.compile(documents.detector(), "savedmodel").files
    clean = parse_saved_model(clean_files(tf, files, "the file")[MODEL_FILE], "the file")
    functions = clean.meta_graphs[0].graph_def.library.function
    conditions = [
        node.attr["cond"].func.name for f in functions for node in f.node_def if node.op in graph_loops.LOOPS
    ]
    assert len(conditions) == len(set(conditions)) >= 3
    assert all(name.startswith("sensenet_condition_") for name in conditions)
