"""Groups the nodes of a graph by the usual structure of a network: stages, and blocks within them.

A stage is a run of nodes that belong together: images of one height and width, the networks of an ensemble,
features, trees, dense layers, detection. A long stage is cut where the fewest values cross, such as between
residual blocks or the layers of a chain; short parts of a chain stay together. Every node occurs once, after
its inputs.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from sensenet.drawing.captions import family
from sensenet.ir.graph import Graph, Node
from sensenet.ir.op import Op
from sensenet.ir.ops import arithmetic, convolution, core, dense, rearrangement, tabular
from sensenet.ir.types import DType
from sensenet.records import frozen

MOST_NODES = 12
"""The most nodes of a block that is not cut."""

MOST_LEVELS = 3
"""The deepest nesting of blocks."""

FEATURES, LAYERS = "Features", "Dense layers"

STAGES: dict[type[Op], str] = {
    tabular.Standardize: FEATURES,
    tabular.OneHot: FEATURES,
    tabular.Forest: "Trees",
    dense.Dense: LAYERS,
    arithmetic.Average: "Answer",
}
"""The stage of a node that does not return images, by op. Others belong to the stage of their inputs."""

NETWORK = re.compile(r"network_(\d+)_")
SOURCES = (core.Input, core.Constant)
OF_READER = (*SOURCES, convolution.Pad2D, rearrangement.Slice)
"""Ops that belong to the stage of their first reader."""

FOLLOWERS = (dense.BatchNormalization, dense.Activation, dense.Dropout)
"""Ops that belong to the layer before them."""


@frozen(eq=False)
class Block:
    """Nodes under a title. `parts` are nested blocks, or the nodes of an innermost block."""

    title: str
    parts: tuple[Block, ...] | tuple[Node, ...]

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The parts, if they are blocks."""
        return tuple(part for part in self.parts if isinstance(part, Block))

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes of the block, in order."""
        return tuple(
            node for part in self.parts for node in (part.nodes if isinstance(part, Block) else [part])
        )


def find_blocks(graph: Graph) -> tuple[Block, ...]:
    """Return the stages of a graph, in order; repeated titles are numbered."""
    order = _sources_late(graph)
    stages = _stages(order)
    runs = [(title, tuple(run)) for title, run in groupby(order, key=stages.__getitem__)]
    seen: Counter[str] = Counter()
    blocks = []
    for title, nodes in runs:
        seen[title] += 1
        numbered = f"{title} ({seen[title]})" if seen[title] > 1 else title
        blocks.append(Block(numbered, _parts(nodes)))
    return tuple(blocks)


def _sources_late(graph: Graph) -> list[Node]:
    """Return the nodes in order, inputs and constants right before their first reader."""
    order: dict[Node, None] = {}
    for node in graph.nodes:
        if not isinstance(node.op, SOURCES):
            order.update(dict.fromkeys(value.node for value in node.inputs))
            order[node] = None
    return [*order, *(node for node in graph.nodes if node not in order)]


def _stages(order: Sequence[Node]) -> dict[Node, str]:
    """Return the title of each node's stage; nodes in OF_READER take that of their first reader."""
    stages: dict[Node, str] = {}
    for node in order:
        known = [stages[value.node] for value in node.inputs if not isinstance(value.op, SOURCES)]
        stages[node] = _stage(node, known[0] if known else FEATURES)
    readers = _readers(order)
    for node in reversed(order):
        if isinstance(node.op, OF_READER) and node in readers:
            stages[node] = stages[readers[node][0]]
    return stages


def _stage(node: Node, inherited: str) -> str:
    result, network = node.types[0], NETWORK.match(node.name)
    if result.rank == 4 and result.dtype is DType.FLOAT32 and result.shape[3] is not None:
        height, width = ("?" if size is None else str(size) for size in result.shape[1:3])
        return f"{height} × {width}"
    if family(node.op) == "detection":
        return "Detection"
    if network and type(node.op) not in (tabular.Standardize, tabular.OneHot, tabular.Forest):
        return f"Network {network.group(1)}"
    return STAGES.get(type(node.op), inherited)


def _readers(nodes: Sequence[Node]) -> dict[Node, list[Node]]:
    """Return the readers of each node among these, in order."""
    readers: dict[Node, list[Node]] = defaultdict(list)
    for node in nodes:
        for value in node.inputs:
            readers[value.node].append(node)
    return readers


def _parts(nodes: tuple[Node, ...], levels: int = MOST_LEVELS) -> tuple[Block, ...] | tuple[Node, ...]:
    """Return the blocks of a run of nodes, or the nodes if it is short or cannot be cut."""
    groups = _join_single(_join_chains(_cut(nodes))) if levels and len(nodes) > MOST_NODES else []
    if len(groups) < 2:
        return nodes
    return tuple(Block(_title(group), _parts(group, levels - 1)) for group in groups)


def _title(nodes: Sequence[Node]) -> str:
    return nodes[0].name if len(nodes) == 1 else f"{nodes[0].name} … {nodes[-1].name}"


def _cut(nodes: tuple[Node, ...]) -> Iterator[tuple[Node, ...]]:
    """Yield the nodes between minimal cuts, where the fewest values cross; values from outside count too."""
    position = {node: index for index, node in enumerate(nodes)}
    crossing = [0] * len(nodes)  # at i: between nodes i and i + 1
    for source, readers in _readers(nodes).items():
        for place in range(position.get(source, 0), position[readers[-1]]):
            crossing[place] += 1
    fewest, start = min(crossing[:-1]), 0
    for place, count in enumerate(crossing[:-1]):
        if count == fewest:
            yield nodes[start : place + 1]
            start = place + 1
    yield nodes[start:]


def _join_chains(pieces: Iterator[tuple[Node, ...]]) -> Iterator[tuple[Node, ...]]:
    """Yield the groups, with single nodes joined to the previous one: followers always, others in short
    chains."""
    group = next(pieces)
    chain = len(group) == 1
    for piece in pieces:
        single = len(piece) == 1
        follows = single and isinstance(piece[0].op, FOLLOWERS)
        if follows or (single and chain and len(group) < MOST_NODES):
            group += piece
        else:
            yield group
            group, chain = piece, single
    yield group


def _join_single(groups: Iterable[tuple[Node, ...]]) -> list[tuple[Node, ...]]:
    """Return the groups, with a single node joined to the next group, or the previous one if it is last."""
    joined: list[tuple[Node, ...]] = []
    for group in groups:
        if joined and len(joined[-1]) == 1:
            joined[-1] += group
        else:
            joined.append(group)
    if len(joined) > 1 and len(joined[-1]) == 1:
        last = joined.pop()
        joined[-1] += last
    return joined
