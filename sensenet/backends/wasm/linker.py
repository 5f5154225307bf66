"""Links one object of LLVM as a WebAssembly module.

An object is a module whose memory is imported, with two custom sections: `linking` has the symbols, and
`reloc.CODE` the places in the code that depend on where things are. Objects of rows have functions alone: no
data, no globals, no table, no functions of others. So the only relocation is the number of a called function,
and linking is

    object: type, import, function, code, linking, reloc.CODE
becomes
    module: description, type, function, memory, export, code, data

Anything else in an object is an error, because a module without it would compute something else.
Source: the conventions of WebAssembly/tool-conventions, Linking.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sensenet.backends.wasm import encoding
from sensenet.backends.wasm.encoding import Reader, padded, read_sections, section, unsigned, vector
from sensenet.errors import ArtifactError
from sensenet.records import frozen

PAGE = 65_536
"""Bytes of a page of memory."""

LINKING, RELOCATIONS = "linking", "reloc.CODE"
LINKING_VERSION = 2
SYMBOL_TABLE = 8
FUNCTION_SYMBOL, SECTION_SYMBOL = 0, 3
UNDEFINED, EXPLICIT_NAME = 0x10, 0x40

FUNCTION_INDEX = 0
"""R_WASM_FUNCTION_INDEX_LEB: the number of a function, as LEB128 of five bytes."""

KEPT = (encoding.TYPE, encoding.FUNCTION, encoding.CODE)
IGNORED = ("producers", "target_features")


@frozen(kw_only=True)
class Symbol:
    """A function of an object: its name, and its number; `defined` is whether it is there."""

    name: str
    function: int
    defined: bool


@frozen(kw_only=True, eq=False)
class ModuleLayout:
    """What a module has besides code: bytes of memory, what is in it at `start`, exports, a description.

    `exports` are names of functions of the object; the memory is exported as `memory`. `description` is the
    name and the content of a custom section.
    """

    memory: int
    start: int
    data: bytes
    exports: Sequence[str]
    description: tuple[str, bytes]


def link(data: bytes, layout: ModuleLayout) -> bytes:
    """Return the module of an object; raise ArtifactError for one that needs more than this linker does."""
    sections = {}
    for each in read_sections(data):
        key = each.name or each.number
        _require(key in (*KEPT, encoding.IMPORT, LINKING, RELOCATIONS, *IGNORED), f"the section {key}")
        sections[key] = each.content
    for needed in (*KEPT, LINKING):
        if needed not in sections:
            raise ArtifactError(f"the object of WebAssembly has no section {needed}")
    _check_imports(sections.get(encoding.IMPORT, b"\0"))
    symbols = _read_symbols(sections[LINKING])
    numbers = {symbol.name: symbol.function for symbol in symbols.values()}
    pages = -(-layout.memory // PAGE)
    exports = [encoding.name("memory") + bytes([encoding.MEMORY_KIND, 0])]
    for exported in layout.exports:
        exports.append(
            encoding.name(exported) + bytes([encoding.FUNCTION_KIND]) + unsigned(numbers[exported])
        )
    title, description = layout.description
    parts = [
        encoding.MAGIC,
        section(encoding.CUSTOM, encoding.name(title) + description),
        section(encoding.TYPE, sections[encoding.TYPE]),
        section(encoding.FUNCTION, sections[encoding.FUNCTION]),
        section(encoding.MEMORY, vector([b"\1" + unsigned(pages) + unsigned(pages)])),
        section(encoding.EXPORT, vector(exports)),
        section(encoding.CODE, _relocate(sections, symbols)),
    ]
    if layout.data:
        parts.append(section(encoding.DATA, vector([_data_segment(layout)])))
    return b"".join(parts)


def _data_segment(layout: ModuleLayout) -> bytes:
    """Return a segment that is copied into memory at the start: i32.const start, end, bytes."""
    place = b"\x41" + encoding.signed(layout.start) + b"\x0b"
    return b"\0" + place + unsigned(len(layout.data)) + layout.data


def _require(allowed: bool, what: str) -> None:
    if not allowed:
        raise ArtifactError(f"{what} of an object of WebAssembly cannot be linked: please report it")


def _check_imports(content: bytes) -> None:
    """Require that nothing but the memory is imported."""
    reader = Reader(content)
    for _ in range(reader.unsigned()):
        source, name, kind = reader.name(), reader.name(), reader.byte()
        _require(kind == encoding.MEMORY_KIND, f"the import {source}.{name}")
        if reader.byte() & 1:  # whether there is a largest size
            reader.unsigned()
        reader.unsigned()


def _read_symbols(content: bytes) -> Mapping[int, Symbol]:
    """Return the functions of the symbol table, by position in it."""
    reader = Reader(content)
    version = reader.unsigned()
    _require(version == LINKING_VERSION, f"version {version} of the section linking")
    found: dict[int, Symbol] = {}
    while not reader.ends:
        kind = reader.byte()
        part = Reader(reader.take(reader.unsigned()))
        _require(kind == SYMBOL_TABLE, f"part {kind} of the section linking")
        for position in range(part.unsigned()):
            symbol = _read_symbol(part)
            if symbol is not None:
                found[position] = symbol
    return found


def _read_symbol(reader: Reader) -> Symbol | None:
    """Return the next symbol if it is a function, None if it is a section."""
    kind, flags = reader.byte(), reader.unsigned()
    _require(kind in (FUNCTION_SYMBOL, SECTION_SYMBOL), f"a symbol of kind {kind}")
    number = reader.unsigned()
    if kind == SECTION_SYMBOL:
        return None
    defined = not flags & UNDEFINED
    name = reader.name() if defined or flags & EXPLICIT_NAME else f"function {number}"
    return Symbol(name=name, function=number, defined=defined)


def _relocate(sections: Mapping[int | str, bytes], symbols: Mapping[int, Symbol]) -> bytes:
    """Return the code with the numbers of the functions that it calls."""
    code = bytearray(sections[encoding.CODE])
    reader = Reader(sections.get(RELOCATIONS, b"\0\0"))
    reader.unsigned()  # the position of the section of code, of which there is one
    for _ in range(reader.unsigned()):
        kind = reader.byte()
        _require(kind == FUNCTION_INDEX, f"relocation {kind}")
        offset, symbol = reader.unsigned(), symbols.get(reader.unsigned())
        if symbol is None or not symbol.defined:
            raise ArtifactError(f"the code calls {symbol.name if symbol else 'a function'}, which it lacks")
        number = padded(symbol.function)
        if offset + len(number) > len(code):
            raise ArtifactError(f"a relocation is at byte {offset} of {len(code)} of code")
        code[offset : offset + len(number)] = number
    return bytes(code)
