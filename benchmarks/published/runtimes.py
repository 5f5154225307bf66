"""Works of client.py that other runtimes do: they run our files, or compute a document's numbers."""

import json
import os
from pathlib import Path

import numpy as np
from timing import read_input, time_calls

BLOCK = 4096
"""Rows that onnxruntime gets at once: in blocks, a million take it 0.18 s, all at once 0.25 s."""


def encode(document, x):
    """What the network reads, by the names of its inputs: other runtimes do not read a caller's cells."""
    from sensenet.models.wrappers import create_model

    return create_model(document, engine="numpy")._predict.encode(read_input(x))


def litert(document, model, x, repeats, threads=None):
    """LiteRT's own `invoke` of a TensorFlow Lite file, its input set before."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=model, num_threads=threads or os.cpu_count())
    (detail,), (array,) = interpreter.get_input_details(), encode(document, x).values()
    interpreter.resize_tensor_input(detail["index"], array.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(detail["index"], array)
    seconds, _ = time_calls(interpreter.invoke, repeats, min(repeats, 100))
    return seconds, interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def onnxruntime(document, model, x, repeats):
    """An ONNX file in onnxruntime, with a thread for each processor, block by block."""
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = os.cpu_count()  # else one for each core, of which each is two processors
    session = InferenceSession(model, options, providers=["CPUExecutionProvider"])
    given = encode(document, x)
    starts = range(0, len(next(iter(given.values()))), BLOCK)
    blocks = [{name: array[start : start + BLOCK] for name, array in given.items()} for start in starts]

    def run():
        answers = [session.run(None, block)[0] for block in blocks]
        return answers[0] if len(answers) == 1 else np.concatenate(answers)

    return time_calls(run, repeats, min(repeats, 100))


def laminar(document, x, repeats):
    """BigML's client without this package: its NumPy functions, with the layers as arrays from the start."""
    from bigml.laminar import numpy_ops, preprocess_np

    network = json.loads(Path(document).read_text())
    layers = numpy_ops.init_layers([_legacy_layer(layer) for layer in network["layers"]])
    rows = read_input(x)
    columns = [*zip(*(rows if isinstance(rows[0], list) else [rows]), strict=True)]

    def run():
        return numpy_ops.propagate(preprocess_np.preprocess(columns, network["preprocess"]), layers)

    seconds, answer = time_calls(run, repeats, repeats // 10)
    return seconds, answer.astype(np.float32)


def _legacy_layer(layer):
    """A dense layer as documents had it that this code reads: a row of weights for each unit."""
    absent = dict.fromkeys(("mean", "stdev", "scale"))
    weights = [*zip(*layer["weights"], strict=True)]
    return {**absent, "residuals": False, **layer, "weights": weights}


WORKS = (litert, onnxruntime, laminar)
