"""Our quantizer next to TensorFlow's and ai-edge-quantizer: the table of docs/targets.md.

    SENSENET_AI_EDGE_PYTHON=…/bin/python python -m benchmarks.quantizers [MODEL …]

The variable names a Python that has ai-edge-quantizer; without it, its rows are left out. It starts from the
file that sensenet writes in float32, TensorFlow's converter from the Keras model that sensenet makes. All get
the same calibration rows; answers are LiteRT's on other rows, compared with the interpreter's. A line is a
quantizer and mode, the size of the flatbuffer in kB (without metadata), the largest and the mean difference,
and how many answers agree: rows with the same class, or the interpreter's boxes that are found (same class,
half the area shared), of which then are the differences of scores.

- digits: examples/digits.json.gz, trained, on images that it was not trained on;
- shapes: examples/shapes.json.gz, trained, on drawn scenes;
- dense and mobilenetv2: of benchmarks/targets.py, with random weights.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

import sensenet
from benchmarks.targets import EXAMPLES, Case, dense_network, differ, mobilenet, overlap, shapes
from sensenet.artifact import Executable
from sensenet.backends.tflite.flatbuffer import pack, unpack
from sensenet.compiler.verify.inputs import given_inputs
from sensenet.ir.graph import Graph
from sensenet.models.wrappers import create_model
from sensenet.runtime.detections import make_detector
from sensenet.runtime.predictor import make_predictor
from sensenet.signature import VALID

AI_EDGE = "SENSENET_AI_EDGE_PYTHON"

ARCHIVE = b"PK\x03\x04"
"""Where the metadata behind a flatbuffer begin."""

OURS: Mapping[str, Mapping[str, Any]] = {
    **{mode: {"quantize": mode} for mode in ("none", "weights", "weights4", "dynamic", "int8", "int8x16")},
    "auto, max_difference=0.01": {"quantize": "auto", "max_difference": 0.01},
    "auto, min_agreement=1": {"quantize": "auto", "min_agreement": 1},
}
RECIPES: Mapping[str, str] = {
    "weights": "weight_only_wi8_afp32",
    "weights4": "weight_only_wi4_afp32",
    "dynamic": "dynamic_wi8_afp32",
    "int8": "static_wi8_ai8",
    "int8x16": "static_wi8_ai16",
}
"""Those of ai-edge-quantizer, by our names."""


def digits() -> Case:
    from train_digits import split_digits

    images, held_out, *_ = split_digits()
    calibration, rows = ([[image] for image in each] for each in (images[:200], held_out))
    return Case("digits", EXAMPLES / "digits.json.gz", calibration, rows, differ)


CASES: Mapping[str, Callable[[Path], Case]] = {
    "digits": lambda _: digits(),
    "shapes": shapes,
    "dense": lambda _: dense_network(),
    "mobilenetv2": mobilenet,
}


def quantize_by_tensorflow(model: Any, feeds: Sequence[Mapping[str, Any]], mode: str) -> bytes:
    """The file that TensorFlow's converter makes of the same network in Keras."""
    import tensorflow as tf

    def rows() -> Iterator[list[Any]]:
        for feed in feeds:
            for row in range(len(next(iter(feed.values())))):
                yield [feed[tensor.name.split(":")[0]][row : row + 1] for tensor in model.inputs]

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    ops = tf.lite.OpsSet
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if mode != "dynamic":
        converter.representative_dataset = rows
    if mode == "int8x16":
        whole = ops.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        converter.target_spec.supported_ops = [whole, ops.TFLITE_BUILTINS]
    made: bytes = converter.convert()
    return made


def quantize_by_ai_edge(
    content: bytes, feeds: Sequence[Mapping[str, Any]], recipe: str, place: Path
) -> bytes:
    """The file that ai-edge-quantizer makes in its own environment; raises CalledProcessError if it fails."""
    model, inputs, output = (place / name for name in ("model.tflite", "inputs.npz", "quantized.tflite"))
    model.write_bytes(content)
    np.savez(inputs, **{name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]})
    script = str(Path(__file__).with_name("ai_edge.py"))
    command = [os.environ[AI_EDGE], script, recipe, str(model), str(inputs), str(output)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return output.read_bytes()


def run_of(content: bytes, graph: Graph) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """A file in LiteRT, without what sensenet checks first: others write operators that it refuses.

    ai-edge-quantizer makes inputs and outputs whole numbers; TensorFlow calls outputs by their position.
    """
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_content=content, num_threads=2).get_signature_runner("serving_default")
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    names = list(graph.outputs)
    places = {f"output_{place}": name for place, name in enumerate(names)}

    def run(given: Mapping[str, Any]) -> Mapping[str, Any]:
        answers = runner(**{name: in_steps(given[name], detail) for name, detail in inputs.items()})
        return {places.get(name, name): in_numbers(answer, outputs[name]) for name, answer in answers.items()}

    return run


def in_steps(numbers: Any, detail: Mapping[str, Any]) -> Any:
    scale, zero = detail["quantization"]
    if not scale:
        return numbers
    limits = np.iinfo(detail["dtype"])
    return np.clip(np.rint(numbers / scale) + zero, limits.min, limits.max).astype(detail["dtype"])


def in_numbers(steps: Any, detail: Mapping[str, Any]) -> Any:
    scale, zero = detail["quantization"]
    return ((steps.astype(np.float32) - zero) * scale).astype(np.float32) if scale else steps


def predictor_of(content: bytes, graph: Graph) -> Any:
    """A file as a model that reads rows."""
    make = make_detector if VALID in graph.outputs else make_predictor
    return make(Executable(signature=graph.signature, run=run_of(content, graph)), None)


def compare_rows(found: Any, expected: Any, rows: Sequence[Any]) -> str:
    answers, others = found(rows), expected(rows)
    gaps = np.abs(answers - others)
    same = np.count_nonzero(answers.argmax(axis=1) == others.argmax(axis=1))
    return f"{gaps.max():.2g}; {gaps.mean():.2g}; {same} of {len(rows)}"


def compare_boxes(found: Any, expected: Any, rows: Sequence[Any]) -> str:
    gaps, wanted = [], 0
    for path in rows:
        others = found(path)
        for box in expected(path):
            wanted += 1
            same = [o for o in others if o["label"] == box["label"] and overlap(o["box"], box["box"]) >= 0.5]
            if same:
                best = max(same, key=lambda o: overlap(o["box"], box["box"]))
                gaps.append(abs(best["score"] - box["score"]))
    return f"{max(gaps, default=0):.2g}; {np.mean(gaps or [0]):.2g}; {len(gaps)} of {wanted}"


def made_files(case: Case, place: Path) -> Iterator[tuple[str, str, Callable[[], bytes]]]:
    """Who quantizes, how, and a function that makes the file."""
    artifact = sensenet.compile(case.document, "tflite")
    graph, content = artifact.graph, with_unique_names(flatbuffer_of(bytes(artifact)))
    feeds = given_inputs(graph.signature, case.calibration)
    for mode, options in OURS.items():
        given = {**options, "calibration": case.calibration}
        yield (
            "sensenet",
            mode,
            lambda given=given: bytes(sensenet.compile(case.document, "tflite", **given)),
        )
    model = sensenet.compile(case.document, "keras").model
    for mode in ("dynamic", "int8", "int8x16"):
        yield "TensorFlow", mode, lambda mode=mode: quantize_by_tensorflow(model, feeds, mode)
    for mode, recipe in RECIPES.items() if AI_EDGE in os.environ else ():
        yield (
            "ai-edge-quantizer",
            mode,
            lambda recipe=recipe: quantize_by_ai_edge(content, feeds, recipe, place),
        )


def with_unique_names(content: bytes) -> bytes:
    """The file with other names for the tensors of loops: ai-edge-quantizer refuses to see one twice."""
    tree = unpack(content)
    for number, graph in enumerate(tree.subgraphs[1:]):
        for tensor in graph.tensors:
            tensor.name = f"{number}/{tensor.name.decode()}"
    return bytes(pack(tree))


def flatbuffer_of(content: bytes) -> bytes:
    return content.partition(ARCHIVE)[0]


def main() -> None:
    wanted = sys.argv[1:] or list(CASES)
    if unknown := set(wanted) - CASES.keys():
        sys.exit(f"{', '.join(sorted(unknown))}: no such model; expected some of {', '.join(CASES)}")
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        for name in wanted:
            case = CASES[name](place)
            reference = create_model(case.document, engine="numpy")
            graph = sensenet.compile(case.document, "tflite").graph
            compare = compare_boxes if VALID in graph.outputs else compare_rows
            for who, mode, make in made_files(case, place):
                try:
                    content = flatbuffer_of(make())
                    text = compare(predictor_of(content, graph), reference, case.rows)
                    print(f"{name:<12} {who:<18} {mode:<26} {len(content) / 1e3:,.1f} kB; {text}", flush=True)
                except (subprocess.CalledProcessError, RuntimeError, ValueError) as error:
                    reason = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1:]
                    print(f"{name:<12} {who:<18} {mode:<26} fails: {''.join(reason)[:160]}", flush=True)


if __name__ == "__main__":
    main()
