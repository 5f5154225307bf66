"""The drawing: text in Graphviz's dot language."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.documents import image
from support.op_cases import ALL_CASES, CASES, OpCase, case_name, floats

from sensenet.drawing import to_dot
from sensenet.drawing.blocks import find_blocks
from sensenet.frontend import import_graph
from sensenet.ir.graph import Graph, apply
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.dense import Dense
from sensenet.ir.ops.detection import DecodeBoxes
from sensenet.ir.types import Tensor, f32
from sensenet.signature import Signature

STRING = r'"(?:[^"\\]|\\.)*"'
ATTRIBUTES = rf"\[\w+=(?:{STRING}|\w+)(?:, \w+=(?:{STRING}|\w+))*\]"
STATEMENT = re.compile(rf"  (?:node|edge|graph|{STRING}(?: -> {STRING})?) {ATTRIBUTES};", re.DOTALL)
FRAME = re.compile(r"  (?:subgraph cluster_\d+ \{|\})\n")


def statements(dot: str) -> list[str]:
    """The statements of a drawing; fails where the text is not in the part of the language that we write."""
    head = re.match(rf"digraph {STRING} {{\n", dot, re.DOTALL)
    assert head
    assert dot.endswith("\n}\n")
    position, found = head.end(), []
    while dot[position:] != "}\n":
        if frame := FRAME.match(dot, position):
            position = frame.end()
            continue
        statement = STATEMENT.match(dot, position)
        assert statement, dot[position:]
        found.append(statement.group())
        position = statement.end()
        assert dot[position] == "\n"
        position += 1
    return found


def drawn(case: OpCase) -> str:
    return to_dot(case.graph())


def test_drawing_of_a_graph():
    x = apply(Input(type=f32(None, 20)), name="numeric_inputs")
    layer = apply(Dense(kernel=Tensor.owning(floats(20, 3))), x.value, name="layer_0")
    graph = Graph.create([x], {"predictions": layer.value}, Signature(name="My model"))
    assert to_dot(graph).splitlines() == [
        'digraph "My model" {',
        '  graph [fontname="Helvetica", fontsize=10];',
        '  node [shape=box, fontname="Helvetica", fontsize=10];',
        '  edge [fontname="Helvetica", fontsize=8];',
        '  "numeric_inputs" [shape=ellipse, label="numeric_inputs"];',
        '  "layer_0" [label="dense\\nlayer_0\\nkernel=f32[20,3]"];',
        '  "numeric_inputs" -> "layer_0" [label="f32[?,20]"];',
        '  "output:predictions" [shape=ellipse, label="predictions"];',
        '  "layer_0" -> "output:predictions" [label="f32[?,3]"];',
        "}",
    ]


@pytest.mark.parametrize("case", ALL_CASES, ids=case_name)
def test_drawings_of_every_op_are_well_formed(case):
    graph = case.graph()
    edges = sum(len(node.inputs) for node in graph.nodes) + len(graph.outputs)
    dot = to_dot(graph)
    found = statements(dot)
    assert sum(" -> " in statement for statement in found) == edges
    assert len(found) == 3 + len(graph.nodes) + len(graph.outputs) + edges + dot.count("subgraph")


def test_stages_are_framed():
    dot = to_dot(import_graph(image()))
    assert (
        dot.count("  subgraph cluster_")
        == dot.count("\n  }\n")
        == len(find_blocks(import_graph(image())))
        > 1
    )
    assert statements(dot)


def test_other_results_are_numbered():
    assert '"node" -> "output:y2" [label=":2 i32[?,18]"];' in drawn(CASES[DecodeBoxes][0])


def test_long_attributes_are_cut():
    for case in ALL_CASES:
        for statement in statements(drawn(case)):
            assert all(len(line) < 70 for line in statement.split("\\n"))


@given(st.text())
def test_names_are_escaped(name):
    x = apply(Input(type=f32(1)), name="x")
    graph = Graph.create([x], {name: x.value}, Signature(name=name))
    assert len(statements(to_dot(graph))) == 6


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_reads_the_drawing():
    x = apply(Input(type=f32(1)), name="x")
    graph = Graph.create([x], {'a\\"b\nc': x.value}, Signature(name='\\"\n'))
    for text in (to_dot(graph), *map(drawn, ALL_CASES[:20])):
        subprocess.run(["dot", "-Tsvg"], input=text.encode(), check=True, capture_output=True)
