"""The target savedmodel: the graph that it keeps, and the functions that TensorFlow runs."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
from support.documents import FEATURES, dense, network

import sensenet
from fuzz.calling import open_and_call
from fuzz.formats import Case
from fuzz.mutators import mutate_bytes
from sensenet.models.wrappers import create_model

NAME = "case"


def seeds() -> list[Case]:
    document = network([dense(FEATURES, 3, "relu"), dense(3, 2, "softmax")])
    files = sensenet.compile(document, "savedmodel").files
    return [{f"{NAME}/{name}": content for name, content in files.items()}]


def mutate(case: Case, random: Random) -> Case:
    name = random.choice(sorted(case))
    if random.randrange(2):
        name = f"{NAME}/saved_model.pb"
    return {**case, name: mutate_bytes(case[name], random)}


def open(folder: Path) -> None:
    try:
        open_and_call(folder / NAME)
    finally:
        create_model(folder / NAME, engine="savedmodel")(np.ones((2, 3)))
