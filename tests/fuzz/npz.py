"""The target numpy: one archive with the graph's text and its weights."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from pathlib import Path
from random import Random

import numpy as np

from fuzz.calling import open_and_call
from fuzz.formats import Case
from fuzz.graphs import Arrays, mutate_graph, seed_graphs
from fuzz.mutators import mutate_bytes, mutate_text
from sensenet.backends.formats.npz import write_npz
from sensenet.backends.interpreter.numpy import GRAPH_MEMBER

NAME = "case.npz"

HEADERS = (
    "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (3,), }",
    "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1" + "0" * 400 + ",), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
    "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': " + "(" * 3000 + ")" * 3000 + ", }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "-" * 20000 + "1,), }",
    "{'descr': '<U1000000000', 'fortran_order': False, 'shape': (0,), }",
    "'''",
)


def seeds() -> list[Case]:
    return [{NAME: _write(text, arrays)} for text, arrays in seed_graphs()]


def mutate(case: Case, random: Random) -> Case:
    content = case[NAME]
    match random.randrange(4):
        case 0:
            content = mutate_bytes(content, random)
        case 1:
            content = mutate_members(content, random)
        case 2:
            content = mutate_directory(mutate_members(content, random), random)
        case _:
            arrays = read_arrays(content)
            text = arrays.pop(GRAPH_MEMBER).tobytes().decode()
            content = _write(*mutate_graph(text, arrays, random))
    return {NAME: content}


def open(folder: Path) -> None:
    open_and_call(folder / NAME)


def _write(text: str, arrays: Arrays) -> bytes:
    encoded = np.frombuffer(text.encode("utf-8", "replace"), np.uint8)
    return write_npz({GRAPH_MEMBER: encoded, **arrays})


def read_arrays(content: bytes) -> Arrays:
    with np.load(io.BytesIO(content)) as arrays:
        return dict(arrays)


def mutate_members(content: bytes, random: Random) -> bytes:
    """The archive with other members, packed anew with right checksums."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    at = random.randrange(len(members))
    name, member = members[at]
    match random.randrange(7):
        case 0:
            del members[at]
        case 1:
            members.append((name, random.choice(members)[1]))
        case 2:
            members[at] = (random.choice(("", "graph", "../x", "a/b.npy", "ü.npy", "graph.npy")), member)
        case 3:
            members[at] = (name, mutate_bytes(member, random))
        case 4:
            members[at] = (name, with_header(random.choice(HEADERS), member, random))
        case 5:
            header = member[10:128].decode("latin-1")
            members[at] = (name, with_header(mutate_text(header, random), member, random))
        case 6:
            members.append(("zeros.npy", bytes(random.choice((1, 1000, 1 << 20, 1 << 20, 40 << 20)))))
    stream = io.BytesIO()
    method = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, member in members:
            archive.writestr(zipfile.ZipInfo(name), member, method)
    return stream.getvalue()


def with_header(header: str, member: bytes, random: Random) -> bytes:
    """An array with that header."""
    text = header.encode("utf-8", "replace") + b"\n"
    version = random.choice((1, 1, 2, 3, 9))
    length = struct.pack("<H" if version == 1 else "<I", min(len(text), 65535 if version == 1 else 1 << 30))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + member[128:]


def mutate_directory(content: bytes, random: Random) -> bytes:
    """The archive with other bytes in a header of a member, the directory, or the directory's end."""
    changed = bytearray(content)
    mark = random.choice((b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"))
    starts = [match.start() for match in re.finditer(re.escape(mark), content)]
    if starts:
        at = random.choice(starts) + random.randrange(4, 46)
        changed[at : at + 1] = bytes([random.choice((0, 1, 8, 9, 12, 20, 45, 51, 63, 0x7F, 0x80, 0xFF))])
    return bytes(changed)
