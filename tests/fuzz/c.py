"""The target c: what begins as a header is refused as one, and anything else as what it is."""

from __future__ import annotations

from pathlib import Path
from random import Random

from support.documents import typed

import sensenet
from fuzz.formats import Case
from fuzz.mutators import mutate_bytes, mutate_text
from fuzz.refusing import require_refusal
from sensenet.backends.c.names import HEAD

NAME = "case.h"


def seeds() -> list[Case]:
    return [{NAME: bytes(sensenet.compile(typed(), "c"))}]


def mutate(case: Case, random: Random) -> Case:
    content = case[NAME]
    if random.random() < 0.5:
        return {NAME: mutate_bytes(content[: len(HEAD)], random) + content[len(HEAD) :]}
    return {NAME: mutate_text(content.decode("utf-8", "replace"), random).encode("utf-8", "replace")}


def open(folder: Path) -> None:
    path = folder / NAME
    require_refusal(path, "is C code" if path.read_bytes().startswith(HEAD.encode()) else None)
