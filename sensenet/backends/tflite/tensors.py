"""The tensors that emit functions get where operators are recorded, with TensorFlow's way to write things."""

from __future__ import annotations

import math
from typing import Any, SupportsIndex, overload

import numpy as np

from sensenet.backends.tflite.operators import Value


class Sizes(tuple[int | None, ...]):
    """A shape, as TensorFlow's tensors have it; an unknown size is None."""

    __slots__ = ()

    @property
    def rank(self) -> int:
        return len(self)

    def is_fully_defined(self) -> bool:
        return None not in self

    def num_elements(self) -> int | None:
        """The number of elements, where all sizes are known."""
        return None if None in self else math.prod(size for size in self if size is not None)

    @overload
    def __getitem__(self, index: SupportsIndex) -> int | None: ...
    @overload
    def __getitem__(self, index: slice) -> Sizes: ...
    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return Sizes(found) if isinstance(index, slice) else found


class Tensor:
    """A value with the operators of TensorFlow's tensors, which `ops` records."""

    __array_ufunc__ = None
    """NumPy's arrays leave arithmetic with tensors to the tensors."""

    __hash__ = object.__hash__

    def __init__(self, ops: Any, value: Value) -> None:
        self.ops = ops
        self.value = value

    @property
    def shape(self) -> Sizes:
        return Sizes(self.value.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.value.dtype

    def __getitem__(self, index: Any) -> Tensor:
        found: Tensor = self.ops.take(self, index if isinstance(index, tuple) else (index,))
        return found

    def __neg__(self) -> Any:
        return self.ops.negative(self)

    def __add__(self, other: Any) -> Any:
        return self.ops.add(self, other)

    def __radd__(self, other: Any) -> Any:
        return self.ops.add(other, self)

    def __sub__(self, other: Any) -> Any:
        return self.ops.subtract(self, other)

    def __rsub__(self, other: Any) -> Any:
        return self.ops.subtract(other, self)

    def __mul__(self, other: Any) -> Any:
        return self.ops.multiply(self, other)

    def __rmul__(self, other: Any) -> Any:
        return self.ops.multiply(other, self)

    def __truediv__(self, other: Any) -> Any:
        return self.ops.divide(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self.ops.divide(other, self)

    def __lt__(self, other: Any) -> Any:
        return self.ops.less(self, other)

    def __gt__(self, other: Any) -> Any:
        return self.ops.greater(self, other)

    def __eq__(self, other: object) -> Any:
        return self.ops.equal(self, other)

    def __ne__(self, other: object) -> Any:
        return self.ops.not_equal(self, other)
