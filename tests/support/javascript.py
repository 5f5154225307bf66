"""TensorFlow.js in Node, installed from tests/js/package-lock.json; what other tests of JavaScript share.

Tests that ask for it are skipped, and say so, where Node or npm is missing or nothing can be installed.
"""

from __future__ import annotations

import base64
import fcntl
import functools
import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from sensenet.artifact import Executable

DIRECTORY = Path(__file__).parents[1] / "js"
MODULES = DIRECTORY / "node_modules"
LOCK = DIRECTORY / "package-lock.json"
INSTALL = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")

DTYPES = {"float32": np.float32, "int32": np.int32, "bool": np.bool_}


@functools.cache
def install(directory=DIRECTORY):
    """The directory of the packages that a lock file lists; skips the test where they cannot be installed."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: nothing is run in Node")
    lock, modules = directory / LOCK.name, directory / MODULES.name
    done = modules / f".installed-{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}"
    with lock.open() as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)  # other processes run tests too
        if not done.exists():
            result = subprocess.run(INSTALL, cwd=directory, capture_output=True, text=True, check=False)
            if result.returncode != 0:
                pytest.skip(f"npm cannot install the packages of {lock}: {result.stderr.strip()[-300:]}")
            done.touch()
    return modules


class Script:
    """A process of Node that answers requests, one JSON object a line."""

    def __init__(self, script):
        if shutil.which("node") is None:
            pytest.skip("node is not installed: nothing is run in it")
        self._process = subprocess.Popen(
            ["node", str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def ask(self, request):
        """The answer to a JSON object; raises RuntimeError with what JavaScript threw."""
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"node ended with status {self._process.wait()}"
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def close(self):
        self._process.stdin.close()
        self._process.wait(timeout=30)


class Node(Script):
    """A process of Node that runs models, on the backends cpu and wasm of TensorFlow.js."""

    def __init__(self, script=DIRECTORY / "run.mjs"):
        install(script.parent)
        super().__init__(script)

    def run(self, directory, backend, inputs, method=None):
        """The named outputs of the model in a directory for named arrays."""
        return self.time(directory, backend, inputs, method=method)[1]

    def time(self, directory, backend, inputs, repeats=1, method=None):
        """The seconds of each of so many calls, and the last one's named outputs."""
        request = {
            "model": str(directory),
            "backend": backend,
            "method": method or method_of(directory),
            "inputs": {name: encode(array) for name, array in inputs.items()},
            "repeats": repeats,
        }
        answer = self.ask(request)
        return answer["seconds"], {name: decode(output) for name, output in answer["outputs"].items()}


@functools.cache
def read_model(directory):
    return json.loads((directory / "model.json").read_bytes())


def method_of(directory):
    """How a model is called: those with a loop, which suppress boxes, need the asynchronous way."""
    return "predictAsync" if "valid" in read_model(directory)["signature"]["outputs"] else "predict"


def open_in_node(node, directory, backend, signature):
    """The model in a directory as an executable that runs in Node."""
    return Executable(signature=signature, run=lambda inputs: node.run(directory, backend, inputs))


def encode(array):
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"dtype": str(array.dtype), "shape": list(array.shape), "data": data}


def decode(output):
    data = base64.b64decode(output["data"])
    return np.frombuffer(data, DTYPES[output["dtype"]]).reshape(output["shape"])
