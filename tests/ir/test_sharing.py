"""Layers that are applied several times: named in the graph, kept by what copies or rewrites it."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from support.op_cases import CASES, weights

from sensenet.errors import TextFormError, VerifyError
from sensenet.ir.graph import Graph, Node, apply, rebuild, same_graph
from sensenet.ir.ops.arithmetic import Add
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.dense import Activation, Dense
from sensenet.ir.ops.rearrangement import Concatenate
from sensenet.ir.ops.table import OP_CLASSES
from sensenet.ir.parser import parse_graph
from sensenet.ir.printer import print_graph
from sensenet.ir.printer import weights as weights_of
from sensenet.ir.sharing import Part, Shares
from sensenet.ir.types import Tensor, f32
from sensenet.ir.verify import verify
from sensenet.layer_schema import OP_WEIGHTS
from sensenet.signature import Signature

LAYER, WEIGHTS = (Shares(part, "a") for part in Part)
DENSE = Dense(kernel=weights(2, 20))
EQUAL = Dense(kernel=weights(2, 20))
OTHER = Dense(kernel=Tensor.float32(np.ones((2, 20))))

INPUT = "sensenet graph\n%x = input() {type=f32[?,2]} : f32[?,2]\n"
DENSE_TEXT = "dense(%x) {kernel=f32[2,1]{1.0, 2.0}, bias=none, activation=linear}"
OTHER_TEXT = "dense(%x) {kernel=f32[2,1]{1.0, 3.0}, bias=none, activation=linear}"


def graph_of(*layers, names=("a", "b", "c")) -> Graph:
    """Layers, each an op and what it shares, on one input."""
    x = apply(Input(type=f32(None, 2)), name="x")
    nodes = [apply(op, x.value, name=name, shares=s) for name, (op, s) in zip(names, layers, strict=False)]
    joined = apply(Concatenate(), *(node.value for node in nodes), name="joined")
    return Graph.create([x], {"y": joined.value}, Signature())


def shares(graph: Graph) -> dict[str, Shares | None]:
    return {node.name: node.shares for node in graph.nodes if isinstance(node.op, Dense)}


def read_back(graph: Graph) -> Graph:
    return parse_graph(print_graph(graph), weights_of(graph))


COPIES = {
    "text": read_back,
    "text of text": lambda graph: read_back(read_back(graph)),
    "pickle": lambda graph: pickle.loads(pickle.dumps(graph)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "create": lambda graph: Graph.create(graph.inputs, graph.outputs, graph.signature),
}


def test_nodes_of_one_op_share_a_layer_by_its_name():
    assert shares(graph_of((DENSE, None), (DENSE, None))) == {"a": LAYER, "b": LAYER}
    assert shares(graph_of((DENSE, None), (EQUAL, None))) == {"a": None, "b": None}
    assert shares(graph_of((DENSE, None), (DENSE, WEIGHTS))) == {"a": WEIGHTS, "b": WEIGHTS}


def test_names_of_layers_are_unique():
    graph = graph_of((OTHER, LAYER), (DENSE, None), (DENSE, None), names=("z", "a", "b"))
    assert shares(graph) == {"z": LAYER, "a": Shares(Part.LAYER, "a_2"), "b": Shares(Part.LAYER, "a_2")}
    verify(graph)
    renamed = graph_of((DENSE, None), (DENSE, None), (OTHER, None), names=("a", "a", "a"))
    assert shares(renamed) == {"a": LAYER, "a_2": LAYER, "a_3": None}


def test_only_ops_with_weights_are_trainable_and_share():
    trainable = {op for op in OP_CLASSES if op.trainable}
    missing = {op.__name__ for op in set(OP_WEIGHTS) - trainable}
    assert not missing, f"op, step 1: set trainable = True in {missing}, in sensenet/ir/ops/"
    missing = {op.__name__ for op in trainable - set(OP_WEIGHTS)}
    assert not missing, (
        f"layer, step 1: declare the weights of {missing} in SCHEMAS of sensenet/layer_schema.py"
    )
    case = CASES[Activation][0]
    x = apply(Input(type=f32(None, 2)), name="x")
    twice = apply(Add(), *(apply(case.op, x.value).value for _ in range(2)))
    assert not any(node.shares for node in Graph.create([x], {"y": twice.value}, Signature()).nodes)


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("shared", [LAYER, WEIGHTS, None])
def test_copies_share_as_the_graph_does(copied, shared):
    graph = graph_of((DENSE, shared), (EQUAL, shared), (OTHER, None))
    again = copied(graph)
    assert same_graph(again, graph)
    assert shares(again) == {"a": shared, "b": shared, "c": None}
    verify(again)


def test_the_text_names_what_is_shared():
    graph = graph_of((DENSE, LAYER), (EQUAL, LAYER), (OTHER, WEIGHTS))
    lines = print_graph(graph).splitlines()
    assert [line.partition(" : ")[2] for line in lines if "dense" in line] == [
        "f32[?,20] shares layer a",
        "f32[?,20] shares layer a",
        "f32[?,20] shares weights a",
    ]
    again = read_back(graph)
    assert again.node("a").op is again.node("b").op


def test_graphs_that_share_otherwise_are_others():
    first = graph_of((DENSE, LAYER), (EQUAL, LAYER))
    assert not same_graph(first, graph_of((DENSE, WEIGHTS), (EQUAL, WEIGHTS)))
    assert not same_graph(first, graph_of((DENSE, None), (EQUAL, None)))


def test_rewrites_keep_what_is_shared_and_new_ops_share_nothing():
    graph = graph_of((DENSE, LAYER), (EQUAL, LAYER))

    def change_second(node: Node):
        if node.name == "b":
            return apply(OTHER, *node.inputs, name="b").values
        return node.values

    assert shares(rebuild(graph, change_second)) == {"a": LAYER, "b": None}
    x = graph.inputs[0]

    def doubled(node: Node):
        if node.name == "a" and node.inputs == (x.value,):
            return apply(node.op, apply(Add(), x.value, x.value).value, name="a", shares=node.shares).values
        return node.values

    assert shares(rebuild(graph, doubled)) == {"a": LAYER, "b": LAYER}


def test_text_of_earlier_releases_is_read():
    text = f"{INPUT}%a = {DENSE_TEXT} : f32[?,1]\n%b = {DENSE_TEXT} : f32[?,1]\noutput y = %a\noutput z = %b"
    assert shares(parse_graph(text)) == {"a": None, "b": None}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            [f"%a = {DENSE_TEXT} : f32[?,1] shares layer n", f"%b = {OTHER_TEXT} : f32[?,1] shares layer n"],
            r"^4:6: it shares with %a, which has a different op",
        ),
        (["%b = activation(%x) {function=relu} : f32[?,2] shares layer n"], "^3:6: activation has no w"),
        ([f"%b = {DENSE_TEXT} : f32[?,1] shares"], "expected word, found the end"),
        ([f"%b = {DENSE_TEXT} : f32[?,1] shares kernel n"], "expected one of layer, weights; found 'kernel'"),
        ([f"%b = {DENSE_TEXT} : f32[?,1] shares layer"], "expected word, found the end"),
        ([f"%b = {DENSE_TEXT} : f32[?,1] shares layer %x"], "expected word, found '%x'"),
        ([f"%b = {DENSE_TEXT} : f32[?,1] shares layer n shares layer n"], "expected end, found 'shares'"),
    ],
)
def test_text_that_shares_wrongly(lines, message):
    with pytest.raises(TextFormError, match=message):
        parse_graph("\n".join([INPUT.strip(), *lines, "output y = %b"]))


@pytest.mark.parametrize("part", Part)
def test_the_verifier_refuses_unequal_ops(part):
    graph = graph_of((DENSE, Shares(part, "n")), (OTHER, Shares(part, "n")))
    with pytest.raises(VerifyError, match=rf"it shares with %a, .*\n  %b = dense.* shares {part.value} n"):
        verify(graph)
    verify(graph_of((DENSE, Shares(Part.LAYER, "n")), (OTHER, Shares(Part.WEIGHTS, "n"))))


def test_the_verifier_refuses_names_and_ops_that_cannot_be_shared():
    with pytest.raises(VerifyError, match="it shares 'no name', which is not a name"):
        verify(graph_of((DENSE, Shares(Part.LAYER, "no name"))))
    with pytest.raises(VerifyError, match="activation has no weights that nodes could share"):
        verify(graph_of((CASES[Activation][0].op, LAYER)))
