"""Writes and reads TFLite metadata, which describe a model inside its own file.

A .tflite file is a flatbuffer. Its table `Model.metadata` has an entry "TFLITE_METADATA" for a buffer which
holds another flatbuffer, a `ModelMetadata` (identifier M001): the model's name and description, and for each
input and output a description and the names of its associated files. Those files are in an uncompressed ZIP
archive, appended to the flatbuffer. Ours are:

- `sensenet.json`: the graph's signature;
- `labels.txt`: the classes, one per line, if there are any. It belongs to the first output.

The archive's comment holds a checksum of the flatbuffer, so that a damaged file is refused before it reaches
an interpreter that would trust it.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sensenet.backends.tflite.flatbuffer import MODEL_IDENTIFIER, import_flatbuffers, import_schema, pack
from sensenet.errors import ArtifactError
from sensenet.files.archives import read_members
from sensenet.ir.graph import Graph
from sensenet.records import frozen
from sensenet.signature import NUMERIC_INPUT, PIXEL_INPUT, ModelKind, Signature

ENTRY = "TFLITE_METADATA"
METADATA_IDENTIFIER = b"M001"
PARSER_VERSION = "1.0.0"
"""Of the metadata convention: all that is used here was in its first version."""

SIGNATURE_FILE = "sensenet.json"
LABELS_FILE = "labels.txt"
AXIS_LABELS, VALUE_LABELS, UNKNOWN = 2, 3, 0
"""Kinds of associated files: one label for each position of the last axis, for each value, or neither."""

SIGNATURE_KEY = "serving_default"

Buffer = bytes | memoryview

_COMMENT = "sensenet crc32 {checksum:08x} of {size} bytes"


@frozen(kw_only=True)
class AssociatedFile:
    """A file of the archive, as the metadata lists it."""

    name: str
    description: str
    kind: int


@frozen(kw_only=True)
class TensorMetadata:
    """What the metadata says about an input or output."""

    name: str
    description: str
    files: tuple[AssociatedFile, ...] = ()


_SIGNATURE = AssociatedFile(
    name=SIGNATURE_FILE, description="How to encode a row and read the answer.", kind=UNKNOWN
)
_INPUT_DESCRIPTIONS = {
    NUMERIC_INPUT: f"One row of columns: numbers, and categories as positions ({SIGNATURE_FILE} lists them).",
    PIXEL_INPUT: "Images of any size, channels last, from 0 to 255.",
}


def write_file(tree: Any, graph: Graph) -> bytes:
    """Return the file of a `ModelT`, with names for its inputs and outputs, metadata and associated files."""
    add_metadata(tree, graph)
    flatbuffer = pack(tree)
    files = {SIGNATURE_FILE: json.dumps(graph.signature.to_json(), ensure_ascii=False)}
    if graph.signature.classes:
        files[LABELS_FILE] = "".join(f"{_one_line(label)}\n" for label in graph.signature.classes)
    return b"".join((flatbuffer, _pack_archive(flatbuffer, files)))


def read_signature(content: bytes, where: str) -> Signature:
    """Return the signature of a file that `write_file` made; raises ArtifactError for any other content."""
    if content[4:8] != MODEL_IDENTIFIER:
        raise ArtifactError(f"{where} is not a TensorFlow Lite model")
    try:
        members = read_members(content, where, [SIGNATURE_FILE])
        checked = _is_intact(content)
    except ArtifactError as error:
        raise ArtifactError(
            f"{where} is truncated, or was not made by sensenet: it has no sensenet metadata "
            "(tflite_predict runs files of the published package)"
        ) from error
    if SIGNATURE_FILE not in members:
        raise ArtifactError(f"{where} was not made by sensenet: its metadata has no {SIGNATURE_FILE}")
    if not checked:
        raise ArtifactError(f"{where} is damaged: its checksum is wrong")
    try:
        return Signature.from_json(json.loads(members[SIGNATURE_FILE]))
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{where}: {SIGNATURE_FILE} is not JSON ({error})") from error


class _Behind(io.BytesIO):
    """What is written behind so many bytes of a file: positions count from the file's start."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def tell(self) -> int:
        return self._size + super().tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._size + super().seek(offset - self._size if whence == io.SEEK_SET else offset, whence)


def _pack_archive(flatbuffer: Buffer, files: Mapping[str, str]) -> bytes:
    """Return the archive with offsets from the flatbuffer's start, like a ZIP file with a prefix."""
    stream = _Behind(len(flatbuffer))
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)  # a fixed date: equal models give equal files
        archive.comment = _comment(flatbuffer)
    return stream.getvalue()


def _comment(flatbuffer: Buffer) -> bytes:
    return _COMMENT.format(checksum=zlib.crc32(flatbuffer), size=len(flatbuffer)).encode()


def _is_intact(content: bytes) -> bool:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        end = min((info.header_offset for info in archive.infolist()), default=0)
        return archive.comment == _comment(memoryview(content)[:end])


def add_metadata(tree: Any, graph: Graph) -> None:
    """Give a model a signature and a metadata entry."""
    schema = import_schema()
    add_signature(tree, graph)
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(build_model_metadata(graph), np.uint8)
    entry.name, entry.buffer = ENTRY, len(tree.buffers)
    tree.metadata = [*(tree.metadata or []), entry]
    tree.buffers = [*tree.buffers, buffer]


def add_signature(tree: Any, graph: Graph) -> None:
    """Give a model a signature: the graph's input and output names for the main subgraph's tensors.

    The output tensors themselves get those names too.
    """
    schema, main = import_schema(), tree.subgraphs[0]
    definition = schema.SignatureDefT()
    definition.signatureKey, definition.subgraphIndex = SIGNATURE_KEY, 0
    names = [node.name for node in graph.inputs]
    definition.inputs = _tensor_maps(schema, names, main.inputs)
    definition.outputs = _tensor_maps(schema, list(graph.outputs), main.outputs)
    for tensor_map in definition.outputs:
        if tensor_map.tensorIndex not in main.inputs:
            main.tensors[tensor_map.tensorIndex].name = tensor_map.name
    tree.signatureDefs = [definition]


def _tensor_maps(schema: Any, names: Sequence[str], tensors: Sequence[int]) -> list[Any]:
    maps = []
    for name, index in zip(names, tensors, strict=True):
        tensor_map = schema.TensorMapT()
        tensor_map.name, tensor_map.tensorIndex = name, int(index)
        maps.append(tensor_map)
    return maps


def describe_inputs(graph: Graph) -> list[TensorMetadata]:
    """Return the metadata of the inputs."""
    return [
        TensorMetadata(name=node.name, description=_INPUT_DESCRIPTIONS.get(node.name, str(node.types[0])))
        for node in graph.inputs
    ]


def describe_outputs(graph: Graph) -> list[TensorMetadata]:
    """Return the metadata of the outputs; labels belong to the probabilities or a detector's classes."""
    detector = graph.signature.kind is ModelKind.DETECTOR
    labels = AssociatedFile(
        name=LABELS_FILE, description="The classes.", kind=VALUE_LABELS if detector else AXIS_LABELS
    )
    labelled = ("classes" if detector else next(iter(graph.outputs))) if graph.signature.classes else None
    return [
        TensorMetadata(name=name, description=str(value.type), files=(labels,) if name == labelled else ())
        for name, value in graph.outputs.items()
    ]


def build_model_metadata(graph: Graph) -> bytes:
    """Return the `ModelMetadata` flatbuffer. The numbers of fields are those of TFLite's metadata schema."""
    builder = import_flatbuffers().Builder(1024)

    def text(value: str) -> int:
        return int(builder.CreateString(value))

    def vector(offsets: Sequence[int]) -> int:
        builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        return int(builder.EndVector())

    def table(offsets: Mapping[int, int], kind: tuple[int, int] | None = None) -> int:
        builder.StartObject(max(offsets) + 1)
        for slot, offset in offsets.items():
            builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
        if kind is not None:
            builder.PrependInt8Slot(*kind, 0)
        return int(builder.EndObject())

    def associated_files(files: Sequence[AssociatedFile]) -> int:
        return vector(
            [table({0: text(f.name), 1: text(f.description), 3: text("")}, (2, f.kind)) for f in files]
        )

    def tensors(described: Sequence[TensorMetadata]) -> int:
        return vector(
            [
                table({0: text(t.name), 1: text(t.description), 6: associated_files(t.files)})
                for t in described
            ]
        )

    subgraph = table({2: tensors(describe_inputs(graph)), 3: tensors(describe_outputs(graph))})
    root = table(
        {
            0: text(graph.signature.name),
            1: text(graph.signature.description),
            3: vector([subgraph]),
            6: associated_files([_SIGNATURE]),
            7: text(PARSER_VERSION),
        }
    )
    builder.Finish(root, file_identifier=METADATA_IDENTIFIER)
    return bytes(builder.Output())


def _one_line(label: str) -> str:
    """Return a class as a line of the label file."""
    return " ".join(label.splitlines())
