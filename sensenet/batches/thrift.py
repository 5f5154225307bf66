"""Reads Thrift's compact protocol, in which Parquet files have their metadata and page headers."""

from __future__ import annotations

from typing import Any

DEEPEST = 20
"""The most structures and lists within one another; metadata needs nine."""

Structure = dict[int, Any]
"""Values by the numbers of fields: integers, bytes, booleans, structures, and lists of these."""


class CompactReader:
    """Reads values one after another; raises IndexError if the content ends before, ValueError if it is
    damaged."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.position = 0

    def structure(self, depth: int = 0) -> Structure:
        """Return the next structure."""
        if depth > DEEPEST:
            raise ValueError("too many structures within one another")
        fields: Structure = {}
        number = 0
        while byte := self._byte():
            kind = byte & 15
            number = number + (byte >> 4) if byte >> 4 else self._integer()
            fields[number] = kind == 1 if kind in (1, 2) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        match kind:
            case 4 | 5 | 6:
                return self._integer()
            case 8:
                return self._bytes(self._unsigned())
            case 12:
                return self.structure(depth + 1)
            case 9 | 10:
                return self._list(depth + 1)
            case 1 | 2 | 3:  # in a list, booleans are bytes
                return self._byte()
            case 7:
                return self._bytes(8)
        raise ValueError(f"unknown type {kind}")

    def _list(self, depth: int) -> list[Any]:
        if depth > DEEPEST:
            raise ValueError("too many lists within one another")
        byte = self._byte()
        count = byte >> 4 if byte >> 4 < 15 else self._unsigned()
        return [self._value(byte & 15, depth) for _ in range(count)]

    def _bytes(self, length: int) -> bytes:
        start = self.position
        self.position += length
        if self.position > len(self.content):
            raise IndexError("the content ends within a value")
        return self.content[start : self.position]

    def _byte(self) -> int:
        byte = self.content[self.position]
        self.position += 1
        return byte

    def _unsigned(self) -> int:
        byte = self._byte()
        if byte < 128:
            return byte
        number, shift = byte & 127, 7
        while shift < 70:
            byte = self._byte()
            number |= (byte & 127) << shift
            if byte < 128:
                return number
            shift += 7
        raise ValueError("an integer is too long")

    def _integer(self) -> int:
        number = self._unsigned()
        return (number >> 1) ^ -(number & 1)
