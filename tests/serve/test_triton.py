"""Triton's own client on this server.

    SENSENET_TRITON_PYTHON=/path/to/bin/python pytest tests/serve/test_triton.py

The variable names a Python that has `tritonclient[http]`, which needs an older ml_dtypes than TensorFlow's
environment has. Without it these tests are skipped.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.documents import detector
from support.server import serving

from sensenet.models.create import create_model

pytest.importorskip("sensenet.serve.server")
pytest.importorskip("sensenet.serve.application")

VARIABLE = "SENSENET_TRITON_PYTHON"
EXAMPLES = Path(__file__).parents[2] / "examples"

CLIENT = """
import json, sys
import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

port, path = sys.argv[1:]
client = http.InferenceServerClient(f"127.0.0.1:{port}", concurrency=4)
found = {
    "live": client.is_server_live(),
    "ready": client.is_server_ready(),
    "model": client.is_model_ready("diabetes", "1"),
    "unknown": client.is_model_ready("diabetes", "2"),
    "server": client.get_server_metadata(),
    "metadata": client.get_model_metadata("diabetes"),
}

def tensor(name, array, datatype, binary):
    given = http.InferInput(name, list(array.shape), datatype)
    given.set_data_from_numpy(array, binary_data=binary)
    return given

ages = np.array([[50], [60]], np.float32)
sexes = np.array([["2"], ["1"]], object)
for binary in (True, False):
    inputs = [tensor("age", ages, "FP32", binary), tensor("sex", sexes, "BYTES", binary)]
    outputs = [http.InferRequestedOutput("predictions", binary_data=binary)]
    result = client.infer("diabetes", inputs, outputs=outputs, request_id="r")
    assert result.get_response()["id"] == "r"
    found[f"answers {binary}"] = result.as_numpy("predictions").tolist()
waiting = [client.async_infer("diabetes", inputs) for _ in range(20)]
found["concurrent"] = [each.get_result().as_numpy("predictions").tolist() for each in waiting]
species = client.infer("iris", [tensor("petal length", ages / 10, "FP32", True)])
found["labels"] = [label.decode() for label in species.as_numpy("label")]
image = np.array([[open(path, "rb").read()]], object)
objects = client.infer("detector", [tensor("image", image, "BYTES", True)])
found["objects"] = {name: objects.as_numpy(name).shape for name in ("boxes", "scores", "classes", "valid")}
try:
    client.infer("diabetes", [tensor("agee", ages, "FP32", True)])
except InferenceServerException as error:
    found["error"] = [error.status(), error.message()]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def python():
    if os.environ.get(VARIABLE):
        return os.environ[VARIABLE]
    if importlib.util.find_spec("tritonclient") is None:
        pytest.skip(f"{VARIABLE} names no Python that has tritonclient[http]")
    return sys.executable


def test_the_client_finds_what_it_expects(python, tmp_path):
    from PIL import Image

    Image.new("RGB", (30, 20), "red").save(tmp_path / "red.png")
    model = create_model(EXAMPLES / "diabetes.json")
    models = {"diabetes": str(EXAMPLES / "diabetes.json"), "iris": str(EXAMPLES / "iris.json")}
    with serving(models | {"detector": detector()}) as port:
        command = [python, "-c", CLIENT, str(port), str(tmp_path / "red.png")]
        result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert [found[name] for name in ("live", "ready", "model", "unknown")] == [True, True, True, False]
    assert found["server"]["extensions"] == ["binary_tensor_data"]
    assert [each["name"] for each in found["metadata"]["inputs"]][:2] == ["age", "sex"]
    expected = model([{"age": 50, "sex": "2"}, {"age": 60, "sex": "1"}])
    for answers in (found["answers True"], found["answers False"], *found["concurrent"]):
        np.testing.assert_array_equal(np.float32(answers), expected)
    assert len(found["concurrent"]) == 20
    species = create_model(EXAMPLES / "iris.json")
    best = species([{"petal length": 5}, {"petal length": 6}]).argmax(axis=1)
    assert found["labels"] == [species.classes[number] for number in best]
    assert found["objects"]["valid"] == [1]
    assert found["objects"]["boxes"][::2] == [1, 4]
    assert found["error"] == ["400", "unknown field 'agee': did you mean 'age'?"]
