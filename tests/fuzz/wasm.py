"""The target wasm: what begins as a module is refused as one, and anything else as what it is."""

from __future__ import annotations

from pathlib import Path
from random import Random

from support.documents import typed

import sensenet
from fuzz.formats import Case
from fuzz.mutators import mutate_bytes
from fuzz.refusing import require_refusal
from sensenet.backends.wasm.names import HEAD, MODULE_FILE

NAME = "case"
MODULE = f"{NAME}/{MODULE_FILE}"


def seeds() -> list[Case]:
    files = sensenet.compile(typed(), "wasm").files
    return [{f"{NAME}/{name}": content for name, content in files.items()}]


def mutate(case: Case, random: Random) -> Case:
    content = case[MODULE]
    if random.random() < 0.5:
        return {**case, MODULE: mutate_bytes(content[: len(HEAD)], random) + content[len(HEAD) :]}
    return {**case, MODULE: mutate_bytes(content, random)}


def open(folder: Path) -> None:
    expected = "is WebAssembly" if (folder / MODULE).read_bytes().startswith(HEAD) else None
    for path in (folder / NAME, folder / MODULE):
        require_refusal(path, expected)
