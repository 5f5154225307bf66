"""A layer of a document while its nodes are built: its members, its inputs, and its name in the graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from sensenet.frontend.emit import emit, width_of
from sensenet.frontend.implied_memory import NUMBER_BYTES
from sensenet.frontend.json.cursor import Cursor, quote
from sensenet.frontend.layers.initializers import INITIALIZERS, Shape, initial_values
from sensenet.frontend.weight_sources import SourceRecord, WeightSource
from sensenet.ir.activation import ActivationFunction, activation_function
from sensenet.ir.graph import Value
from sensenet.ir.op import Op
from sensenet.ir.types import Tensor
from sensenet.layer_schema import LayerSchema
from sensenet.records import frozen

LARGEST_WEIGHT = 2**28
"""The most numbers of a weight that an initializer may fill; more are a mistake in the document."""


@frozen(kw_only=True, eq=False, repr=False)
class Layer:
    """A layer of a document; see the module. Methods raise DocumentError with the JSON path of the fault."""

    cursor: Cursor
    inputs: tuple[Value, ...]
    name: str
    schema: LayerSchema
    sources: SourceRecord

    @property
    def input(self) -> Value:
        """The input, for a layer type with one input."""
        if len(self.inputs) != 1:
            raise self.cursor.error(f"expected one input for this layer type, found {len(self.inputs)}")
        return self.inputs[0]

    @property
    def channels(self) -> int:
        """The size of the input's last axis, which must be known."""
        width = width_of(self.input)
        if width is None:
            raise self.cursor.error(f"the width of the input {self.input.type} is unknown")
        return width

    def apply(self, op: Op, *inputs: Value, suffix: str = "", keys: Mapping[str, str] | None = None) -> Value:
        """Return the result of the op on these inputs, or on the layer's inputs.

        `keys` maps the op's attributes to the members of the layer that they were read from, if these are not
        the schema's.
        """
        name = self.name + suffix
        value = emit(self.cursor, op, *(inputs or self.inputs), name=name)
        keys = self.schema.keys if keys is None else keys
        sources = {
            attribute: self._source(key)
            for attribute, key in keys.items()
            if getattr(op, attribute, None) is not None and self.cursor[key].present
        }
        if sources:
            self.sources[name] = sources
        return value

    def _source(self, key: str) -> WeightSource:
        named = isinstance(self.cursor[key].value, str)
        return WeightSource(layer=self.cursor.path, key=key, form=self.schema.weight(key).form, named=named)

    def activation(self) -> ActivationFunction:
        """Return the layer's activation function; linear if it has none."""
        cursor = self.cursor["activation_function"]
        function = activation_function(cursor.text() if cursor.present else None)
        if function is None:
            names = ", ".join(known.value for known in ActivationFunction)
            raise cursor.error(
                f"unknown activation function {quote(cursor.text())}; expected one of: {names}"
            )
        return function

    def weight(self, key: str, shape: Callable[[], Shape]) -> Tensor:
        """Return a weight that the layer's schema declares, converted from the document's form to the op's.

        `shape` computes the shape for an initializer from the rest of the layer.
        """
        declared = self.schema.weight(key)
        cursor = self.cursor.require(key)
        tensor = self._initialize(cursor, declared.rank, shape)
        if tensor is None:
            tensor = Tensor(cursor.array(declared.rank))
            cursor.implied.add_if_repeated(cursor.value, NUMBER_BYTES * tensor.array.size)
        return declared.form.read(tensor)

    def _initialize(self, cursor: Cursor, rank: int, shape: Callable[[], Shape]) -> Tensor | None:
        """Return the values of an initializer; None if the document has numbers or null."""
        if not isinstance(cursor.value, str):
            return None
        if cursor.value not in INITIALIZERS:
            raise cursor.expected(f"{rank}-D numbers, or one of {', '.join(INITIALIZERS)}")
        sizes = shape()
        if math.prod(sizes) > LARGEST_WEIGHT:
            raise cursor.error(f"a weight of {' × '.join(map(str, sizes))} numbers is too large")
        cursor.implied.add(NUMBER_BYTES * math.prod(sizes))
        return Tensor(initial_values(cursor.value, sizes, self._seed()))

    def optional_weight(self, key: str, size: int) -> Tensor | None:
        """Return a weight of this size, or None if it is null or missing."""
        if not self.cursor[key].present:
            return None
        return self.weight(key, lambda: (size,))

    def _seed(self) -> int:
        seed = self.cursor["seed"]
        return int(seed.number()) if seed.present else 0
