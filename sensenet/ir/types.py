"""Types of values, and constants that compare by content.

A `TensorType` is a dtype and a shape; a shape entry of None is unknown until run time (the number of rows,
the height and width of an image). A `Tensor` wraps a constant array, so that ops with weights can be frozen,
hashed and compared.
"""

from __future__ import annotations

import enum
import functools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from sensenet.records import frozen

if TYPE_CHECKING:
    import numpy.typing as npt

Array = np.ndarray[Any, np.dtype[Any]]
Shape = tuple[int | None, ...]


FLOAT32_TINY = float(np.finfo(np.float32).tiny)
"""The smallest normal number; hardware may treat smaller, subnormal numbers as 0."""


class DType(enum.Enum):
    """The element types of the IR; `value` is the name in the text form."""

    FLOAT32 = "f32"
    INT32 = "i32"
    BOOL = "bool"

    __hash__ = object.__hash__  # faster than that of Enum, which hashes the name at each lookup

    @property
    def numpy(self) -> np.dtype[Any]:
        return _NUMPY[self]

    @classmethod
    def of(cls, array: Array) -> DType:
        """Return the dtype of an array; raises TypeError for a dtype that the IR does not have."""
        dtype = _DTYPES.get(array.dtype)
        if dtype is None:
            raise TypeError(f"the IR has no dtype {array.dtype}; use float32, int32 or bool")
        return dtype


_NUMPY: dict[DType, np.dtype[Any]] = {
    DType.FLOAT32: np.dtype(np.float32),
    DType.INT32: np.dtype(np.int32),
    DType.BOOL: np.dtype(np.bool_),
}

_DTYPES = {numpy_dtype: dtype for dtype, numpy_dtype in _NUMPY.items()}


def _as_shape(sizes: Iterable[int | None]) -> Shape:
    return tuple(sizes)


@frozen
class TensorType:
    """The type of a value: `f32[?,10]` in the text form."""

    dtype: DType
    shape: Shape = attrs.field(converter=_as_shape)

    @property
    def rank(self) -> int:
        return len(self.shape)

    def with_shape(self, shape: Iterable[int | None]) -> TensorType:
        return TensorType(self.dtype, tuple(shape))

    def with_last(self, size: int | None) -> TensorType:
        """Return the same type with another size of the last axis."""
        return TensorType(self.dtype, (*self.shape[:-1], size))

    def with_dtype(self, dtype: DType) -> TensorType:
        return TensorType(dtype, self.shape)

    def accepts(self, array: Array) -> bool:
        """Return whether an array conforms to this type."""
        return array.dtype == self.dtype.numpy and matches(array.shape, self.shape)

    def __str__(self) -> str:
        return _type_text(self.dtype, self.shape)


@functools.lru_cache(maxsize=1024)
def _type_text(dtype: DType, shape: Shape) -> str:
    """Return the text form of a type; cached, because error messages that are never raised use it often."""
    sizes = ",".join("?" if size is None else str(size) for size in shape)
    return f"{dtype.value}[{sizes}]"


def f32(*shape: int | None) -> TensorType:
    """Return a float32 type: `f32(None, 10)` is `f32[?,10]`."""
    return TensorType(DType.FLOAT32, shape)


def bytes_of(type: TensorType) -> int:
    """Return the bytes of a value. An empty or unknown axis counts as 1, because others may be long."""
    return type.dtype.numpy.itemsize * math.prod(size or 1 for size in type.shape)


def matches(actual: Sequence[int | None], declared: Sequence[int | None]) -> bool:
    """Return whether two shapes can be equal; None matches any size."""
    if len(actual) != len(declared):
        return False
    # A loop: `all` of a generator takes several times as long.
    for a, d in zip(actual, declared, strict=True):
        if a is not None and d is not None and a != d:
            return False
    return True


def broadcast(*shapes: Shape) -> Shape | None:
    """Return the shape of NumPy broadcasting, or None if the shapes do not broadcast.

    An unknown size and a known size other than 1 give the known size, which NumPy checks at run time; an
    unknown size and 1 give an unknown size.
    """
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    result: list[int | None] = []
    for sizes in zip(*padded, strict=True):
        known = {size for size in sizes if size is not None and size != 1}
        if len(known) > 1:
            return None
        result.append(known.pop() if known else None if None in sizes else 1)
    return tuple(result)


def _views(array: Array) -> Iterator[Array]:
    """Yield the array and the arrays that it is a view of."""
    base: object = array
    while isinstance(base, np.ndarray):
        yield base
        base = base.base


def _as_constant(values: Array) -> Array:
    """Return the same values, C-contiguous and in memory that nothing writes to; a copy only if necessary."""
    shareable = values.flags.c_contiguous and not any(view.flags.writeable for view in _views(values))
    constant: Array = np.asarray(values) if shareable else np.array(values, order="C")
    constant.flags.writeable = False
    return constant


@frozen(eq=False, repr=False)
class Tensor:
    """A constant: a read-only, C-contiguous array that compares by dtype, shape and content.

    `Tensor(array)` copies a writable array, so that the constant cannot be changed from outside, and uses a
    read-only array without a copy. `owning` takes over a writable array without a copy. Raises TypeError for
    a dtype that the IR does not have.
    """

    array: Array = attrs.field(converter=_as_constant)
    _digest: str | None = attrs.field(default=None, init=False)
    _finite: bool | None = attrs.field(default=None, init=False)
    _largest: float | None = attrs.field(default=None, init=False)

    @array.validator
    def _check_dtype(self, _: attrs.Attribute[Array], value: Array) -> None:
        DType.of(value)

    @classmethod
    def owning(cls, array: Array) -> Tensor:
        """Return a constant that takes over the array, uncopied if contiguous; it becomes read-only."""
        for view in _views(array):
            view.flags.writeable = False
        return cls(array)

    @classmethod
    def float32(cls, values: npt.ArrayLike) -> Tensor:
        """Return a float32 constant, rounded from values of any precision."""
        with np.errstate(over="ignore"):
            return cls._converted(values, DType.FLOAT32)

    @classmethod
    def int32(cls, values: npt.ArrayLike) -> Tensor:
        """Return an int32 constant."""
        return cls._converted(values, DType.INT32)

    @classmethod
    def _converted(cls, values: npt.ArrayLike, dtype: DType) -> Tensor:
        if isinstance(values, np.ndarray) and values.dtype == dtype.numpy:
            return cls(values)
        return cls.owning(np.array(values, dtype.numpy))

    @property
    def type(self) -> TensorType:
        return TensorType(DType.of(self.array), self.array.shape)

    @property
    def shape(self) -> tuple[int, ...]:
        shape: tuple[int, ...] = self.array.shape
        return shape

    @property
    def finite(self) -> bool:
        """Whether all entries are finite; computed once."""
        if self._finite is None:
            object.__setattr__(self, "_finite", bool(np.isfinite(self.array).all()))
        return bool(self._finite)

    @property
    def largest(self) -> float:
        """The largest magnitude of an entry; 0 if there are none, NaN if one is NaN; computed once."""
        if self._largest is None:
            ends = (self.array.max(initial=0), self.array.min(initial=0)) if self.array.size else (0, 0)
            object.__setattr__(self, "_largest", max(float(ends[0]), -float(ends[1])))
        return float(self._largest or 0)

    @property
    def digest(self) -> str:
        """The 128-bit BLAKE2b hash, in hexadecimal, of dtype, shape and bytes; computed once."""
        if self._digest is None:
            import hashlib  # loads OpenSSL

            content = hashlib.blake2b(str(self.type).encode(), digest_size=16)
            content.update(self.array.data)
            object.__setattr__(self, "_digest", content.hexdigest())
        return str(self._digest)

    @property
    def float64(self) -> npt.NDArray[np.float64]:
        """The values in float64, for arithmetic on weights, whose results are then stored in float32."""
        return self.array.astype(np.float64)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tensor):
            return NotImplemented
        return self is other or (self.type == other.type and self.digest == other.digest)

    def __hash__(self) -> int:
        return hash((self.type, self.digest))

    def __repr__(self) -> str:
        return f"Tensor({self.type}, #{self.digest[:8]})"
