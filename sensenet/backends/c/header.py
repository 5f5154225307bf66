"""Writes the header of a network, and finds the flatbuffer in one."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterator

from sensenet.backends.c.arena import Arena, find_arena
from sensenet.backends.c.names import HEAD
from sensenet.backends.c.operators import resolver_methods
from sensenet.backends.c_code.declarations import write_declarations
from sensenet.backends.c_code.literals import comment_on
from sensenet.backends.tflite import TfliteOptions, make_tree
from sensenet.backends.tflite.flatbuffer import pack
from sensenet.backends.tflite.metadata import add_signature
from sensenet.errors import SettingsError
from sensenet.ir.graph import Graph
from sensenet.ir.types import DType, TensorType
from sensenet.limits import require_memory
from sensenet.signature import NUMERIC_INPUT, PIXEL_INPUT, ModelKind, Signature

BYTES_OF_A_BYTE = 16
"""More than a byte of the flatbuffer takes as text, and as numbers and texts before these are joined."""

BYTES_OF_A_LINE = 24

START, END = "_tflite[] = {", "};"
"""What is around the bytes of the flatbuffer."""

ALIGNMENT = """\
#if defined(__cplusplus)
#define {upper}_ALIGNED alignas(16)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define {upper}_ALIGNED _Alignas(16)
#elif defined(__GNUC__)
#define {upper}_ALIGNED __attribute__((aligned(16)))
#else
#error "the network must be aligned to 16 bytes: use C11, C++ or GNU C"
#endif
"""

RESOLVER = """\
#ifdef __cplusplus
extern "C++" {{
/* Adds the operators to a tflite::MicroMutableOpResolver<{upper}_OPERATORS>; returns whether it took all. */
template <typename Resolver>
inline bool {prefix}_add_operators(Resolver &resolver) {{
  return {calls};
}}
}}
#endif
"""


def write_header(graph: Graph, options: TfliteOptions, prefix: str) -> bytes:
    """Return the header of a graph, whose names begin with `prefix`; raises as the target's `build` does."""
    _require_expressible(graph)
    tree = make_tree(graph, options)
    methods = resolver_methods(tree)
    add_signature(tree, graph)
    content = bytes(pack(tree))
    require_memory(BYTES_OF_A_BYTE * len(content), "a header of the network")
    return "\n".join(_write(graph, prefix, methods, content, find_arena(tree, content))).encode("ascii")


def read_model(header: bytes) -> bytes:
    """Return the flatbuffer of a header that was just made."""
    text = header.decode("ascii")
    start = text.rindex(START) + len(START)
    return bytes(map(int, re.findall(r"\d+", text[start : text.index(END, start)])))


def _require_expressible(graph: Graph) -> None:
    """Raise SettingsError for a network that a header cannot hold."""
    signature, types = graph.signature, {node.name: node.types[0] for node in graph.inputs}
    if signature.kind is ModelKind.DETECTOR:
        raise SettingsError("TensorFlow Lite Micro lacks operators that find boxes: use -t tflite and LiteRT")
    if not signature.columns:
        raise SettingsError(
            "the target c needs the columns of a document, which this graph lacks: use -t tflite"
        )
    if None in types.get(PIXEL_INPUT, TensorType(DType.FLOAT32, ())).shape:
        raise SettingsError(
            "the target c takes images of one size: give it as the option image_size=HEIGHTxWIDTH, such as "
            f"the network's own{_own_size(signature)}"
        )


def _own_size(signature: Signature) -> str:
    image = signature.image
    return f", {image.height}x{image.width}" if image is not None and image.size_known else ""


def _interface(graph: Graph, prefix: str) -> Iterator[str]:
    """Yield the sizes of inputs and outputs."""
    (answer,) = graph.outputs.values()
    rows, *outputs = (size or 1 for size in answer.type.shape)
    upper = prefix.upper()
    yield f"#define {upper}_ROWS {rows} /* in a call */"
    for place, node in enumerate(graph.inputs):
        _, *sizes = (size or 1 for size in node.types[0].shape)
        if node.name == PIXEL_INPUT:
            height, width, channels = sizes[-3:]
            yield f"#define {upper}_PIXEL_INPUT {place} /* its position among the inputs */"
            yield f"#define {upper}_PIXELS {math.prod(sizes)} /* float32 from 0 to 255, of a row: */"
            yield f"#define {upper}_IMAGES {math.prod(sizes[:-3])} /* one after the other, each */"
            yield f"#define {upper}_HEIGHT {height} /* lines of */"
            yield f"#define {upper}_WIDTH {width} /* pixels of */"
            yield f"#define {upper}_CHANNELS {channels} /* numbers: red, green, blue, maybe alpha */"
        else:
            yield f"#define {upper}_NUMERIC_INPUT {place} /* its position among the inputs */"
            yield f"#define {upper}_INPUTS {math.prod(sizes)} /* float32: what {prefix}_encode writes */"
    yield f"#define {upper}_OUTPUTS {math.prod(outputs)} /* float32, of a row */"


def _write(graph: Graph, prefix: str, methods: list[str], content: bytes, arena: Arena) -> Iterator[str]:
    signature = graph.signature
    upper = prefix.upper()
    guard = f"SENSENET_{upper}_{zlib.crc32(content):08X}_H"
    encodes = NUMERIC_INPUT in {node.name for node in graph.inputs}
    yield f"{HEAD}\n   The network {comment_on(signature.name)}. Include this in one file of C99 or C++11. */"
    yield f"#ifndef {guard}\n#define {guard}\n"
    yield "#include <stddef.h>\n#include <stdint.h>\n#include <string.h>\n"
    yield from _interface(graph, prefix)
    yield f"#define {upper}_OPERATORS {len(methods)} /* kinds of operators */"
    yield f"#define {upper}_TFLITE_SIZE {len(content)} /* bytes of {prefix}_tflite */"
    yield f"/* Bytes of the arena, aligned to 16: {arena.origin}. */"
    yield f"#define {upper}_ARENA_SIZE {arena.size}\n"
    yield from write_declarations(signature, prefix, encodes=encodes)
    yield ALIGNMENT.format(upper=upper)
    yield f"{upper}_ALIGNED static const unsigned char {prefix}{START}\n{_digits(content)}{END}\n"
    calls = " &&\n         ".join(f"static_cast<int>(resolver.{method}()) == 0" for method in methods)
    yield RESOLVER.format(upper=upper, prefix=prefix, calls=calls or "true")
    yield "#endif\n"


def _digits(content: bytes) -> str:
    lines = (content[start : start + BYTES_OF_A_LINE] for start in range(0, len(content), BYTES_OF_A_LINE))
    return "".join(f"{','.join(map(str, line))},\n" for line in lines)
