"""The flatbuffer of a .tflite file as a tree of objects, and back."""

from __future__ import annotations

from typing import Any

MODEL_IDENTIFIER = b"TFL3"

BUFFER_ALIGNMENT = 16
"""Of a model's buffers, in bytes: the schema's `force_align`, which Python's flatbuffers do not follow."""


def import_schema() -> Any:
    """TensorFlow's module of the classes that the tree is made of."""
    from tensorflow.lite.python import schema_py_generated as schema

    return schema


def unpack(model: bytes) -> Any:
    """The `ModelT` of a model."""
    return import_schema().ModelT.InitFromPackedBuf(model, 0)


def pack(tree: Any) -> bytes:
    """The model of a `ModelT`, with its buffers aligned."""
    import flatbuffers

    schema = import_schema()

    class AlignedBuffer(schema.BufferT):  # type: ignore[misc,name-defined]
        """A buffer whose data begins at a multiple of BUFFER_ALIGNMENT."""

        def Pack(self, builder: Any) -> Any:  # noqa: N802
            data = b"" if self.data is None else bytes(self.data)
            if data:
                builder.StartVector(1, len(data), BUFFER_ALIGNMENT)
                builder.head = builder.head - len(data)
                builder.Bytes[builder.head : builder.head + len(data)] = data
                vector = builder.EndVector()
            schema.BufferStart(builder)
            if data:
                schema.BufferAddData(builder, vector)
            return schema.BufferEnd(builder)

    for each in tree.buffers:
        each.__class__ = AlignedBuffer
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(tree.Pack(builder), file_identifier=MODEL_IDENTIFIER)
    return bytes(builder.Output())
