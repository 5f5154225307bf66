"""Measures in which range the values of a graph lie, by running it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from sensenet.ir.evaluate import Feed, prepare
from sensenet.ir.graph import Graph, Value, apply
from sensenet.ir.ops.reduction import ReduceMax, ReduceMin
from sensenet.signature import Signature

Range = tuple[float, float]
"""The least and the largest number of a value; NaN if one is."""


def measure_ranges(graph: Graph, values: Iterable[Value], feeds: Sequence[Feed]) -> dict[Value, Range]:
    """Return the ranges of values f32[…] over all feeds.

    Only two numbers of each value are kept, and nothing is computed that the values do not need. Raises as
    the interpreter does.
    """
    wanted = list(dict.fromkeys(values))
    ends = {}
    for number, value in enumerate(wanted):
        axes = tuple(range(value.type.rank))
        ends[f"least_{number}"] = apply(ReduceMin(axes=axes), value).value
        ends[f"most_{number}"] = apply(ReduceMax(axes=axes), value).value
    run = prepare(Graph.create(graph.inputs, ends, Signature()))
    answers = [run(feed) for feed in feeds]
    return {
        value: (
            float(np.min([answer[f"least_{number}"] for answer in answers])),
            float(np.max([answer[f"most_{number}"] for answer in answers])),
        )
        for number, value in enumerate(wanted)
    }
