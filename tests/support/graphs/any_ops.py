"""The style of random graphs in which any ops come in any order."""

from __future__ import annotations

from collections.abc import Collection

from hypothesis import strategies as st

from sensenet.ir.graph import Graph, apply
from sensenet.ir.op import Op
from sensenet.ir.ops import core
from sensenet.ir.types import f32
from sensenet.signature import NUMERIC_INPUT, PIXEL_INPUT, Signature
from support.graphs.basic_nodes import BASIC_NODES
from support.graphs.growing import Style
from support.graphs.image_nodes import IMAGE_NODES
from support.graphs.pool import Builder, Pool
from support.graphs.tabular_nodes import TABULAR_NODES
from support.graphs.tensor_nodes import TENSOR_NODES

ROW_WIDTHS = st.integers(1, 5)
IMAGE = f32(None, 6, 5, 4)
"""Images of a graph: small ones, of a known size."""

BUILDERS: dict[type[Op], Builder] = {**TABULAR_NODES, **IMAGE_NODES, **BASIC_NODES, **TENSOR_NODES}
"""How a node of each op joins a graph. `Input` starts it."""

IMAGE_OPS = frozenset(IMAGE_NODES)
TABULAR_OPS = frozenset(BUILDERS) - IMAGE_OPS


def any_of(ops: Collection[type[Op]], max_nodes: int = 10) -> Style:
    """Graphs of four to `max_nodes` steps, each of one of these ops; well formed, with one to three outputs.

    Numbers stay within what float32 holds well, except behind divisions and exponentials.
    """
    table = [op_class for op_class in BUILDERS if op_class in ops]

    def draw_graph(draw: st.DrawFn) -> Graph:
        inputs = [apply(core.Input(type=f32(None, draw(ROW_WIDTHS))), name=NUMERIC_INPUT)]
        if not IMAGE_OPS.isdisjoint(ops):
            inputs.append(apply(core.Input(type=IMAGE), name=PIXEL_INPUT))

        def build(op_class, values):
            node = BUILDERS[op_class](Pool(draw, values))
            return () if node is None else node.values

        values = Pool(draw).grow([node.value for node in inputs], table, (4, max_nodes), build)
        others = draw(st.lists(st.sampled_from(values), max_size=2))
        outputs = dict.fromkeys([values[-1], *others])
        return Graph.create(inputs, {f"output_{i}": value for i, value in enumerate(outputs)}, Signature())

    return draw_graph
