"""The grouping into stages and blocks."""

from __future__ import annotations

import pytest
from hypothesis import given
from support.documents import detector, ensemble, image
from support.strategies import IMAGE_OPS, TABULAR_OPS, any_of, graphs

from sensenet.drawing.blocks import MOST_LEVELS, MOST_NODES, find_blocks
from sensenet.frontend import import_graph
from sensenet.ir.graph import Graph, apply
from sensenet.ir.ops import arithmetic, core
from sensenet.ir.types import f32
from sensenet.pretrained import get_pretrained_network
from sensenet.signature import Signature


@given(graphs(any_of(TABULAR_OPS | IMAGE_OPS)))
def test_every_node_is_in_one_place_after_what_it_reads(graph):
    nodes = [node for stage in find_blocks(graph) for node in stage.nodes]
    assert len(nodes) == len(graph.nodes)
    assert set(nodes) == set(graph.nodes)
    position = {node: index for index, node in enumerate(nodes)}
    assert all(position[v.node] < position[node] for node in nodes for v in node.inputs)


@given(graphs(any_of(TABULAR_OPS | IMAGE_OPS)))
def test_titles_of_stages_differ(graph):
    titles = [stage.title for stage in find_blocks(graph)]
    assert len(set(titles)) == len(titles)


STAGES = (
    (ensemble(), ["Features", "Trees", "Network 0", "Network 1", "Answer"]),
    (image(), ["Features", "6 × 8", "3 × 4", "2 × 2", "4 × 4", "3 × 3", "Features (2)", "Dense layers"]),
    (detector(), ["16 × 16", "4 × 4", "Detection", "2 × 2", "Detection (2)"]),
)


@pytest.mark.parametrize(("document", "titles"), STAGES)
def test_stages_of_small_models(document, titles):
    assert [stage.title for stage in find_blocks(import_graph(document))] == titles


@pytest.mark.slow
def test_a_residual_network_is_cut_between_its_residual_blocks():
    graph = import_graph(get_pretrained_network("resnet50"))
    stages = {stage.title: stage for stage in find_blocks(graph)}
    sizes = ["224 × 224", "112 × 112", "55 × 55", "28 × 28", "14 × 14", "7 × 7", "Dense layers"]
    assert list(stages) == sizes
    assert [len(stages[size].blocks) for size in sizes] == [0, 0, 3, 4, 6, 3, 0]
    for stage in stages.values():
        for block in stage.blocks:
            assert sum(isinstance(node.op, arithmetic.Add) for node in block.nodes) == 1
            assert not block.blocks


def depth(block):
    return 1 + max(map(depth, block.blocks), default=0)


def test_thousands_of_nested_skips_do_not_nest_as_deep():
    """Two layers down, two layers up, as often as this: an hourglass with a skip at every height."""
    x = apply(core.Input(type=f32(None, 3)), name="x")
    value, skipped = x.value, []
    for _ in range(1200):
        value = apply(arithmetic.Add(), value, value).value
        value = apply(arithmetic.Maximum(), value, value).value
        skipped.append(value)
    for skip in reversed(skipped):
        value = apply(arithmetic.Minimum(), value, value).value
        value = apply(arithmetic.Add(), value, skip).value
    graph = Graph.create([x], {"y": value}, Signature())
    assert max(map(depth, find_blocks(graph))) <= 1 + MOST_LEVELS


@pytest.mark.parametrize("name", ["mobilenet", "tinyyolov4", pytest.param("yolov4", marks=pytest.mark.slow)])
def test_blocks_are_small_enough_to_read(name):
    def leaves(block):
        return [leaf for part in block.blocks for leaf in leaves(part)] or [block]

    graph = import_graph(get_pretrained_network(name))
    sizes = [len(leaf.nodes) for stage in find_blocks(graph) for leaf in leaves(stage)]
    assert max(sizes) <= 2 * MOST_NODES
    assert sum(sizes) == len(graph.nodes)
