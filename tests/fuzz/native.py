"""The target native: what begins as its files, or as an object file, is refused as one; all else as it is."""

from __future__ import annotations

from pathlib import Path
from random import Random

from support.documents import typed

import sensenet
from fuzz.formats import Case
from fuzz.mutators import mutate_bytes
from fuzz.refusing import require_refusal
from sensenet.backends.native.names import describe_file

EMITTED = ("object", "assembly", "llvm", "source")

BEGINNING = 64
"""The bytes of a file by which it is known."""


def seeds() -> list[Case]:
    return [dict(sensenet.compile(typed(), "native", emit=emit).files) for emit in EMITTED]


def mutate(case: Case, random: Random) -> Case:
    changed = random.choice([*case])
    content = case[changed]
    if random.random() < 0.5:
        return {**case, changed: mutate_bytes(content[:BEGINNING], random) + content[BEGINNING:]}
    return {**case, changed: mutate_bytes(content, random)}


def open(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        kind = describe_file(path.read_bytes())
        require_refusal(path, kind and f"is {kind}, which compilers and linkers read")
