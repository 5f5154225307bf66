"""Reads attributes of ops and types in the text form of a graph.

The reader is generic: it takes the names and types of an op's attributes from the op's class. Every error is
a `TextFormError` that begins with `line:column`.
"""

from __future__ import annotations

import abc
import enum
import functools
import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import numpy as np

from sensenet.ir.lexer import LineReader
from sensenet.ir.region import Region
from sensenet.ir.types import Array, DType, Tensor, TensorType


class AttributeReader(LineReader, abc.ABC):
    """Reads types, tensors and attributes from a line; `weights` has the arrays by digest."""

    def __init__(self, text: str, line: int, weights: Mapping[str, Array]) -> None:
        super().__init__(text, line)
        self.weights = weights

    @abc.abstractmethod
    def region(self) -> Region:
        """Return a region, which takes further lines."""

    def tensor_type(self) -> TensorType:
        name = self.take("word")
        try:
            dtype = DType(name)
        except ValueError:
            raise self.error(f"unknown dtype {name!r}") from None
        shape: list[int | None] = []
        self.items("[", "]", lambda: shape.append(self.size()))
        return TensorType(dtype, tuple(shape))

    def size(self) -> int | None:
        if self.take_if("mark", "?"):
            return None
        size = self.integer()
        if size < 0:
            raise self.error(f"expected a size, found {size}")
        return size

    def attrs_object(self, cls: type[Any]) -> Any:
        """Return the instance of an attrs class that `{name=value, …}` describes."""
        start = self.peek()
        annotations = _annotations(cls)  # type: ignore[arg-type]  # mypy takes a class's hash for its instances'
        given: dict[str, Any] = {}

        def read() -> None:
            name = self.take("word")
            if name not in annotations or name in given:
                raise self.error(f"{cls.__name__} takes no attribute {name!r} (or not twice)")
            self.take("mark", "=")
            given[name] = self.attribute(annotations[name])

        self.items("{", "}", read)
        try:
            return cls(**given)
        except (TypeError, ValueError) as error:
            raise self.error(f"{cls.__name__}: {error}", start) from error

    def attribute(self, annotation: Any) -> Any:
        """Return a value of the annotated type."""
        if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
            return self.union(typing.get_args(annotation))
        if typing.get_origin(annotation) is tuple:
            return self.elements(typing.get_args(annotation))
        readers: dict[Any, Callable[[], Any]] = {
            Region: self.region,
            Tensor: self.tensor,
            TensorType: self.tensor_type,
            bool: self.boolean,
            int: self.integer,
            float: self.number,
            str: self.string,
        }
        if annotation in readers:
            return readers[annotation]()
        if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
            return self.enumeration(annotation)
        if attrs.has(annotation):
            return self.attrs_object(annotation)
        raise self.error(f"attributes of type {annotation} have no text form")

    def union(self, members: tuple[Any, ...]) -> Any:
        """Return None for `none`, else a value of the union's other type."""
        others = [member for member in members if member is not type(None)]
        if len(others) < len(members) and self.take_if("word", "none"):
            return None
        if len(others) != 1:
            raise self.error(f"a union of {len(others)} types has no text form")
        return self.attribute(others[0])

    def elements(self, items: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the tuple of `(item, …)`, for `tuple[item, ...]` or a tuple of given types."""
        variadic = len(items) == 2 and items[1] is Ellipsis
        values: list[Any] = []

        def read() -> None:
            if not variadic and len(values) >= len(items):
                raise self.error(f"expected {len(items)} items", self.peek())
            values.append(self.attribute(items[0] if variadic else items[len(values)]))

        self.items("(", ")", read)
        if not variadic and len(values) != len(items):
            raise self.error(f"expected {len(items)} items, found {len(values)}")
        return tuple(values)

    def enumeration(self, members: type[enum.Enum]) -> enum.Enum:
        word = self.take("word")
        try:
            member: enum.Enum = members(word)
        except ValueError:
            names = ", ".join(str(member.value) for member in members)
            raise self.error(f"expected one of {names}; found {word!r}") from None
        return member

    def tensor(self) -> Tensor:
        start = self.peek()
        if start.kind == "digest":
            return self.weight()
        declared = self.tensor_type()
        read_element: Callable[[], float | bool] = {
            DType.FLOAT32: self.number,
            DType.INT32: self.int32,
            DType.BOOL: self.boolean,
        }[declared.dtype]
        elements: list[float | bool] = []
        self.items("{", "}", lambda: elements.append(read_element()))
        sizes = [size for size in declared.shape if size is not None]
        if len(sizes) < declared.rank or math.prod(sizes) != len(elements):
            raise self.error(f"{len(elements)} elements do not fill {declared}", start)
        try:
            with np.errstate(over="ignore"):
                return Tensor.owning(np.array(elements, declared.dtype.numpy).reshape(sizes))
        except ValueError as error:  # more or larger axes than NumPy supports
            raise self.error(f"{declared}: {error}", start) from error

    def int32(self) -> int:
        value = self.integer()
        if not -(2**31) <= value < 2**31:
            raise self.error(f"{value} is not an i32")
        return value

    def weight(self) -> Tensor:
        start = self.peek()
        digest = self.take("digest")[1:]
        self.take("mark", ":")
        declared = self.tensor_type()
        array = self.weights.get(digest)
        if array is None:
            raise self.error(f"the weights #{digest} are missing", start)
        try:
            tensor = Tensor(array)
        except TypeError as error:
            raise self.error(f"#{digest}: {error}", start) from error
        if tensor.type != declared:
            raise self.error(f"#{digest} is declared {declared}, but its weights are {tensor.type}", start)
        if not tensor.digest.startswith(digest):
            raise self.error(f"the weights #{digest} have another digest: #{tensor.digest}", start)
        return tensor


@functools.cache
def _annotations(cls: type[Any]) -> dict[str, Any]:
    """Return the resolved types of an attrs class's fields."""
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in attrs.fields(cls)}
