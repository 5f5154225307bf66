"""Keras opens saved files after one import of ours, in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from documents import ROW, ensemble, typed
from keras_2 import LEGACY

import sensenet

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow

SAVE = """if True:
    import sys, sensenet
    sys.path.insert(0, "tests")
    import documents
    sensenet.compile(getattr(documents, sys.argv[2])(), "keras", optimize=int(sys.argv[3])).save(sys.argv[1])
"""
OPEN = """if True:
    import sensenet.keras
    import importlib, json, sys
    keras = importlib.import_module(sys.argv[2])
    model = keras.models.load_model(sys.argv[1])
    rows = json.loads(sys.argv[3])
    import numpy
    print(json.dumps(numpy.asarray(model(numpy.asarray(rows, numpy.float32))).tolist()))
"""
SAVERS = {"typed": typed, "ensemble": ensemble}


@pytest.mark.parametrize(("package", "legacy"), [("keras", "0"), ("tf_keras", "1")])
@pytest.mark.parametrize(("name", "level"), [("typed", 0), ("ensemble", 2)])
def test_keras_opens_files_after_one_import(tmp_path, package, legacy, name, level):
    pytest.importorskip(package)
    path = tmp_path / "model.keras"
    model = sensenet.create_model(SAVERS[name]())
    rows = model.encode([list(ROW)] * 2)["numeric_inputs"].tolist()

    def run(code, *arguments):
        command = [sys.executable, "-c", code, str(path), *arguments]
        environment = os.environ | {LEGACY: legacy}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    run(SAVE, name, str(level))
    found = np.array(json.loads(run(OPEN, package, json.dumps(rows)).splitlines()[-1]))
    np.testing.assert_allclose(found, model([list(ROW)] * 2), rtol=1e-4, atol=1e-6)
