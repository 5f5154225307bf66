"""Models of the target wasm in Node."""

from __future__ import annotations

import base64
import math

import numpy as np

from support.javascript import DIRECTORY, Script


class WasmNode(Script):
    """A process of Node that calls models of the target wasm."""

    def __init__(self):
        super().__init__(DIRECTORY / "wasm.mjs")

    def call(self, directory, method, rows):
        """What a method of the model in a directory answers; raises RuntimeError with what it threw."""
        return decode(self.ask({"model": str(directory), "call": method, "rows": encode(rows)})["answer"])

    def predict(self, directory, rows):
        """f32[rows, outputs]: the numbers of answers, in order."""
        return np.array([numbers_of(answer) for answer in self.call(directory, "predict", rows)], np.float32)


def numbers_of(answer):
    """The numbers of a row's answer."""
    if isinstance(answer, dict):
        return [*answer["probabilities"].values()]
    return answer if isinstance(answer, list) else [answer]


def encode(value):
    """A value in JSON, as tests/js/wasm.mjs reads it."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"$number": "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"}
    if isinstance(value, np.ndarray):
        return {"$data": base64.b64encode(np.ascontiguousarray(value, np.float32).tobytes()).decode()}
    if isinstance(value, dict):
        return {key: encode(each) for key, each in value.items()}
    return [encode(each) for each in value] if isinstance(value, list | tuple) else value


def decode(value):
    if isinstance(value, dict) and value.keys() == {"$number"}:
        return float(value["$number"].replace("Infinity", "inf"))
    if isinstance(value, dict) and value.keys() == {"$data"}:
        return np.frombuffer(base64.b64decode(value["$data"]), np.float32)
    if isinstance(value, dict):
        return {key: decode(each) for key, each in value.items()}
    return [decode(each) for each in value] if isinstance(value, list) else value
