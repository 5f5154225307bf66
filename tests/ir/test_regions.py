"""Graphs that are attributes of ops: text form, equality, costs, drawings, and what reads them wrongly."""

from __future__ import annotations

import re

import numpy as np
import pytest
from support.op_cases import floats
from support.tensor_op_cases import doubling

from sensenet.backends.interpreter.executable import parse_saved
from sensenet.drawing import FORMS, draw
from sensenet.errors import ArtifactError, InputError, TextFormError, VerifyError
from sensenet.ir.cost import graph_multiply_adds, graph_parameters
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Graph, Node, apply, constant, same_graph
from sensenet.ir.ops import arithmetic, control, core, dense, reduction
from sensenet.ir.parser import DEEPEST_REGION, parse_graph
from sensenet.ir.printer import print_graph, weights
from sensenet.ir.region import Region, map_regions, regions_of
from sensenet.ir.types import Tensor, f32
from sensenet.ir.verify import verify
from sensenet.signature import Signature

LOOP = """sensenet graph
%x = input() {type=f32[?,2]} : f32[?,2]
%loop = while(%x) {condition=graph {
    // small ones go on
    %rows = input() {type=f32[?,2]} : f32[?,2]
    %limit = constant() {value=f32[]{8.0}} : f32[]
    %below = greater(%limit, %rows) {} : bool[?,2]

    %any = reduce_any(%below) {axes=(0, 1), keep_dimensions=false} : bool[]
    output proceed = %any
}, body=graph {
    %rows = input() {type=f32[?,2]} : f32[?,2]
    %twice = add(%rows, %rows) {} : f32[?,2]
    output rows = %twice
}} : f32[?,2]
output y = %loop
"""


def read() -> Graph:
    return parse_graph(LOOP)


def loop_of(graph: Graph) -> Node:
    (found,) = [node for node in graph.nodes if isinstance(node.op, control.While)]
    return found


def nested(depth: int) -> str:
    """A loop in the body of a loop, and so on; the innermost body gives what it takes."""
    lines = ["%x = input() {type=f32[2]} : f32[2]"]
    for _ in range(depth):
        lines += [
            "%l = while(%x) {condition=graph {",
            "%x = input() {type=f32[2]} : f32[2]",
            "%go = constant() {value=bool[]{false}} : bool[]",
            "output go = %go",
            "}, body=graph {",
            "%x = input() {type=f32[2]} : f32[2]",
        ]
    lines.append("output x = %x")
    for _ in range(depth):
        lines += ["}} : f32[2]", "output x = %l"]
    return "\n".join(["sensenet graph", *lines, ""])


def test_a_loop_is_read_and_runs():
    graph = read()
    verify(graph)
    got = evaluate(graph, {"x": np.float32([[1, 3], [5, 0.5]])})["y"]
    np.testing.assert_array_equal(got, np.float32([[16, 48], [80, 8]]))
    assert same_graph(parse_graph(print_graph(graph)), graph)


def test_regions_lie_in_regions():
    graph = parse_graph(nested(DEEPEST_REGION))
    verify(graph)
    assert same_graph(parse_graph(print_graph(graph)), graph)
    depths = [len(line) - len(line.lstrip()) for line in print_graph(graph).splitlines()]
    assert max(depths) == 4 * DEEPEST_REGION


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("graph {", "graf {", r"3:\d+: expected 'graph'"),
        ("graph {", "graph { %a", r"3:\d+: expected end"),
        ("%limit, %rows", "%limit, %x", r"7:\d+: %x is not defined above"),
        ("    output proceed = %any\n", "", r"3:\d+: the region has no output"),
        ("}} : f32[?,2]\noutput y = %loop\n", "", r"11:\d+: the region is not closed"),
        ("}, body", "} body", r"11:\d+: expected ','"),
        ("%rows, %rows", "%rows", r"13:\d+: .*add takes two or more inputs"),
        ("bool[?,2]", "f32[?,2]", r"7:\d+: declared"),
        ("}} : f32[?,2]", "}} : f32[2,2]", r"15:\d+: declared f32\[2,2\], but the op returns"),
        ("output rows = %twice", "output rows = %twice\n output b = %twice", r"3:\d+: .*the body takes"),
        ("bool[]\n", "bool[?]\n", r"9:\d+: declared bool\[\?\], but the op returns bool\[\]"),
        ("proceed = %any", "proceed = %below", r"3:\d+: .*the condition does not return bool\[\]"),
        ("add(%rows, %rows) {}", "add(%rows, %rows) {", r"13:\d+: expected word"),
    ],
)
def test_mistakes_are_told_with_their_line_and_column(old, new, message):
    assert LOOP.count(old) in (1, 2)
    with pytest.raises(TextFormError, match=f"^{message}"):
        parse_graph(LOOP.replace(old, new, 1))


@pytest.mark.parametrize("depth", [DEEPEST_REGION + 1, 5000])
def test_regions_that_lie_too_deep_are_refused(depth):
    with pytest.raises(TextFormError, match=rf"^\d+:\d+: regions are nested more than {DEEPEST_REGION} deep"):
        parse_graph(nested(depth))


def test_every_beginning_of_the_text_is_refused_or_read():
    for end in range(len(LOOP) - 1):
        with pytest.raises(TextFormError, match=r"^\d+:\d+: "):
            parse_graph(LOOP[:end])


def test_regions_compare_by_content():
    first, second = (loop_of(read()).op for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    other = loop_of(parse_graph(LOOP.replace("8.0", "9.0"))).op
    assert other != first
    assert first.body != "a region"


def large_loop() -> Graph:
    """A layer in a loop, with weights that stand beside the text."""
    x = apply(core.Input(type=f32(None, 8)), name="x")

    def region(make):
        rows = apply(core.Input(type=f32(None, 8)), name="rows")
        return Region.create([rows], make(rows.value))

    limit = constant(Tensor.float32(0.5))
    condition = region(
        lambda rows: {
            "go": apply(
                reduction.ReduceAny(axes=(0, 1)), apply(arithmetic.Greater(), rows, limit).value
            ).value
        }
    )
    layer = dense.Dense(kernel=Tensor.float32(floats(8, 8, scale=0.1)))
    body = region(lambda rows: {"rows": apply(layer, rows).value})
    return Graph.create(
        [x], {"y": apply(control.While(condition=condition, body=body), x.value).value}, Signature()
    )


def test_weights_and_costs_of_regions_count():
    graph = large_loop()
    assert [array.shape for array in weights(graph).values()] == [(8, 8)]
    assert same_graph(parse_graph(print_graph(graph), weights(graph)), graph)
    assert graph_parameters(graph) == 65
    assert graph_multiply_adds(graph) == 64


def test_a_weight_of_a_region_that_is_not_finite_is_found():
    graph = map_regions(large_loop(), lambda inner: inner)
    layer = dense.Dense(kernel=Tensor.float32(np.full((8, 8), np.nan)))
    loop = loop_of(graph)
    rows = apply(core.Input(type=f32(None, 8)), name="rows")
    body = Region.create([rows], {"rows": apply(layer, rows.value).value})
    broken = apply(control.While(condition=loop.op.condition, body=body), *loop.inputs)
    with pytest.raises(VerifyError, match="a weight is NaN or infinite"):
        verify(Graph.create(graph.inputs, {"y": broken.value}, Signature()))


@pytest.mark.parametrize("form", FORMS)
def test_loops_are_drawn_as_one_node(form):
    assert "loop" in draw(read(), form)


def test_changing_regions():
    graph = read()
    assert map_regions(graph, lambda inner: inner) is graph
    renamed = map_regions(
        graph, lambda inner: parse_graph(re.sub("twice", "double", print_graph(inner))) if inner else inner
    )
    assert {node.name for region in regions_of(loop_of(renamed).op) for node in region.graph.nodes} >= {
        "double"
    }
    verify(renamed)


def test_a_loop_that_never_runs_gives_what_it_takes():
    rows, steps = doubling().evaluate(np.float32([[50, 1]]), np.int32([7]))
    assert (rows.tolist(), steps.tolist()) == ([[50, 1]], [7])


def test_a_loop_that_does_not_end_is_an_error(monkeypatch):
    graph = read()
    monkeypatch.setattr(control, "MOST_STEPS", 5)
    ended = evaluate(graph, {"x": np.float32([[0.25, 7.0]])})["y"]
    np.testing.assert_array_equal(ended, np.float32([[8.0, 224.0]]))
    with pytest.raises(InputError, match="has not ended after 5 steps"):
        evaluate(graph, {"x": np.float32([[0.2, 7.0]])})


def test_a_saved_graph_has_no_loop_in_a_loop():
    inner = LOOP.partition("%loop = ")[2].rpartition("}}")[0].replace("(%x)", "(%rows)")
    text = LOOP.replace("%twice = add(%rows, %rows) {} :", f"%twice = {inner}}}}} :")
    assert parse_graph(text)
    with pytest.raises(ArtifactError, match="the loop loop has another in it"):
        parse_saved(text.encode(), {}, "the file")
