"""BigML documents as JSON text, plain or compressed."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from random import Random

from support.documents import DOCUMENTS

from fuzz.calling import open_and_call
from fuzz.formats import Case
from fuzz.mutators import mutate_bytes, mutate_json

NAME = "case.json"


def seeds() -> list[Case]:
    return [{NAME: json.dumps(DOCUMENTS[kind]()).encode()} for kind in sorted(DOCUMENTS)]


def mutate(case: Case, random: Random) -> Case:
    text = case[NAME]
    if random.randrange(4):
        text = json.dumps(mutate_json(json.loads(text), random)).encode()
    if not random.randrange(4):
        text = mutate_bytes(text, random)
    if not random.randrange(8):
        text = gzip.compress(text, mtime=0)
        text = mutate_bytes(text, random) if random.randrange(2) else text
    return {NAME: text}


def open(folder: Path) -> None:
    open_and_call(folder / NAME)
