"""What a client of either package does, timed from inside; run by the Python that has the package.

    python client.py WORK '{"parameter": …}'

It prints one line of JSON: the median of the calls' seconds, and the process's largest resident size. The
answer of the last call goes to `answer`, so that what was timed can be compared. All works but those named
for one package use only names that both have.
"""

import contextlib
import json
import os
import resource
import runpy
import shutil
import statistics
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import machine
import numpy as np
import runtimes
from timing import read_input, time_calls

LATENCY_SIDE = 224
"""Pixels of an image's sides, for files that take images of any size."""


def predict(model, x, repeats, warm_up=1, engine=None):
    """Calls of a model that is loaded."""
    from sensenet.models.wrappers import create_model

    deepnet = create_model(model, **({"engine": engine} if engine else {}))
    rows = read_input(x)
    return time_calls(lambda: deepnet(rows), repeats, warm_up)


def published_array(model, x, repeats, warm_up):
    """The published package's Keras model on an array, as its wrapper would call it if it took arrays."""
    from sensenet.models.wrappers import create_model

    deepnet = create_model(model)
    rows = np.load(x)
    return time_calls(lambda: deepnet._model.predict(rows, verbose=0), repeats, warm_up)


def first_prediction(model, x):
    """A document to its first prediction; the parent times the process."""
    return predict(model, x, 1, 0)


def load(model):
    """A document to a model that is ready."""
    from sensenet.models.wrappers import create_model

    start = time.perf_counter()
    create_model(model)
    return [time.perf_counter() - start], None


def convert(model, output, target="tflite"):
    """A document to a TensorFlow Lite file, or a directory of TensorFlow.js."""
    from sensenet.models import wrappers

    path = Path(output)
    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    start = time.perf_counter()
    wrappers.convert(model, None, output, target)
    return [time.perf_counter() - start], None


def convert_by_tf2onnx(model, output, opset):
    """The published package's Keras model to an ONNX file."""
    from sensenet.models.wrappers import create_model  # first: it chooses the Keras that tf2onnx has to see

    import tf2onnx  # isort: skip

    tf2onnx.convert.from_keras(create_model(model)._model, opset=opset, output_path=output)
    return [0.0], None


def run_module(module, arguments):
    """A command line of ours, as `python -m` runs it."""
    sys.argv = [module, *arguments]
    with contextlib.suppress(SystemExit):
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    return [0.0], None


def published_forest(model, x, repeats, compiled):
    """The published package's forests, called as it calls them or compiled into one function."""
    import tensorflow as tf
    from sensenet.layers.tree import ForestPreprocessor

    forests = ForestPreprocessor(json.loads(Path(model).read_text())["trees"])
    rows = tf.constant(np.load(x))
    call = tf.function(forests) if compiled else forests
    return time_calls(lambda: call(rows).numpy(), repeats, 2)


def forest(model, x, repeats, target):
    """The forests of a document alone, with the features behind them, in the runtime of a target."""
    from sensenet.compiler.pipelines import make_executable
    from sensenet.frontend import import_graph
    from sensenet.ir.graph import Graph
    from sensenet.signature import NUMERIC_INPUT

    graph = import_graph(model)
    node = next(node for node in graph.nodes if node.op.mnemonic() == "dense")
    forests = Graph.create(graph.inputs, {"predictions": node.inputs[0]}, graph.signature)
    run = make_executable(forests, target).run
    rows = {NUMERIC_INPUT: np.load(x)}
    return time_calls(lambda: run(rows)["predictions"], repeats, 2)


def latency(model, repeats):
    """One call of a TensorFlow Lite file in LiteRT, for one row or image; the memory is the file's size."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=model, num_threads=1)
    for detail in interpreter.get_input_details():
        interpreter.resize_tensor_input(detail["index"], shape_one(detail["shape_signature"]))
    interpreter.allocate_tensors()
    details = interpreter.get_input_details()
    for detail, numbers in zip(details, draw_inputs(detail["shape"] for detail in details), strict=True):
        interpreter.set_tensor(detail["index"], numbers.astype(detail["dtype"]))
    seconds, _ = time_calls(interpreter.invoke, repeats, 5)
    answer = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return seconds, answer, Path(model).stat().st_size / 1e6


def onnx_latency(model, repeats):
    """One call of an ONNX file in onnxruntime, for one row or image; the memory is the file's size."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    arguments = session.get_inputs()
    shapes = (shape_one(size if isinstance(size, int) else -1 for size in one.shape) for one in arguments)
    names = (one.name for one in arguments)
    given = {
        name: numbers.astype(np.float32) for name, numbers in zip(names, draw_inputs(shapes), strict=True)
    }
    seconds, answers = time_calls(lambda: session.run(None, given), repeats, 5)
    return seconds, answers[0], Path(model).stat().st_size / 1e6


def tfjs_latency(model, repeats, backend):
    """One call of a graph model in Node, on a backend; the memory is the size of its files."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
    from support.javascript import Node, read_model

    directory, warm_up = Path(model), min(repeats, 5)
    inputs = read_model(directory)["signature"]["inputs"]
    sizes = ([int(one["size"]) for one in value["tensorShape"]["dim"]] for value in inputs.values())
    arrays = draw_inputs(map(shape_one, sizes))
    given = {name: numbers.astype(np.float32) for name, numbers in zip(inputs, arrays, strict=True)}
    node = Node()
    seconds, answers = node.time(directory, backend, given, warm_up + repeats)
    node.close()
    size = sum(path.stat().st_size for path in directory.iterdir()) / 1e6
    return seconds[warm_up:], next(iter(answers.values())), size


def shape_one(sizes):
    """The shape of a batch of one, from an input's sizes of which unknown ones are negative."""
    return [1, *(LATENCY_SIDE if size < 0 else size for size in list(sizes)[1:])]


def draw_inputs(shapes):
    """Whole numbers, as categories have them, the same in each process."""
    random = np.random.default_rng(0)
    return [random.integers(0, 3, shape) for shape in shapes]


WORKS = {
    work.__name__: work
    for work in (
        *(predict, published_array, first_prediction, load, convert, convert_by_tf2onnx, run_module),
        *(published_forest, forest, latency, onnx_latency, tfjs_latency),
        *(*machine.WORKS, *runtimes.WORKS),
    )
}


def peak_megabytes():
    """The largest resident size of this program; of Linux' `resource`, the parent's would be the least."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def main(name, parameters):
    """Run one work and print its record."""
    given = json.loads(parameters)
    output = given.pop("answer", None)
    seconds, answer, *megabytes = WORKS[name](**given)
    if output and isinstance(answer, np.ndarray):
        np.save(output, answer)
    elif output and answer is not None:
        boxes = [
            {**found, "box": [int(side) for side in found["box"]], "score": float(found["score"])}
            for found in answer
        ]
        Path(output).write_text(json.dumps(boxes))
    print()  # the published package leaves a progress bar on its line
    size = megabytes[0] if megabytes else peak_megabytes()
    print(json.dumps({"seconds": statistics.median(seconds), "megabytes": size}))


if __name__ == "__main__":
    main(*sys.argv[1:])
