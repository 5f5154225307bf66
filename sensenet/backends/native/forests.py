"""The code of forests: each is looked up in tables if these are small, else its trees are walked."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from sensenet.backends.native.code import Call, Calls, Code, Rows, Strides
from sensenet.backends.native.llvm import Register
from sensenet.backends.native.plan import ForestStep, Place
from sensenet.backends.native.tables import write_tables
from sensenet.backends.native.trees import NODE, arrange_trees
from sensenet.backends.native.vectors import Vectors
from sensenet.ir.forest_grids import forest_grids
from sensenet.ir.ops.tabular import Forest
from sensenet.ir.types import Array
from sensenet.records import frozen

WALKED_ROWS = 16
"""Rows that go down a tree together, so that the processor waits for several loads at once."""

LEVELS_AT_ONCE = 2
"""Levels that rows go down before they are asked whether one of them still moves."""


def write_forest(code: Code, step: ForestStep) -> Calls:
    """Add the code and constants of each forest of the op."""
    calls = []
    first = 0
    trees = None
    for number, grids in enumerate(forest_grids(step.op)):
        y = Place(step.y.buffer, step.y.start + number * step.op.outputs, step.op.outputs)
        count = step.op.sizes[number]
        if grids is not None and code.machine.tables:
            calls.append(write_tables(code, grids, step.x, y))
        else:
            trees = trees or _add_trees(code, step.op)
            roots = trees.roots[first : first + count]
            calls.append(_write_walk(code, trees, roots, step.x, y))
        first += count
    return calls


@frozen
class _Trees:
    """Where the nodes and the values of all trees of an op begin, in bytes, and each tree's root."""

    nodes: int
    values: int
    roots: Array


def _add_trees(code: Code, forest: Forest) -> _Trees:
    trees = arrange_trees(forest)
    nodes, values = code.constants.add(trees.nodes), code.constants.add(trees.values)
    return _Trees(nodes, values, trees.roots)


def _write_walk(code: Code, trees: _Trees, roots: Array, x: Place, y: Place) -> Call:
    """Add the code of one forest; its constants are how far nodes and values are, and the roots, i64."""
    strides = code.stride(x), code.stride(y)
    key = ("walk", len(roots), y.width, strides)
    name = code.function(key, 2, lambda rows: _Walk(rows, len(roots), y.width, strides).write())
    here = code.constants.length
    numbers = np.array([trees.nodes - here, trees.values - here, *roots], np.int64)
    return name, code.constants.add(numbers), (x, y)


@frozen
class _Walk:
    """The walk of one forest by all rows: trees in the outer loop, because one fits a cache."""

    rows: Rows
    trees: int
    outputs: int
    strides: Strides

    def write(self) -> None:
        """Write the function; its constants are those of `_write_walk`."""
        self.rows.each_pair(self.strides, lambda _, y: self._each_output(y, lambda _: "-0.0"))
        self.rows.writer.each(0, self.trees, 1, self._walk_tree)
        self.rows.each_pair(self.strides, lambda _, y: self._each_output(y, self._divide))

    def _each_output(self, y: Register, compute: Callable[[Register], Register]) -> None:
        """Replace each number of a row's answer by one computed from its address."""
        writer = self.rows.writer

        def replace(output: Register) -> None:
            address = writer.address(y, output)
            writer.store(compute(address), address)

        writer.each(0, self.outputs, 1, replace)

    def _divide(self, address: Register) -> Register:
        to = Vectors(self.rows.writer, 1)
        return to.divide(self.rows.writer.load(address), to.number(float(self.trees)))

    def _table(self, number: int) -> Register:
        """Return where the nodes begin (0), or the values (1)."""
        writer = self.rows.writer
        offset = writer.load(writer.address("%constants", number, "i64"), element="i64")
        return writer.address("%constants", offset, "i8")

    def _walk_tree(self, tree: Register) -> None:
        writer = self.rows.writer
        roots = writer.address("%constants", 2, "i64")
        root = writer.load(writer.address(roots, tree, "i64"), element="i64")
        done = writer.each(0, "%rows", WALKED_ROWS, lambda row: self._walk_rows(row, WALKED_ROWS, root))
        writer.each(done, "%rows", 1, lambda row: self._walk_rows(row, 1, root))

    def _walk_rows(self, first: Register, count: int, root: Register) -> None:
        """Add the values of the leaves that `count` rows reach, side by side, to their answers."""
        writer, (x_stride, y_stride) = self.rows.writer, self.strides
        nodes, values = self._table(0), self._table(1)
        rows = [writer.plus(first, row) for row in range(count)]
        xs = [self.rows.row("%x0", x_stride, row) for row in rows]

        def descend(places: Sequence[Register]) -> tuple[Register, Sequence[Register]]:
            following = places
            for _ in range(LEVELS_AT_ONCE):
                before = following
                following = [self._next_node(nodes, place, x) for place, x in zip(before, xs, strict=True)]
            moves = [
                writer.assign(f"icmp ne i64 {new}, {old}") for new, old in zip(following, before, strict=True)
            ]
            any_moves = functools.reduce(lambda a, b: writer.assign(f"or i1 {a}, {b}"), moves)
            return any_moves, following

        leaves = writer.until([("i64", root)] * count, descend)
        for row, leaf in zip(rows, leaves, strict=True):
            node = writer.address(nodes, writer.times(leaf, NODE.itemsize), "i8")
            found = writer.address(values, writer.times(self._member(node, "leaf"), self.outputs))
            y = self.rows.row("%y", y_stride, row)

            def add(output: Register, y: Register = y, found: Register = found) -> None:
                target = writer.address(y, output)
                value = writer.load(writer.address(found, output))
                writer.store(Vectors(writer, 1).add(writer.load(target), value), target)

            writer.each(0, self.outputs, 1, add)

    def _next_node(self, nodes: Register, place: Register, x: Register) -> Register:
        """Return the child of a node to which a row goes; a leaf's is itself."""
        writer = self.rows.writer
        node = writer.address(nodes, writer.times(place, NODE.itemsize), "i8")
        number = writer.load(writer.address(x, self._member(node, "feature")))
        right = writer.assign(f"fcmp ugt float {number}, {writer.load(node)}")
        step = writer.assign(f"zext i1 {right} to i64")
        return writer.integer("add", self._member(node, "left"), step)

    def _member(self, node: Register, name: str) -> Register:
        """Return an integer of a node."""
        writer = self.rows.writer
        _, offset = NODE.fields[name]  # type: ignore[index, misc]
        return writer.widen(writer.load(writer.address(node, offset, "i8"), element="i32"))
