"""The target keras: an archive with a configuration and the weights as HDF5."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from random import Random

from support.documents import FEATURES, dense, network, normalization, typed

import sensenet
from fuzz.calling import open_and_call
from fuzz.formats import Case
from fuzz.mutators import mutate_bytes, mutate_json

NAME = "case.keras"
CONFIGURATION, VERSIONS, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"


def seeds() -> list[Case]:
    documents = [network([dense(FEATURES, 3, "mish"), normalization(3), dense(3, 2, "softmax")]), typed()]
    return [{NAME: bytes(sensenet.compile(each, "keras", optimize=0))} for each in documents]


def mutate(case: Case, random: Random) -> Case:
    with zipfile.ZipFile(io.BytesIO(case[NAME])) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    match random.randrange(8):
        case 0:
            return {NAME: mutate_bytes(case[NAME], random)}
        case 1 | 2 | 3:
            changed = mutate_json(json.loads(members[CONFIGURATION]), random)
            members[CONFIGURATION] = json.dumps(changed).encode()
        case 4:
            members[VERSIONS] = mutate_bytes(members[VERSIONS], random)
        case _:
            members[WEIGHTS] = mutate_bytes(members[WEIGHTS], random)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return {NAME: stream.getvalue()}


def open(folder: Path) -> None:
    open_and_call(folder / NAME)
