"""What ensembles cost in NumPy, TensorFlow and LiteRT, by the form that their networks have.

    OPENBLAS_NUM_THREADS=1 python benchmarks/ensembles.py

Each line is an ensemble of so many random networks on the same columns, with so many layers of so many units
(the last has one, linear, or three, softmax), in one of four forms:

- apart: each network has its own layers, as it was trained;
- sliced: the first layers are one product, of which each network reads a slice;
- batched: a stacked product for each layer (`batched_dense`, a product of stacked matrices in TensorFlow);
- joined: all layers side by side in block-diagonal kernels.

It tells the time for one row (µs) and for 10,000 (ms) in the target numpy, in a function of TensorFlow and in
LiteRT on one thread. A star marks what -O2 makes of the networks, where it is one of these. Hidden widths
that differ (8+) are one larger in each network than in the one before; these can't be batched.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

import numpy as np
from one_hot import lower

from sensenet.artifact import Report
from sensenet.backends import tflite
from sensenet.backends.optional import import_tensorflow
from sensenet.backends.tensorflow import make_function
from sensenet.backends.tflite.interpreter import find_interpreter
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.evaluate import prepare
from sensenet.ir.graph import Graph, Value, apply, constant, rebuild
from sensenet.ir.ops.arithmetic import Add, Average
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.dense import Activation, BatchedDense, Dense, MatMul
from sensenet.ir.ops.rearrangement import Slice
from sensenet.ir.ops.reduction import Mean
from sensenet.ir.types import Array, Tensor, f32
from sensenet.passes import PIPELINES, fold_average, merge_parallel_dense
from sensenet.passes.analysis import parallel_layers
from sensenet.passes.infrastructure.manager import run_passes
from sensenet.signature import Signature

MANY = 10_000
LINEAR, SOFTMAX, RELU = ActivationFunction.LINEAR, ActivationFunction.SOFTMAX, ActivationFunction.RELU

CASES = (  # networks, columns, units of the hidden layers, how much wider each network is than the last, end
    (2, 20, (8,), 0, LINEAR),
    (8, 20, (64,), 0, LINEAR),
    (8, 20, (64,), 1, LINEAR),
    (16, 20, (256,), 0, LINEAR),
    (2, 20, (8,), 0, SOFTMAX),
    (2, 20, (32, 32), 0, LINEAR),
    (2, 20, (64, 64), 0, LINEAR),
    (4, 20, (16, 16), 0, SOFTMAX),
    (4, 20, (32, 32), 0, SOFTMAX),
    (8, 20, (8, 8), 0, SOFTMAX),
    (8, 20, (8, 8), 1, SOFTMAX),
    (8, 20, (16, 16), 0, SOFTMAX),
    (16, 20, (8, 8), 0, LINEAR),
    (8, 20, (64, 64), 0, SOFTMAX),
    (8, 20, (64, 64), 1, SOFTMAX),
    (8, 200, (64, 64), 1, SOFTMAX),
    (4, 20, (256, 256), 0, LINEAR),
    (16, 20, (64, 64), 0, SOFTMAX),
    (16, 20, (64, 64), 0, LINEAR),
)

Layers = Sequence[Dense]
"""The layers of a network, from its input to its answer."""


def make_networks(rng: np.random.Generator, case: tuple[Any, ...]) -> list[Layers]:
    count, columns, hidden, step, end = case
    networks = []
    for index in range(count):
        sizes = (columns, *(units + index * step for units in hidden), 1 if end is LINEAR else 3)
        functions = [RELU] * len(hidden) + [end]
        networks.append(
            [
                Dense(
                    kernel=Tensor.float32(rng.normal(size=(a, b)) / np.sqrt(a)),
                    bias=Tensor.float32(rng.normal(size=b)),
                    activation=function,
                )
                for a, b, function in zip(sizes, sizes[1:], functions, strict=False)
            ]
        )
    return networks


def chain(layers: Layers, x: Value) -> Value:
    for layer in layers:
        x = apply(layer, x, name="layer").value
    return x


def apart(networks: Sequence[Layers], x: Value) -> Value:
    return apply(Average(), *(chain(layers, x) for layers in networks)).value


def sliced(networks: Sequence[Layers], x: Value) -> Value:
    firsts = [layers[0] for layers in networks]
    bounds = np.cumsum([0, *(first.units for first in firsts)])
    shared = apply(side_by_side(firsts), x).value
    parts = [apply(Slice(start=int(a), stop=int(b)), shared).value for a, b in itertools.pairwise(bounds)]
    answers = [chain(layers[1:], part) for layers, part in zip(networks, parts, strict=True)]
    return apply(Average(), *answers).value


def side_by_side(layers: Layers) -> Dense:
    return Dense(
        kernel=Tensor.float32(np.concatenate([layer.kernel.array for layer in layers], axis=1)),
        bias=Tensor.float32(np.concatenate([layer.bias.array for layer in layers if layer.bias])),
        activation=layers[0].activation,
    )


def batched(networks: Sequence[Layers], x: Value) -> Value:
    for layers in zip(*networks, strict=True):
        op = BatchedDense(
            kernel=Tensor.float32(np.stack([layer.kernel.array for layer in layers])),
            bias=Tensor.float32(np.stack([layer.bias.array for layer in layers if layer.bias])),
            activation=layers[0].activation,
        )
        x = apply(op, x).value
    return apply(Mean(axis=0), x).value


FORMS: dict[str, Callable[[Sequence[Layers], Value], Value]] = {
    "apart": apart,
    "sliced": sliced,
    "batched": batched,
}


def graph_of(form: Callable[[Sequence[Layers], Value], Value], networks: Sequence[Layers]) -> Graph:
    x = apply(Input(type=f32(None, networks[0][0].kernel.shape[0])), name="x")
    return Graph.create([x], {"y": form(networks, x.value)}, Signature())


def make_forms(networks: Sequence[Layers]) -> Iterator[tuple[str, Graph]]:
    shapes = {tuple(layer.kernel.shape for layer in layers) for layers in networks}
    for name, form in FORMS.items():
        if name != "batched" or len(shapes) == 1:
            yield name, graph_of(form, networks)
    yield "joined", join(graph_of(apart, networks))


def join(graph: Graph) -> Graph:
    """What the passes make of it where no kernel is too large."""
    limit = parallel_layers.LARGEST_BLOCK
    parallel_layers.LARGEST_BLOCK = 1 << 40
    try:
        return run_passes(graph, (fold_average.PASS, merge_parallel_dense.PASS))[0]
    finally:
        parallel_layers.LARGEST_BLOCK = limit


def chosen_form(networks: Sequence[Layers]) -> str:
    """The form that -O2 gives the networks."""
    ops = [type(node.op) for node in run_passes(graph_of(apart, networks), PIPELINES[2])[0].nodes]
    if BatchedDense in ops:
        return "batched"
    if ops.count(Dense) == sum(map(len, networks)):
        return "apart"
    return "joined" if ops.count(Dense) == len(networks[0]) else "joined in part"


def as_products(graph: Graph) -> Graph:
    """The graph with a product of stacked matrices for each `batched_dense`."""

    def replace(node: Any) -> tuple[Value, ...]:
        op = node.op
        if not isinstance(op, BatchedDense) or op.bias is None:
            return tuple(node.values)
        product = apply(MatMul(), node.inputs[0], constant(op.kernel)).value
        shifted = apply(Add(), product, constant(Tensor.float32(op.bias.array[:, None])))
        return (apply(Activation(function=op.activation), shifted.value).value,)

    return rebuild(graph, replace)


def best(run: Callable[[], object], clock: Callable[[], float], rounds: int, repeats: int) -> float:
    """Seconds, the best of some rounds."""
    run()
    seconds = np.inf
    for _ in range(rounds):
        start = clock()
        for _ in range(repeats):
            run()
        seconds = min(seconds, (clock() - start) / repeats)
    return seconds


def in_numpy(graph: Graph, rows: Array) -> Callable[[], Array]:
    program = prepare(graph)
    return lambda: program({"x": rows})["y"]


def in_tensorflow(graph: Graph, rows: Array) -> Callable[[], Array]:
    tf = import_tensorflow("the benchmark")
    function = make_function(tf, lower(as_products(graph), "savedmodel")).get_concrete_function()
    tensor = tf.constant(rows)

    def run() -> Array:
        answer: Array = function(tensor)["y"].numpy()
        return answer

    return run


def in_lite(graph: Graph, rows: Array) -> Callable[[], Array]:
    lowered = lower(as_products(graph), "tflite")
    content = bytes(tflite.build(lowered, Report(target="tflite", level=2), tflite.TfliteOptions()))
    interpreter = find_interpreter()(model_content=content, num_threads=1)
    index = interpreter.get_input_details()[0]["index"]
    output = interpreter.get_output_details()[0]["index"]
    interpreter.resize_tensor_input(index, rows.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(index, rows)

    def run() -> Array:
        interpreter.invoke()
        return interpreter.get_tensor(output)

    return run


ENGINES = {
    "numpy": (in_numpy, time.thread_time),
    "tensorflow": (in_tensorflow, time.perf_counter),  # it computes in threads of its own
    "litert": (in_lite, time.thread_time),
}
"""Each with the clock that measures it: processor time, so that other processes count as little as can be."""


def main() -> None:
    print(f"{'networks, columns, hidden layers':34}{'form':10}", *(f"{name:>19}" for name in ENGINES), sep="")
    for case in CASES:
        rng = np.random.default_rng(0)
        networks = make_networks(rng, case)
        rows = rng.normal(size=(MANY, case[1])).astype(np.float32)
        want = in_numpy(graph_of(apart, networks), rows)()
        chosen = chosen_form(networks)
        hidden = " + ".join(f"{units}{'+' if case[3] else ''}" for units in case[2])
        for form, graph in make_forms(networks):
            cells = []
            for make, clock in ENGINES.values():
                one, many = make(graph, rows[:1]), make(graph, rows)
                np.testing.assert_allclose(many(), want, atol=2e-6, rtol=1e-5)
                cells.append(
                    f"{best(one, clock, 50, 30) * 1e6:7.1f} µs {best(many, clock, 10, 1) * 1e3:5.1f} ms"
                )
            label = f"{case[0]}, {case[1]}, {hidden} {case[4].value}"
            print(f"{label:34}{form + ('*' if form == chosen else ''):10}", *cells, sep="  ", flush=True)


if __name__ == "__main__":
    main()
