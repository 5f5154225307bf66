"""Reads the flatbuffer of an untrusted .tflite file: every offset, length and text is checked before use.

The generated classes of the schema, and LiteRT itself, trust a file. This reader takes what the tables below
list and nothing else: a field that they do not have is refused, so that nothing reaches an interpreter that
was not looked at.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from sensenet.backends.tflite.flatbuffer import MODEL_IDENTIFIER
from sensenet.errors import ArtifactError

Record = dict[str, Any]
"""A table: its fields by name. Vectors of numbers are arrays, those of bytes memory of the file."""

SCALARS = {"u8": "B", "i8": "b", "bool": "B", "i32": "i", "u32": "I", "i64": "q", "f32": "f"}

FORBIDDEN = "-"
"""A field that a file must not have: custom operators, sparsity, what is outside of the file."""

TABLES: Mapping[str, str] = {
    "Model": "version:u32 operator_codes:[OperatorCode] subgraphs:[SubGraph] description:text "
    "buffers:[Buffer] metadata_buffer:[i32] metadata:[Metadata] signatures:[SignatureDef]",
    "OperatorCode": "old_code:i8 - version:i32=1 code:i32",
    "SubGraph": "tensors:[Tensor] inputs:[i32] outputs:[i32] operators:[Operator] name:text",
    "Tensor": "shape:[i32] type:i8 buffer:u32 name:text quantization:QuantizationParameters is_variable:bool "
    "- signature:[i32] has_rank:bool",
    "QuantizationParameters": "min:[f32] max:[f32] scale:[f32] zero_point:[i64] details_type:u8 - "
    "dimension:i32",
    "Operator": "opcode:u32 inputs:[i32] outputs:[i32] options_type:u8 options:options - "
    "custom_options_format:i8 mutating:[u8] intermediates:[i32]",
    "Buffer": "data:[u8]",
    "Metadata": "name:text buffer:u32",
    "SignatureDef": "inputs:[TensorMap] outputs:[TensorMap] key:text - subgraph:u32",
    "TensorMap": "name:text tensor:u32",
    "AddOptions": "activation:i8 power_of_two:bool=1",
    "ArgMaxOptions": "output_type:i8",
    "BatchMatMulOptions": "adjoint_x:bool adjoint_y:bool asymmetric:bool",
    "CastOptions": "from:i8 to:i8",
    "ConcatenationOptions": "axis:i32 activation:i8",
    "Conv2DOptions": "padding:i8 stride_w:i32 stride_h:i32 activation:i8 dilation_w:i32=1 dilation_h:i32=1 "
    "bias_type:i8",
    "DepthwiseConv2DOptions": "padding:i8 stride_w:i32 stride_h:i32 multiplier:i32 activation:i8 "
    "dilation_w:i32=1 dilation_h:i32=1",
    "DivOptions": "activation:i8",
    "FullyConnectedOptions": "activation:i8 weights_format:i8 keep_dims:bool asymmetric:bool bias_type:i8",
    "GatherOptions": "axis:i32 batch_dims:i32",
    "GeluOptions": "approximate:bool",
    "LeakyReluOptions": "alpha:f32",
    "MulOptions": "activation:i8",
    "OneHotOptions": "axis:i32",
    "PackOptions": "count:i32 axis:i32",
    "Pool2DOptions": "padding:i8 stride_w:i32 stride_h:i32 width:i32 height:i32 activation:i8",
    "ReducerOptions": "keep_dims:bool",
    "ReshapeOptions": "shape:[i32]",
    "ResizeBilinearOptions": "- - align_corners:bool half_pixel:bool",
    "ResizeNearestNeighborOptions": "align_corners:bool half_pixel:bool",
    "ShapeOptions": "type:i8",
    "SoftmaxOptions": "beta:f32",
    "SplitOptions": "count:i32",
    "SplitVOptions": "count:i32",
    "SqueezeOptions": "axes:[i32]",
    "StridedSliceOptions": "begin_mask:i32 end_mask:i32 ellipsis_mask:i32 new_axis_mask:i32 shrink_mask:i32 "
    "offset:bool",
    "SubOptions": "activation:i8 power_of_two:bool=1",
    "WhileOptions": "condition:i32 body:i32",
}
"""The fields of each table in the order of the schema, with their types, and defaults other than 0."""


def read_model(content: bytes | memoryview) -> Record:
    """Return the table `Model` of a file with all that it holds; raises ArtifactError for a damaged one.

    The options of an operator are a function that reads them as the table of a name, or None.
    """
    reader = _Reader(memoryview(content))
    if bytes(content[4:8]) != MODEL_IDENTIFIER:
        raise ArtifactError("it is not a TensorFlow Lite model")
    return reader.table(reader.follow(0), "Model")


class _Reader:
    """Reads tables at positions of a file, at most as many as fit into it."""

    def __init__(self, content: memoryview) -> None:
        self._content = content
        self._left = len(content) // 4

    def number(self, position: int, kind: str) -> Any:
        """Return the number at an aligned position within the file."""
        code = SCALARS[kind]
        size = struct.calcsize(f"<{code}")
        require(position % size == 0 and 0 <= position <= len(self._content) - size, "a number", position)
        (value,) = struct.unpack_from(f"<{code}", self._content, position)
        return value

    def follow(self, position: int) -> int:
        """Return the position that the offset at a position leads to."""
        target: int = position + self.number(position, "u32")
        require(position < target <= len(self._content) - 4, "an offset", position)
        return target

    def table(self, position: int, name: str) -> Record:
        """Return the table at a position."""
        self._count(1)
        vtable = position - self.number(position, "i32")
        size, length = (self._number16(vtable + 2 * index) for index in range(2))
        require(size >= 4 and size % 2 == 0, "the length of a vtable", vtable)
        require(length >= 4 and position + length <= len(self._content), "the length of a table", position)
        slots = [self._number16(vtable + 4 + 2 * index) for index in range((size - 4) // 2)]
        record, fields = {}, TABLES.get(name, "").split()
        require(not any(slots[len(fields) :]), f"a field of {name} that sensenet does not know", position)
        for field, slot in zip(fields, slots + [0] * len(fields), strict=False):
            require(slot == 0 or (field != FORBIDDEN and 4 <= slot < length), f"a field of {name}", position)
            if field == FORBIDDEN:
                continue
            key, kind = field.split(":")
            kind, _, default = kind.partition("=")
            at = position + slot if slot else None
            if kind in SCALARS:
                record[key] = int(default or 0) if at is None else self.number(at, kind)
            elif kind == "options":
                record[key] = None if at is None else functools.partial(self.table, self.follow(at))
            else:
                record[key] = self._read(at, kind)
        return record

    def _read(self, at: int | None, kind: str) -> Any:
        """Return a text, vector or table, which a field at a position refers to."""
        if kind == "text":
            return "" if at is None else self._text(self.follow(at))
        if kind == "[u8]":
            return memoryview(b"") if at is None else self._bytes(self.follow(at))
        if kind.startswith("["):
            return () if at is None else self._vector(self.follow(at), kind[1:-1])
        return None if at is None else self.table(self.follow(at), kind)

    def _vector(self, position: int, kind: str) -> Any:
        if kind in SCALARS:
            code = SCALARS[kind]
            size = struct.calcsize(f"<{code}")
            data = self._bytes(position, size)
            self._count(len(data) // size)
            return np.frombuffer(data, f"<{code}")
        count = len(self._bytes(position, 4)) // 4
        self._count(count)
        return tuple(self.table(self.follow(position + 4 + 4 * index), kind) for index in range(count))

    def _text(self, position: int) -> str:
        data = bytes(self._bytes(position, 1, ending=1))
        require(data.endswith(b"\0") and b"\0" not in data[:-1], "a text", position)
        try:
            return data[:-1].decode()
        except UnicodeDecodeError:
            raise ArtifactError(f"the text at byte {position} of the flatbuffer is not UTF-8") from None

    def _bytes(self, position: int, size: int = 1, ending: int = 0) -> memoryview:
        """Return the content of a vector of elements of a size, and so many bytes behind it."""
        count = self.number(position, "u32")
        start = position + 4
        end = start + count * size + ending
        require(start % size == 0 and end <= len(self._content), "a vector", position)
        return self._content[start:end]

    def _number16(self, position: int) -> int:
        require(position % 2 == 0 and 0 <= position <= len(self._content) - 2, "a vtable", position)
        (value,) = struct.unpack_from("<H", self._content, position)
        return int(value)

    def _count(self, number: int) -> None:
        """Count a table: tables may share content, so a small file could imply any number of them."""
        self._left -= number
        require(self._left >= 0, "more tables than fit into it", 0)


def defaults(name: str) -> Record:
    """Return a table of numbers without fields."""
    fields = [field.split(":") for field in TABLES.get(name, "").split() if field != FORBIDDEN]
    return {key: int(kind.partition("=")[2] or 0) for key, kind in fields if not kind.startswith("[")}


def require(condition: bool, what: str, position: int | None) -> None:
    """Raise ArtifactError if something in the flatbuffer is not as it must be."""
    if not condition:
        raise ArtifactError(f"the flatbuffer is damaged: {what}, at byte {position}")
