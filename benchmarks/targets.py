"""What each target weighs, and what quantizing does to answers: the numbers of docs/targets.md.

    python benchmarks/targets.py

One line a model and target: the size of all files in kB, and the largest difference from the interpreter on
rows that are not the calibration rows, and the largest answer. For detectors it compares the boxes that both
find (same class, half the area shared): their scores and sides in pixels, and the share of the interpreter's
boxes that are found.

- diabetes: examples/diabetes.json, forests and a small network; the rows are those of scikit-learn's data;
- dense: three layers of 256, 256 and 3 units on 20 columns; seeded random weights and rows;
- mobilenetv2: the pretrained network's topology with seeded random weights, and the means and variances that
  these give on drawn scenes (untrained, but with activations as large as trained ones);
- shapes: examples/shapes.json.gz, on drawn scenes.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "2")

import attrs
import numpy as np
from attrs import frozen
from PIL import Image

import sensenet
from sensenet.errors import SensenetError
from sensenet.frontend import import_graph
from sensenet.ir.graph import Value
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.dense import BatchNormalization
from sensenet.ir.types import Tensor
from sensenet.models.wrappers import create_model
from sensenet.pretrained import get_pretrained_network
from sensenet.settings import Settings
from sensenet.signature import PIXEL_INPUT

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
sys.path.insert(0, str(EXAMPLES))

from train_shapes import draw_scene, overlap  # noqa: E402

OPTIONS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    *(("tflite", {"quantize": mode}) for mode in ("none", "float16", "weights", "dynamic", "int8")),
    *(("tfjs", {"quantize": mode}) for mode in ("none", "float16", "uint16", "uint8")),
    *((target, {}) for target in ("onnx", "numpy", "keras", "savedmodel", "smbundle", "h5", "ir")),
)
COLUMNS, UNITS, IMAGES = 20, 256, 24


@frozen
class Case:
    """A model, rows to calibrate on and others to compare on."""

    name: str
    document: Any
    calibration: Sequence[Any]
    rows: Sequence[Any]
    compare: Callable[[Any, Any, Sequence[Any]], str]


def differ(model: Any, reference: Any, rows: Sequence[Any]) -> str:
    """The largest difference of two models' answers, the largest answer, how often they agree on a class."""
    found, expected = model(rows), reference(rows)
    text = f"{np.abs(found - expected).max():.2g} of {np.abs(expected).max():.2g}"
    if expected.shape[1] == 1:
        return text
    same = np.count_nonzero(found.argmax(axis=1) == expected.argmax(axis=1))
    return f"{text}, best class of {same} of {len(expected)}"


def differ_in_boxes(model: Any, reference: Any, rows: Sequence[Any]) -> str:
    """Scores and sides of the boxes that both find, and the share of the reference's that the model finds."""
    score = side = found = wanted = 0.0
    for path in rows:
        others = model(path)
        for box in reference(path):
            same = [o for o in others if o["label"] == box["label"] and overlap(o["box"], box["box"]) >= 0.5]
            wanted, found = wanted + 1, found + bool(same)
            if same:
                best = max(same, key=lambda o: overlap(o["box"], box["box"]))
                score = max(score, abs(best["score"] - box["score"]))
                side = max(side, *(abs(a - b) for a, b in zip(best["box"], box["box"], strict=True)))
    return f"{score:.2g}, {side:g} pixels, {found:g} of {wanted:g}"


def diabetes() -> Case:
    from train_diabetes import split_diabetes

    trained, held_out, *_ = split_diabetes()
    return Case("diabetes", EXAMPLES / "diabetes.json", trained, held_out, differ)


def dense_network() -> Case:
    random = np.random.default_rng(0)
    scales = 10.0 ** (np.arange(COLUMNS) % 5 - 1)

    def layer(inputs: int, units: int, activation: str) -> dict[str, Any]:
        kernel = random.normal(size=(inputs, units)) * np.sqrt(2 / inputs)
        offset = random.normal(size=units) / 10
        weights = {"weights": kernel.tolist(), "offset": offset.tolist()}
        return {"type": "dense", "activation_function": activation, **weights}

    document = {
        "preprocess": [
            {"type": "numeric", "index": index, "mean": scale, "stdev": scale}
            for index, scale in enumerate(scales.tolist())
        ],
        "layers": [layer(COLUMNS, UNITS, "relu"), layer(UNITS, UNITS, "relu"), layer(UNITS, 3, "softmax")],
        "output_exposition": {"type": "categorical", "values": ["a", "b", "c"]},
        "trees": None,
    }
    rows = (scales + scales * random.normal(size=(1000, COLUMNS))).tolist()
    return Case("dense", document, rows[:500], rows[500:], differ)


def draw(directory: Path, side: int) -> list[str]:
    """The paths of drawn scenes."""
    random = np.random.default_rng(7)
    paths = [directory / f"{side}-{number}.png" for number in range(2 * IMAGES)]
    for path in paths:
        draw_scene(random, side)[0].save(path)
    return [str(path) for path in paths]


def mobilenet(directory: Path) -> Case:
    rows = [[path] for path in draw(directory, 224)]
    document = get_pretrained_network("mobilenetv2")
    normalize(document, np.stack([np.asarray(Image.open(path)) for (path,) in rows[:8]]))
    return Case("mobilenetv2", document, rows[:IMAGES], rows[IMAGES:], differ)


def normalize(document: dict[str, Any], images: np.ndarray) -> None:
    """Give each batch normalization the mean and variance of what it reads on some images."""
    layers = document["image_network"]["layers"]
    graph = import_graph(document, Settings())
    arrays: dict[Value, Any] = {}
    for node in graph.nodes:
        inputs = [arrays[value] for value in node.inputs]
        op = node.op
        if isinstance(op, Input):
            given = {PIXEL_INPUT: images.astype(np.float32)}
            arrays[node.value] = given.get(node.name, np.zeros((len(images), 1), np.float32))
            continue
        if isinstance(op, BatchNormalization):
            mean, variance = inputs[0].mean(axis=(0, 1, 2)), inputs[0].var(axis=(0, 1, 2))
            op = attrs.evolve(op, mean=Tensor.float32(mean), variance=Tensor.float32(variance))
            layer = layers[int(node.name.rpartition("_")[2])]
            layer.update(mean=mean.tolist(), variance=variance.tolist())
        results = op.evaluate(*inputs)
        arrays.update(zip(node.values, results if len(node.values) > 1 else [results], strict=True))


def shapes(directory: Path) -> Case:
    rows = draw(directory, 64)
    return Case("shapes", EXAMPLES / "shapes.json.gz", rows[:IMAGES], rows[IMAGES:], differ_in_boxes)


def measure(case: Case, target: str, options: Mapping[str, Any]) -> str:
    """Size and difference of one artifact."""
    given = {"calibration": case.calibration} if options.get("quantize") == "int8" else {}
    artifact = sensenet.compile(case.document, target, **options, **given)
    size = f"{sum(map(len, artifact.files.values())) / 1e3:,.1f}"
    if target == "h5":
        return f"{size:>10}  weights alone"
    try:
        reference = create_model(case.document, engine="numpy")
        compared = case.compare(create_model(artifact, engine=target), reference, case.rows)
    except SensenetError as error:
        compared = f"does not run here: {error}"
    return f"{size:>10}  {compared}"


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        for case in (diabetes(), dense_network(), mobilenet(place), shapes(place)):
            for target, options in OPTIONS:
                name = " ".join([target, *map(str, options.values())])
                try:
                    print(f"{case.name:<12} {name:<16} {measure(case, target, options)}", flush=True)
                except SensenetError as error:
                    print(f"{case.name:<12} {name:<16} {error}", flush=True)


if __name__ == "__main__":
    main()
