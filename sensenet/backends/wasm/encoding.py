"""The pieces of a WebAssembly binary: whole numbers, names, vectors and sections.

Source: WebAssembly specification, release 2.0, chapter 5 (binary format).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import define

from sensenet.backends.wasm.names import HEAD
from sensenet.errors import ArtifactError
from sensenet.records import frozen

MAGIC = HEAD + b"\1\0\0\0"
"""The first bytes of a module, and version 1 of the format."""


def unsigned(value: int) -> bytes:
    """Return a whole number as LEB128: seven bits a byte, the lowest first."""
    result = bytearray()
    while value >= 0x80:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*result, value])


def signed(value: int) -> bytes:
    """Return a whole number as signed LEB128, as constants in code are written."""
    result = bytearray()
    while not -0x40 <= value < 0x40:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*result, value & 0x7F])


def padded(value: int) -> bytes:
    """Return a whole number as LEB128 of five bytes: what an object reserves for a number of 32 bits."""
    return bytes([*(value >> shift & 0x7F | 0x80 for shift in (0, 7, 14, 21)), value >> 28])


def name(text: str) -> bytes:
    """Return a text with its length before it."""
    encoded = text.encode()
    return unsigned(len(encoded)) + encoded


def vector(entries: Sequence[bytes]) -> bytes:
    """Return entries with their number before them."""
    return unsigned(len(entries)) + b"".join(entries)


def section(number: int, content: bytes) -> bytes:
    """Return a section: its number, its length, its content."""
    return bytes([number]) + unsigned(len(content)) + content


@frozen(eq=False)
class Section:
    """A section that was read; `name` is that of a custom one, whose number is 0."""

    number: int
    name: str
    content: bytes


@define
class Reader:
    """Reads pieces from the start of some bytes; raises ArtifactError where they end early."""

    data: bytes
    position: int = 0

    @property
    def ends(self) -> bool:
        return self.position >= len(self.data)

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        part = self.data[self.position : self.position + size]
        if len(part) < size:
            raise ArtifactError(f"the WebAssembly ends at byte {len(self.data)}, in the middle of something")
        self.position += size
        return part

    def byte(self) -> int:
        return self.take(1)[0]

    def unsigned(self) -> int:
        result = shift = 0
        while True:
            byte = self.byte()
            result |= (byte & 0x7F) << shift
            if byte < 0x80:
                return result
            shift += 7

    def name(self) -> str:
        return self.take(self.unsigned()).decode()


def read_sections(data: bytes) -> Iterator[Section]:
    """Yield the sections of a module or object."""
    reader = Reader(data)
    if reader.take(len(MAGIC)) != MAGIC:
        raise ArtifactError("this is not WebAssembly of version 1")
    while not reader.ends:
        number = reader.byte()
        inner = Reader(reader.take(reader.unsigned()))
        title = inner.name() if number == CUSTOM else ""
        yield Section(number, title, inner.data[inner.position :])


CUSTOM, TYPE, IMPORT, FUNCTION, MEMORY, EXPORT, CODE, DATA = 0, 1, 2, 3, 5, 7, 10, 11
"""The numbers of sections."""

FUNCTION_KIND, MEMORY_KIND = 0, 2
"""The kinds of imports and exports."""
