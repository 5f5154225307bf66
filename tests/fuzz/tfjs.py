"""The target tfjs: the graph that it keeps, and the topology, as JSON, which TensorFlow runs."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from random import Random

from support.documents import FEATURES, dense, detector, network

import sensenet
from fuzz.calling import open_and_call
from fuzz.formats import Case
from fuzz.mutators import mutate_bytes, mutate_json
from sensenet.backends import get_target
from sensenet.errors import SensenetError

NAME = "case"
MODEL = f"{NAME}/model.json"
PARTS = ("modelTopology", "modelTopology", "weightsManifest", "signature", "userDefinedMetadata")


def seeds() -> list[Case]:
    documents = [network([dense(FEATURES, 3, "relu"), dense(3, 2, "softmax")]), detector()]
    artifacts = [sensenet.compile(each, "tfjs") for each in documents]
    for each in artifacts:
        get_target("tfjs").load(each)  # TensorFlow takes memory when it is imported
    return [{f"{NAME}/{name}": content for name, content in each.files.items()} for each in artifacts]


def mutate(case: Case, random: Random) -> Case:
    model = json.loads(case[MODEL])
    match random.randrange(8):
        case 0:
            return {**case, MODEL: mutate_bytes(case[MODEL], random)}
        case 1:
            name = random.choice(sorted(case.keys() - {MODEL}))
            return {**case, name: mutate_bytes(case[name], random)}
        case 2:
            model = mutate_json(model, random)
        case _:
            part = random.choice(PARTS)
            model[part] = mutate_json(model[part], random)
    return {**case, MODEL: json.dumps(model).encode()}


def open(folder: Path) -> None:
    with contextlib.suppress(SensenetError):
        open_and_call(folder / NAME)
    open_and_call(folder / NAME, engine="tfjs")
