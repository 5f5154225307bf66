"""The machine code of each kind of step: a function that computes it for a block of rows.

Each function has the parameters `constants`, `x0`, `x1`, …, `y` and `rows`: the step's constants, the numbers
of its places in the first row, and the number of rows. Steps of one shape share one function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sensenet.backends.native.code import Calls, Code
from sensenet.backends.native.elementwise import write_map, write_move
from sensenet.backends.native.embeddings import write_embedding
from sensenet.backends.native.forests import write_forest
from sensenet.backends.native.llvm import FunctionWriter, Register
from sensenet.backends.native.plan import (
    DenseStep,
    EmbeddingStep,
    ForestStep,
    MapStep,
    MoveStep,
    Place,
    ReduceStep,
    SoftmaxStep,
    Step,
)
from sensenet.backends.native.products import write_dense
from sensenet.backends.native.sums import write_reduce, write_softmax

WRITERS: Mapping[type[Step], Callable[[Code, Any], Calls]] = {
    DenseStep: write_dense,
    MapStep: write_map,
    MoveStep: write_move,
    SoftmaxStep: write_softmax,
    ReduceStep: write_reduce,
    EmbeddingStep: write_embedding,
    ForestStep: write_forest,
}
"""The code of each kind of step."""


def write_step(code: Code, step: Step, address: Callable[[Place], Register], writer: FunctionWriter) -> None:
    """Write the calls that compute a step into the module's main function.

    `address` returns where a place's numbers are in the first row of the block.
    """
    for name, offset, places in WRITERS[type(step)](code, step):
        constants = writer.address("%constants", offset, "i8")
        given = [("ptr", address(place)) for place in places]
        writer.call(name, [("ptr", constants), *given, ("i64", "%count")])
