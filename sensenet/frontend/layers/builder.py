"""One layer of a document while it becomes nodes: its members, what it reads, and its name in the graph."""

from __future__ import annotations

import math
from collections.abc import Callable

from attrs import frozen

from sensenet.frontend.emit import emit, width_of
from sensenet.frontend.json.cursor import Cursor, quote
from sensenet.frontend.layers.initializers import INITIALIZERS, Shape, initial_values
from sensenet.frontend.weight_sources import AS_GIVEN, NUMBER_BYTES, Form, Place
from sensenet.ir.activation import ActivationFunction, activation_function
from sensenet.ir.graph import Value
from sensenet.ir.op import Op
from sensenet.ir.types import Tensor
from sensenet.layer_schema import LayerSchema

LARGEST_WEIGHT = 2**28
"""More numbers in one weight are a mistake in a document without values."""


@frozen(kw_only=True, eq=False, repr=False)
class Layer:
    """See the module. Every method raises DocumentError with the path of what is wrong."""

    cursor: Cursor
    inputs: tuple[Value, ...]
    name: str
    schema: LayerSchema

    @property
    def input(self) -> Value:
        """What a layer with one input reads."""
        if len(self.inputs) != 1:
            raise self.cursor.error(f"a layer of this type has one input, not {len(self.inputs)}")
        return self.inputs[0]

    @property
    def channels(self) -> int:
        """The size of the input's last axis."""
        width = width_of(self.input)
        if width is None:
            raise self.cursor.error(f"the width of the input {self.input.type} is not known")
        return width

    def apply(self, op: Op, *inputs: Value, suffix: str = "") -> Value:
        """The op on these inputs, or on the layer's own."""
        return emit(self.cursor, op, *(inputs or self.inputs), name=self.name + suffix)

    def activation(self) -> ActivationFunction:
        """The activation function by its name; linear where there is none."""
        cursor = self.cursor["activation_function"]
        function = activation_function(cursor.text() if cursor.present else None)
        if function is None:
            names = ", ".join(known.value for known in ActivationFunction)
            raise cursor.error(f"there is no activation function {quote(cursor.text())}; there are: {names}")
        return function

    def weight(self, key: str, shape: Callable[[], Shape], form: Form = AS_GIVEN) -> Tensor:
        """Read a weight that the layer's schema declares, converted from the document's form to the op's.

        `shape` computes that of an initializer from the rest of the layer. The weight's place is noted.
        """
        rank = self.schema.weight(key).rank
        cursor = self.cursor.require(key)
        tensor = self._initialize(cursor, rank, shape)
        if tensor is None:
            tensor = Tensor(cursor.array(rank))
            if cursor.places.repeats(cursor.value):
                cursor.places.imply(NUMBER_BYTES * tensor.array.size)
        tensor = form.read(tensor)
        self.cursor.places.entries.append(Place(layer=self.cursor, key=key, form=form, tensor=tensor))
        return tensor

    def _initialize(self, cursor: Cursor, rank: int, shape: Callable[[], Shape]) -> Tensor | None:
        """The values that an initializer stands for; None where there is none."""
        if not isinstance(cursor.value, str):
            return None
        if cursor.value not in INITIALIZERS:
            raise cursor.expected(f"{rank}-D numbers, or one of {', '.join(INITIALIZERS)}")
        sizes = shape()
        if math.prod(sizes) > LARGEST_WEIGHT:
            raise cursor.error(f"a weight of {' × '.join(map(str, sizes))} numbers is too large")
        cursor.places.imply(NUMBER_BYTES * math.prod(sizes))
        return Tensor(initial_values(cursor.value, sizes, self._seed()))

    def optional_weight(self, key: str, size: int) -> Tensor | None:
        """A vector, or None where it is null or not there."""
        if not self.cursor[key].present:
            return None
        return self.weight(key, lambda: (size,))

    def _seed(self) -> int:
        seed = self.cursor["seed"]
        return int(seed.number()) if seed.present else 0
