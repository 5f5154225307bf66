"""From a graph to a module of WebAssembly: code, constants, and a description of rows and answers.

    memory: constants | scratch | rows | answers

`run(n)` answers the first n rows; the description says where rows and answers are, and how many fit.
"""

from __future__ import annotations

import json
from typing import Any

from sensenet.backends.native.code import Machine
from sensenet.backends.native.emitting import Processor, make_code
from sensenet.backends.native.llvm import FunctionWriter
from sensenet.backends.native.memory import align
from sensenet.backends.native.module import write_module
from sensenet.backends.native.objects import choose_products
from sensenet.backends.native.plan import INPUT, OUTPUT
from sensenet.backends.native.planner import plan_graph
from sensenet.backends.wasm.linker import ModuleLayout, link
from sensenet.backends.wasm.names import SECTION
from sensenet.errors import LimitError
from sensenet.ir.graph import Graph
from sensenet.records import frozen

PROCESSOR = Processor(
    "wasm32-unknown-unknown", "generic", "+simd128,+bulk-memory,+nontrapping-fptoint,+sign-ext"
)
"""What the code uses beyond the first version: Chrome 91, Firefox 89, Safari 16.4, Node 16.4 have all."""


@frozen(kw_only=True)
class WebAssembly(Machine):
    """The machine of WebAssembly, whose compilers keep only small tiles in registers."""

    def tile(self, vectors: int) -> tuple[int, int]:
        """Return how many vectors of a row, and how many rows, a product keeps in registers."""
        return min(vectors, 4), 2


MACHINE = WebAssembly(lanes=4, registers=16, tables=False)
"""Registers of 128 bits. Files are small, so trees are walked."""

FIRST_BYTE = 1024
"""Where the constants begin: nothing is at address 0."""

MOST_NUMBERS = 65_536
"""The most numbers of rows and answers in memory: more rows are answered part by part."""

LARGEST_MEMORY = 2**31
"""The most bytes of memory: half of what 32 bits address, because addresses are signed in places."""


def write_wasm(graph: Graph, *, exact: bool = False) -> bytes:
    """Return the module of a graph of rows, with all products rounded if it is `exact`.

    Raises UnsupportedOpError for other graphs, LimitError for one that takes 2 GiB of memory, and
    MissingPackageError without llvmlite.
    """
    plan = plan_graph(graph, exact=exact)
    written = write_module(plan, MACHINE, "answer")
    columns, outputs = plan.buffers[INPUT].width, plan.buffers[OUTPUT].width
    capacity = max(1, MOST_NUMBERS // max(1, columns + outputs))
    scratch = align(FIRST_BYTE + len(written.constants))
    rows = align(scratch + written.scratch)
    answers = align(rows + 4 * capacity * columns)
    memory = answers + 4 * capacity * outputs
    if memory > LARGEST_MEMORY:
        raise LimitError(f"the model takes {memory} bytes of memory: WebAssembly has {LARGEST_MEMORY}")
    description = {
        "columns": columns,
        "outputs": outputs,
        "capacity": capacity,
        "rows": rows,
        "answers": answers,
        "signature": graph.signature.to_json(),
    }
    layout = ModuleLayout(
        memory=memory,
        start=FIRST_BYTE,
        data=written.constants.tobytes().rstrip(b"\0"),
        exports=["run"],
        description=(SECTION, _write_json(description)),
    )
    text = "\n".join([choose_products(written.text, exact=exact), _run_function(rows, answers, scratch)])
    return link(compile_object(text), layout)


def _write_json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _run_function(rows: int, answers: int, scratch: int) -> str:
    """Return the function that calls `answer` for the rows in memory: numbers of 64 bits are slow to pass."""
    writer = FunctionWriter("run", ("i32 %rows",), set(), linkage="")
    count = writer.widen("%rows")
    constants, x, y, between = (
        f"inttoptr (i32 {address} to ptr)" for address in (FIRST_BYTE, rows, answers, scratch)
    )
    writer.call("answer", [("ptr", constants), ("ptr", x), ("i64", count), ("ptr", y), ("ptr", between)])
    return writer.text()


def compile_object(text: str) -> bytes:
    """Return the object of WebAssembly of a module in LLVM's language."""
    return make_code(text, PROCESSOR, "object")
