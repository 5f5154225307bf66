"""Chooses which layers are int8, so that answers change no more than a budget allows.

Each layer's effect is measured: the largest difference of the answers if it alone is quantized, on some of
the calibration rows. Layers then stay float32 in the order of their effect, the largest first, as few as the
budget asks for on all calibration rows. Halving finds how many, so that there are as many runs on some rows
as there are layers, and as many on all rows as halving takes.

The interpreter runs the graphs: see `rewriting`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sensenet.artifact import LayerRecord
from sensenet.ir.cost import graph_multiply_adds
from sensenet.ir.evaluate import Feed, prepare
from sensenet.ir.graph import Graph, Node
from sensenet.ir.types import Array, Tensor
from sensenet.passes.quantization.answers import agreement, largest_difference
from sensenet.passes.quantization.kernels import kernel_of
from sensenet.passes.quantization.rewriting import Quantizer
from sensenet.progress import Progress
from sensenet.records import frozen

LEAST_ROWS, MOST_ROWS = 16, 1024
"""On how many calibration rows the effect of a layer is measured, at least and at most."""

WORK = 2**32
"""How many multiplications may take more rows than LEAST_ROWS, for one layer."""

BYTES = 4
"""Of a float32, of a scale, and of an entry of an int8 layer's bias."""


@frozen(kw_only=True)
class Budget:
    """The largest absolute difference of answers, and the least share of rows with the same decision.

    Both are of the calibration rows, as `answers` counts them; None is no bound.
    """

    max_difference: float | None = None
    min_agreement: float | None = None

    def allows(self, found: Sequence[Feed], expected: Sequence[Feed]) -> bool:
        """Return whether outputs are as near to the expected ones as the budget asks for."""
        near = self.max_difference is None or largest_difference(found, expected) <= self.max_difference
        return near and (self.min_agreement is None or agreement(found, expected) >= self.min_agreement)


@frozen(kw_only=True)
class Choice:
    """A quantized graph within a budget, and how each layer of the original one is stored."""

    graph: Graph
    layers: tuple[LayerRecord, ...]


def quantize_within(graph: Graph, feeds: Sequence[Feed], budget: Budget, show: Progress) -> Choice:
    """Return the graph with as many layers quantized as the budget allows; `show` is told of each layer.

    Raises as the interpreter does for inputs that do not fit.
    """
    quantizer = Quantizer.calibrate(graph, feeds)
    effects = _measure_effects(quantizer, _choose_rows(graph, feeds), show)
    order = sorted(effects, key=lambda layer: (-effects[layer], _size(layer, is_int8=False)))
    expected = _run(graph, feeds)

    def is_allowed(floats: int) -> bool:
        return budget.allows(_run(quantizer.quantize(order[floats:]).graph, feeds), expected)

    made = quantizer.quantize(order[_find_least(is_allowed, len(order)) :])
    return Choice(
        graph=made.graph,
        layers=tuple(
            LayerRecord(
                name=layer.name,
                scheme="int8" if layer in made.nodes else "float32",
                size=_size(layer, is_int8=layer in made.nodes),
                difference=effects.get(layer),
            )
            for layer in quantizer.layers
        ),
    )


def _measure_effects(quantizer: Quantizer, feeds: Sequence[Feed], show: Progress) -> dict[Node, float]:
    """Return the largest difference that each layer makes alone, of those that kernels take."""
    expected = _run(quantizer.graph, feeds)
    effects = {}
    for number, layer in enumerate(quantizer.layers):
        show(number, len(quantizer.layers))
        made = quantizer.quantize([layer])
        if layer in made.nodes:
            effects[layer] = largest_difference(_run(made.graph, feeds), expected)
    return effects


def _find_least(is_allowed: Callable[[int], bool], most: int) -> int:
    """Return the least allowed number, if all above it up to `most` are allowed too; 0 is tried first."""
    low, middle, high = 0, 0, most
    while low < high:
        low, high = (low, middle) if is_allowed(middle) else (middle + 1, high)
        middle = (low + high) // 2
    return high


def _run(graph: Graph, feeds: Sequence[Feed]) -> list[Feed]:
    run = prepare(graph)
    return [run(feed) for feed in feeds]


def _choose_rows(graph: Graph, feeds: Sequence[Feed]) -> list[Feed]:
    """Return the inputs on which the effects of layers are measured: whole batches if their size is fixed."""
    count = max(LEAST_ROWS, min(MOST_ROWS, WORK // max(1, graph_multiply_adds(graph))))
    batch = graph.inputs[0].types[0].shape[0]
    if batch is not None:
        return [feeds[place] for place in _spread(len(feeds), max(1, count // batch))]
    ends = np.cumsum([len(next(iter(feed.values()))) for feed in feeds])
    parts = np.split(places := _spread(int(ends[-1]), count), np.searchsorted(places, ends[:-1]))
    starts = [0, *ends[:-1]]
    return [
        {name: array[part - start] for name, array in feed.items()}
        for feed, part, start in zip(feeds, parts, starts, strict=True)
        if len(part)
    ]


def _spread(total: int, count: int) -> Array:
    """Return at most so many of the numbers below `total`, spread evenly."""
    return np.arange(min(count, total)) * total // min(count, total)


def _size(layer: Node, *, is_int8: bool) -> int:
    """Return the bytes of a layer's kernel, bias and scales."""
    kernel = kernel_of(layer.op)
    channels = kernel.shape[-1]
    bias: Tensor | None = layer.op.bias  # type: ignore[attr-defined]
    beside = (0 if bias is None else channels) + (channels if is_int8 else 0)
    return int(kernel.size) * (1 if is_int8 else BYTES) + beside * BYTES
