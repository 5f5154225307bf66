"""Converts the flatbuffer of a .tflite file to a tree of objects, and back."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from sensenet.backends.optional import import_tensorflow
from sensenet.errors import ArtifactError, MissingPackageError
from sensenet.files.memory import reserve
from sensenet.ir.types import Array
from sensenet.optional_packages import import_package

MODEL_IDENTIFIER = b"TFL3"

PURPOSE = "writing .tflite files"

BUFFER_ALIGNMENT = 16
"""Of a model's buffers, in bytes: the schema's `force_align`, which Python's flatbuffers do not follow."""

SMALL, BLOCK = 1 << 16, (64, 256)
"""The numbers up to which a kernel is copied at once, and the rows and columns that are copied together else:
of blocks of 32 to 256 rows and 128 to 1024 columns, these took the least time."""

LARGEST_MODEL = (1 << 31) - 1
"""Bytes of a flatbuffer: its offsets are numbers of 32 bits with a sign."""


def import_schema() -> Any:
    """Return LiteRT's module of the tree's classes, else TensorFlow's.

    Raises MissingPackageError if there is neither.
    """
    import_flatbuffers()
    try:
        return importlib.import_module("ai_edge_litert.schema_py_generated")
    except ModuleNotFoundError:
        pass
    try:
        import_tensorflow(PURPOSE)
    except MissingPackageError:
        raise MissingPackageError("ai-edge-litert", "tflite", PURPOSE) from None
    return importlib.import_module("tensorflow.lite.python.schema_py_generated")


def import_flatbuffers() -> Any:
    """Return the package that packs the tree; raises MissingPackageError."""
    return import_package("flatbuffers", "tflite", PURPOSE)


def unpack(model: bytes) -> Any:
    """Return the `ModelT` of a model."""
    return import_schema().ModelT.InitFromPackedBuf(model, 0)


def read_buffer(buffer: Any) -> Array:
    """Return the content of a tree's buffer as uint8[n]; it is empty if the buffer has none."""
    if buffer.data is None:
        return np.empty(0, np.uint8)
    return np.ascontiguousarray(buffer.data).reshape(-1).view(np.uint8)


def names_of(enumeration: Any) -> dict[int, str]:
    """Return the names of a schema's enumeration by number."""
    return {number: name for name, number in vars(enumeration).items() if isinstance(number, int)}


def kind_of(tree: Any, operator: Any) -> int:
    """Return the number of an operator's kind; files for old runtimes have it in another field."""
    code = tree.operatorCodes[operator.opcodeIndex]
    return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))


def pack(tree: Any) -> memoryview:
    """Return the model of a `ModelT`, with its buffers aligned; raises ArtifactError for one too large.

    The data of a buffer is an array of any shape; other arrays are replaced by row-major ones.
    """
    schema, flatbuffers = import_schema(), import_flatbuffers()

    class AlignedBuffer(schema.BufferT):  # type: ignore[misc,name-defined]
        """A buffer whose data begins at a multiple of BUFFER_ALIGNMENT."""

        def Pack(self, builder: Any) -> Any:  # noqa: N802
            size = 0 if self.data is None else self.data.nbytes
            if size:
                builder.StartVector(1, size, BUFFER_ALIGNMENT)
                builder.head = builder.head - size
                target = np.frombuffer(builder.Bytes, self.data.dtype, self.data.size, builder.head)
                _copy(self.data, target.reshape(self.data.shape))
                vector = builder.EndVector()
            schema.BufferStart(builder)
            if size:
                schema.BufferAddData(builder, vector)
            return schema.BufferEnd(builder)

    size = _estimate(tree)
    if size > LARGEST_MODEL:
        raise ArtifactError(
            f"the model would take {size / 2**30:.1f} GiB; a .tflite file holds less than 2: compile with "
            "quantize='float16' or 'dynamic', or for the target savedmodel or numpy"
        )
    for each in tree.buffers:
        each.__class__ = AlignedBuffer
    builder = flatbuffers.Builder(0)
    builder.Bytes, builder.head = reserve(size), size  # of a size given to it, it writes zeros everywhere
    builder.Finish(tree.Pack(builder), file_identifier=MODEL_IDENTIFIER)
    return memoryview(builder.Bytes)[builder.head :]


def _copy(source: Array, target: Array) -> None:
    """Copy an array to a row-major one of its shape.

    A kernel whose first axis is the last in memory is copied block by block: a block's rows and columns fit
    the processor's cache.
    """
    kernel = np.moveaxis(source, 0, -1) if source.ndim else source
    if source.size < SMALL or not kernel.flags.c_contiguous:
        target[...] = source
        return
    columns, rows = kernel.reshape(-1, source.shape[0]), target.reshape(source.shape[0], -1)
    height, width = BLOCK
    for top in range(0, rows.shape[0], height):
        for left in range(0, rows.shape[1], width):
            part = slice(top, top + height), slice(left, left + width)
            rows[part] = columns[part[::-1]].T


def _estimate(tree: Any) -> int:
    """Return nearly the most bytes of a model, so that its builder need not grow, which copies all."""
    content: int = sum(buffer.data.nbytes for buffer in tree.buffers if buffer.data is not None)
    parts = sum(len(graph.tensors) + len(graph.operators) for graph in tree.subgraphs)
    return content + 32 * len(tree.buffers) + 256 * parts + (1 << 14)
