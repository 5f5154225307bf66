"""The target smbundle: the files of a SavedModel in one, those of the published package too."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from support.documents import FEATURES, dense, network

import sensenet
from fuzz.calling import open_and_call
from fuzz.formats import Case
from fuzz.mutators import mutate_bytes, mutate_json
from sensenet.backends.formats.smbundle import pack, unpack
from sensenet.backends.optional import import_tensorflow
from sensenet.backends.savedmodel.checking import parse_saved_model
from sensenet.backends.savedmodel.files import read_directory
from sensenet.backends.savedmodel.graphs import MODEL_FILE
from sensenet.backends.savedmodel.published import SERVING, SETTINGS_FILE
from sensenet.models.wrappers import create_model

NAME = "case.smbundle"
SETTINGS = {
    "_preprocessors": [{"type": "numeric", "index": 0, "mean": 0.5, "stdev": 2.0}],
    "_classes": None,
    "deepnet_type": "Deepnet",
}


def seeds() -> list[Case]:
    document = network([dense(FEATURES, 3, "relu"), dense(3, 2, "softmax")])
    return [{NAME: bytes(sensenet.compile(document, "smbundle"))}, {NAME: pack(_published())}]


def _published() -> dict[str, bytes]:
    """The files of a model of one column as the published package writes them, with a loop."""
    tf = import_tensorflow("fuzzing")

    def answer(numeric_inputs: Any) -> dict[str, Any]:
        doubled = tf.while_loop(
            lambda x: tf.reduce_any(tf.abs(x) < 8.0), lambda x: (x * 2.0,), (numeric_inputs + 0.25,)
        )
        return {"predictions": tf.sigmoid(doubled[0])}

    module = tf.Module()
    spec = tf.TensorSpec([None, 1], tf.float32, "numeric_inputs")
    module.answer = tf.function(answer, input_signature=[spec], autograph=False)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        tf.saved_model.save(module, folder, {SERVING: module.answer.get_concrete_function()})
        return {**read_directory(Path(folder)), SETTINGS_FILE: json.dumps(SETTINGS).encode()}


def mutate(case: Case, random: Random) -> Case:
    content = case[NAME]
    if not random.randrange(6):
        return {NAME: mutate_bytes(content, random)}
    files = unpack(content)
    name = random.choice((MODEL_FILE, MODEL_FILE, MODEL_FILE, *sorted(files)))
    if name == MODEL_FILE and SETTINGS_FILE in files and random.randrange(4):
        files[name] = mutate_message(files[name], random)
    elif name.endswith(".json") and random.randrange(4):
        files[name] = json.dumps(mutate_json(json.loads(files[name]), random)).encode()
    else:
        files[name] = mutate_bytes(files[name], random)
    return {NAME: pack(files)}


def mutate_message(content: bytes, random: Random) -> bytes:
    """A SavedModel with one to three lines of its text form exchanged; damaged bytes if that never parses."""
    from google.protobuf import text_format

    model = parse_saved_model(content, NAME)
    lines = text_format.MessageToString(model).split("\n")
    for _ in range(5):
        changed = list(lines)
        for _ in range(random.randint(1, 3)):
            mutate_line(changed, random)
        try:
            return bytes(text_format.Parse("\n".join(changed), type(model)()).SerializeToString())
        except text_format.ParseError:
            continue
    return mutate_bytes(content, random)


def mutate_line(lines: list[str], random: Random) -> None:
    """One line dropped, or with the value of another of the same field, or another number."""
    at = random.choice([number for number, line in enumerate(lines) if ": " in line])
    field, _, _ = lines[at].partition(": ")
    others = [line for line in lines if line.strip().startswith(f"{field.strip()}: ")]
    match random.randrange(5):
        case 0:
            del lines[at]
        case 1:
            numbers = ("0", "1", "-1", "2", "7", "64", "100000", "2147483647")
            lines[at] = re.sub(r"(?<=: )-?\d+$", random.choice(numbers), lines[at])
        case _:
            lines[at] = random.choice(others)


def open(folder: Path) -> None:
    try:
        open_and_call(folder / NAME)
    finally:
        model = create_model(folder / NAME, engine="smbundle")
        width = max((max(c.index + 1, -c.index) for c in model.signature.columns), default=0)
        model(np.ones((2, min(width, 10_000))))
