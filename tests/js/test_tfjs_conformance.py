"""The recorded cases of the published package, compiled for tfjs and predicted in Node."""

from __future__ import annotations

import pytest
from support.conformance import check_record, may_be_refused, recorded_cases
from support.javascript import Node, open_in_node

import sensenet
from sensenet.errors import SensenetError
from sensenet.models.deepnet import make_model
from sensenet.settings import Settings, ensure_settings

pytestmark = pytest.mark.slow

GROUPS = ("tabular", "real", "image", "detector", "extractor")

MANY_BOXES = "D_3branch"
"""Cases of so many boxes that plain JavaScript takes long to suppress them."""


@pytest.fixture(scope="module")
def node():
    process = Node()
    yield process
    process.close()


def settings_of(record):
    features = True if record.get("kind") == "extractor" else None
    return ensure_settings(record["settings"]).override(Settings(extract_image_features=features))


@pytest.mark.parametrize("case", recorded_cases(*GROUPS))
def test_answers_in_node(node, tmp_path, case):
    record = case.read()
    try:
        settings = settings_of(record)
        artifact = sensenet.compile(record["model"], "tfjs", settings=settings)
    except SensenetError:
        if "construct_error" in record or may_be_refused(record):
            return
        raise
    directory = artifact.save(tmp_path / "model")
    for backend in ("wasm",) if case.name.startswith(MANY_BOXES) else ("cpu", "wasm"):
        model = make_model(open_in_node(node, directory, backend, artifact.graph.signature), settings)
        check_record(model, record)
