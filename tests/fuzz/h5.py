"""Weights as HDF5, read for the document that they belong to."""

from __future__ import annotations

from pathlib import Path
from random import Random

from support.documents import FEATURES, dense, image, network, normalization

import sensenet
from fuzz.formats import Case
from fuzz.mutators import mutate_bytes
from sensenet.backends.keras.h5 import load_weights
from sensenet.frontend import import_graph

NAME, DOCUMENT = "case.h5", "document"

DOCUMENTS = (network([dense(FEATURES, 3), normalization(3), dense(3, 2, "softmax")]), image())


def seeds() -> list[Case]:
    return [
        {NAME: bytes(sensenet.compile(each, "h5")), DOCUMENT: str(number).encode()}
        for number, each in enumerate(DOCUMENTS)
    ]


def mutate(case: Case, random: Random) -> Case:
    return {**case, NAME: mutate_bytes(case[NAME], random)}


def open(folder: Path) -> None:
    graph = import_graph(DOCUMENTS[int((folder / DOCUMENT).read_text())])
    load_weights(graph, folder / NAME)
