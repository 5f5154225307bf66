"""The target web: what begins as a page of it is refused as one, and anything else as what it is."""

from __future__ import annotations

from pathlib import Path
from random import Random

from support.documents import typed

import sensenet
from fuzz.formats import Case
from fuzz.mutators import mutate_bytes
from fuzz.refusing import require_refusal
from sensenet.backends.web.names import MARK, PAGE_FILE

NAME = "case"
PAGE = f"{NAME}/{PAGE_FILE}"


def seeds() -> list[Case]:
    files = sensenet.compile(typed(), "web").files
    return [{f"{NAME}/{name}": content for name, content in files.items()}]


def mutate(case: Case, random: Random) -> Case:
    content = case[PAGE]
    if random.random() < 0.5:
        return {**case, PAGE: mutate_bytes(content[: len(MARK)], random) + content[len(MARK) :]}
    return {**case, PAGE: mutate_bytes(content, random)}


def open(folder: Path) -> None:
    expected = "is a page" if (folder / PAGE).read_bytes().startswith(MARK) else None
    for path in (folder / NAME, folder / PAGE):
        require_refusal(path, expected)
