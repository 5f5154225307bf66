"""Writes a plan as one file of C99: tables and loops, for compilers that LLVM does not replace.

    static void NAME_row(const float *x, float *y, float *s)   one call or loop for each step
    int NAME_predict(const float *rows, size_t n, float *out)  calls it for each row

Numbers between steps are in `s`, on the stack. Each row is answered by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from attrs import Factory, define

from sensenet.backends.c_code.literals import comment_on, initializer
from sensenet.backends.native.arithmetic import exp, formula, log
from sensenet.backends.native.c_arithmetic import CArithmetic, float_numbers
from sensenet.backends.native.c_helpers import (
    DENSE,
    EMBEDDING,
    FOREST,
    FUSED_IF_FAST,
    HELPERS,
    LOG_SOFTMAX,
    NEVER_FUSED,
    PREDICT,
    PROLOGUE,
    SOFTMAX,
)
from sensenet.backends.native.names import HEAD
from sensenet.backends.native.plan import (
    INPUT,
    OUTPUT,
    DenseStep,
    EmbeddingStep,
    ForestStep,
    MapStep,
    MoveStep,
    Operand,
    Place,
    Plan,
    ReduceStep,
    SoftmaxStep,
    Step,
    arrange_buffers,
)
from sensenet.backends.native.trees import arrange_trees
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.op import Op
from sensenet.ir.ops.dense import Activation
from sensenet.ir.types import Array
from sensenet.limits import require_memory
from sensenet.records import frozen

NUMBERS_OF_A_LINE = 8

BYTES_OF_A_NUMBER = 200
"""More than a number of a table takes while it is written: its object, its text, and this joined twice."""


def write_source(plan: Plan, prefix: str, name: str, *, exact: bool = False) -> bytes:
    """Return the file of a plan, with all products rounded if it is `exact`.

    Raises LimitError if memory is insufficient for its text.
    """
    require_memory(BYTES_OF_A_NUMBER * count_numbers(plan), "the source of the network")
    return _Source(plan, prefix).text(name, NEVER_FUSED if exact else FUSED_IF_FAST).encode("ascii")


def stack_of_source(plan: Plan) -> int:
    """Return the bytes of the stack that numbers between steps take."""
    return 4 * max(1, arrange_buffers(plan)[1])


def count_numbers(plan: Plan) -> int:
    """Return how many numbers the tables of a plan have."""
    return sum(_count(step) for step in plan.steps)


def _count(step: Step) -> int:
    match step:
        case DenseStep():
            return step.kernel.size + step.bias.size
        case MapStep():
            return sum(len(x) for x in step.xs if not isinstance(x, Place))
        case MoveStep():
            return len(step.indices)
        case EmbeddingStep():
            return len(step.op.table.array)
        case ForestStep():
            return 3 * step.op.left.array.size + step.op.values.array.size
        case _:
            return 0


@frozen
class _Pointer:
    """Where numbers begin in an array of a row."""

    array: str
    start: int

    def __str__(self) -> str:
        return f"{self.array} + {self.start}" if self.start else self.array

    def entry(self, index: str) -> str:
        """Return the number at an index."""
        return f"{self.array}[{index} + {self.start}]" if self.start else f"{self.array}[{index}]"


At = Callable[[Place], _Pointer]
"""Returns where the numbers of a place are."""


@define
class _Source:
    """A file that is being written: tables and functions, each once, and the statements of a row."""

    plan: Plan
    prefix: str
    tables: dict[Any, str] = Factory(dict)
    declarations: list[str] = Factory(list)
    statements: list[str] = Factory(list)

    def text(self, name: str, products: str) -> str:
        """Return the file; `name` is what the network is called, `products` says how they are rounded."""
        starts, width = arrange_buffers(self.plan)
        bases = {INPUT: ("x", 0), OUTPUT: ("y", 0)} | {key: ("s", value) for key, value in starts.items()}

        def at(place: Place) -> _Pointer:
            base, start = bases[place.buffer]
            return _Pointer(base, start + place.start)

        for step in self.plan.steps:
            if step.y.width:
                self.statements += STATEMENTS[type(step)](self, step, at)
        names = {
            **self.names,
            "columns": self.plan.buffers[INPUT].width,
            "outputs": self.plan.buffers[OUTPUT].width,
            "scratch": max(1, width),
        }
        row = PREDICT.format(**names, statements="\n".join(self.statements))
        code = "\n".join([*self.declarations, row])
        for helper, text in reversed(HELPERS.items()):
            if f"{self.prefix}_{helper}(" in code:
                code = f"{text.format(**names)}\n{code}"
        head = f"{HEAD}\n   The network {comment_on(name)}, in C99. */\n"
        return f"{head}\n{PROLOGUE}\n{products.format(**names)}\n{code}"

    @property
    def names(self) -> dict[str, Any]:
        """Return what the fixed texts say of this model."""
        return {"prefix": self.prefix, "upper": self.prefix.upper()}

    # tables and functions

    def table(self, values: Array, kind: str) -> str:
        """Return the name of a table with these numbers: `float`, or an integer type of C."""
        flat = np.ascontiguousarray(values).ravel()
        key = kind, flat.tobytes()
        if key not in self.tables:
            self.tables[key] = f"{self.prefix}_table_{len(self.tables)}"
            numbers = (flat if flat.size else np.zeros(1, flat.dtype)).tolist()  # C has no empty arrays
            literals = float_numbers(numbers) if kind == "float" else map(str, numbers)
            head = f"static const {kind} {self.tables[key]}[{len(numbers)}]"
            self.declarations.append(f"{head} = {_initializer(literals)};\n")
        return self.tables[key]

    def helper(self, code: str) -> None:
        """Declare a function of `c_helpers`, if it is not there yet."""
        if code not in self.tables:
            self.tables[code] = ""
            self.declarations.append(code.format(**self.names))

    def function(self, op: Op, operands: int) -> str:
        """Return the name of the function of an op's formula."""
        self.declare_function(op, f"{self.prefix}_function_{len(self.tables)}", formula(op), operands)
        return self.tables[op]

    def declare_function(self, key: Any, name: str, compute: Callable[..., str], operands: int) -> None:
        """Declare the function of a formula, if there is none of this key yet."""
        if key not in self.tables:
            self.tables[key] = name
            to = CArithmetic(self.prefix)
            names = [f"x{number}" for number in range(operands)]
            answer = compute(to, *names)
            parameters = ", ".join(f"float {name}" for name in names)
            head = f"static float {name}({parameters}) {{"
            self.declarations.append("\n".join([head, *to.lines, f"  return {answer};", "}\n"]))

    # the statements of each kind of step

    def dense(self, step: DenseStep, at: At) -> Iterator[str]:
        self.helper(DENSE)
        kernel, bias = self.table(step.kernel, "float"), self.table(step.bias, "float")
        size, units = step.kernel.shape
        yield f"  {self.prefix}_dense({at(step.x)}, {at(step.y)}, {kernel}, {bias}, {size}, {units});"
        if step.activation is not ActivationFunction.LINEAR:
            op = Activation(function=step.activation)
            yield from self.map(MapStep(op=op, xs=(step.y,), y=step.y), at)

    def map(self, step: MapStep, at: At) -> Iterator[str]:
        operands = ", ".join(self._operand(x, step.y.width, at) for x in step.xs)
        call = f"{self.function(step.op, len(step.xs))}({operands})"
        yield f"  for (size_t i = 0; i < {step.y.width}; ++i) {at(step.y).entry('i')} = {call};"

    def _operand(self, x: Operand, width: int, at: At) -> str:
        if isinstance(x, Place):
            return at(x).entry("0" if x.width == 1 != width else "i")
        if len(x) == 1:
            return CArithmetic(self.prefix).number(float(x[0]))
        return f"{self.table(x, 'float')}[i]"

    def move(self, step: MoveStep, at: At) -> Iterator[str]:
        first, count = int(step.indices[0]), len(step.indices)
        if np.array_equal(step.indices, np.arange(first, first + count)):
            part = Place(step.x.buffer, step.x.start + first, count)
            yield f"  memcpy({at(step.y)}, {at(part)}, {count} * sizeof(float));"
        else:
            source = at(step.x).entry(f"{self.table(step.indices.astype(np.int32), 'int32_t')}[i]")
            yield f"  for (size_t i = 0; i < {count}; ++i) {at(step.y).entry('i')} = {source};"

    def softmax(self, step: SoftmaxStep, at: At) -> Iterator[str]:
        self.declare_function("exp", f"{self.prefix}_exp", exp, 1)
        if step.logarithm:
            self.declare_function("log", f"{self.prefix}_log", log, 1)
        self.helper(LOG_SOFTMAX if step.logarithm else SOFTMAX)
        name = f"{self.prefix}_{'log_softmax' if step.logarithm else 'softmax'}"
        call = f"{name}(&{at(step.x).entry('i')}, &{at(step.y).entry('i')}, {step.width});"
        yield f"  for (size_t i = 0; i < {step.x.width}; i += {step.width}) {call}"

    def reduce(self, step: ReduceStep, at: At) -> Iterator[str]:
        compute = self.function(step.op, 2)
        outer = step.x.width // (step.count * step.inner)
        x, y, size = at(step.x), at(step.y), step.count * step.inner
        first, entry = x.entry(f"i * {size} + j"), x.entry(f"(i * {step.count} + k) * {step.inner} + j")
        divided = f" / {float_numbers([step.divisor])[0]}" if step.divisor != 1 else ""
        yield f"  for (size_t i = 0; i < {outer}; ++i) {{"
        yield f"    for (size_t j = 0; j < {step.inner}; ++j) {{"
        yield f"      float total = {first};"
        yield f"      for (size_t k = 1; k < {step.count}; ++k) total = {compute}(total, {entry});"
        yield f"      {y.entry(f'i * {step.inner} + j')} = total{divided};"
        yield "    }"
        yield "  }"

    def embedding(self, step: EmbeddingStep, at: At) -> Iterator[str]:
        self.helper(EMBEDDING)
        op = step.op
        starts, limits = (
            self.table(np.asarray(op.starts, np.int32), "int32_t"),
            self.table(op.limits, "float"),
        )
        table = self.table(op.table.array, "float")
        given = f"{at(step.x)}, {at(step.y)}, {starts}, {limits}, {table}, {len(op.depths)}, {op.units}"
        yield f"  {self.prefix}_embedding({given});"

    def forest(self, step: ForestStep, at: At) -> Iterator[str]:
        self.helper(FOREST)
        op, trees = step.op, arrange_trees(step.op)
        nodes = self.nodes(trees.nodes)
        values = self.table(trees.values, "float")
        roots = self.table(trees.roots.astype(np.int32), "int32_t")
        first = 0
        for number, count in enumerate(op.sizes):
            y = at(Place(step.y.buffer, step.y.start + number * op.outputs, op.outputs))
            given = f"{at(step.x)}, {y}, {nodes}, {values}, {roots} + {first}, {count}, {op.outputs}"
            yield f"  {self.prefix}_forest({given});"
            first += count

    def nodes(self, nodes: Array) -> str:
        """Return the name of a table of nodes: of a leaf, `feature` is -1 and `left` its row of values."""
        leaf = nodes["left"] < np.arange(len(nodes))
        thresholds = float_numbers(np.where(leaf, np.float32(0), nodes["threshold"]).tolist())
        features = np.where(leaf, -1, nodes["feature"]).tolist()
        lefts = np.where(leaf, nodes["leaf"], nodes["left"]).tolist()
        entries = (f"{{{t}, {f}, {left}}}" for t, f, left in zip(thresholds, features, lefts, strict=True))
        name = f"{self.prefix}_nodes_{len(self.tables)}"
        self.tables[name] = name
        head = f"static const {self.prefix}_node {name}[{len(nodes)}]"
        self.declarations.append(f"{head} = {_initializer(entries)};\n")
        return name


STATEMENTS: Mapping[type[Step], Callable[[_Source, Any, At], Iterator[str]]] = {
    DenseStep: _Source.dense,
    MapStep: _Source.map,
    MoveStep: _Source.move,
    SoftmaxStep: _Source.softmax,
    ReduceStep: _Source.reduce,
    EmbeddingStep: _Source.embedding,
    ForestStep: _Source.forest,
}
"""How each kind of step is written."""


def _initializer(entries: Iterable[str]) -> str:
    """Return the initializer of an array, several entries a line."""
    found = list(entries)
    lines = (found[start : start + NUMBERS_OF_A_LINE] for start in range(0, len(found), NUMBERS_OF_A_LINE))
    return initializer(map(", ".join, lines))
