"""Train a small object detector on drawn shapes and write it as a BigML deepnet.

    python examples/train_shapes.py

makes examples/shapes.json.gz and examples/shapes.png (an image that was not trained on), and prints how many
of the shapes on new images are found. It needs TensorFlow and takes a few minutes. The detector is a YOLO
with two branches: a grid of 8 × 8 cells for small shapes, one of 4 × 4 for large ones.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from bigml_resource import round_to_float32
from PIL import Image, ImageDraw

HERE = Path(__file__).resolve().parent
SHAPES = ("circle", "square", "triangle")
SIDE = 64
FILTERS = (8, 16, 24, 32)
"""Filters of the convolutions; each halves the sides of the image."""

BRANCHES = ((2, 8, (14.0, 22.0)), (3, 16, (30.0, 40.0)))
"""Convolution that a branch reads, pixels of a cell's side, sides of its square anchors."""

STEPS, BATCH = 2500, 32
OUTPUTS = 5 + len(SHAPES)
SLOPE = 0.1
COLORS = ((214, 39, 40), (31, 119, 180), (44, 160, 44), (255, 187, 0), (148, 103, 189))


def draw_scene(random: np.random.Generator, side: int = SIDE) -> tuple[Image.Image, list[tuple[int, ...]]]:
    """Return an image with one to three shapes that do not touch, and (class, x1, y1, x2, y2) of each."""
    grey = (
        random.integers(90, 200, 3)
        + random.normal(0, 9, (side, side, 1))
        + random.normal(0, 4, (side, side, 3))
    )
    image = Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    boxes: list[tuple[int, ...]] = []
    for _ in range(random.integers(1, 4)):
        for _attempt in range(20):
            size = int(random.integers(side * 10 // 64, side * 44 // 64))
            x, y = (int(corner) for corner in random.integers(0, side - size, 2))
            box = (x, y, x + size, y + size)
            if all(box[2] < b[1] or b[3] < box[0] or box[3] < b[2] or b[4] < box[1] for b in boxes):
                kind = int(random.integers(len(SHAPES)))
                draw_shape(draw, kind, box, COLORS[random.integers(len(COLORS))])
                boxes.append((kind, *box))
                break
    return image, boxes


def draw_shape(draw: ImageDraw.ImageDraw, kind: int, box: tuple[int, ...], color: tuple[int, ...]) -> None:
    x1, y1, x2, y2 = box
    if kind == 0:
        draw.ellipse(box, fill=color)
    elif kind == 1:
        draw.rectangle(box, fill=color)
    else:
        draw.polygon([((x1 + x2) / 2, y1), (x2, y2), (x1, y2)], fill=color)


def targets(boxes: list[tuple[int, ...]]) -> list[np.ndarray]:
    """Return for each branch f32[cells, cells, anchors, 5 + classes]: centers, sizes and classes."""
    grids = [np.zeros((SIDE // s, SIDE // s, len(a), OUTPUTS), np.float32) for _, s, a in BRANCHES]
    for kind, x1, y1, x2, y2 in boxes:
        size = max(x2 - x1, 1)
        choices = [
            (abs(np.log(size / a)), b, n)
            for b, (_, _, sides) in enumerate(BRANCHES)
            for n, a in enumerate(sides)
        ]
        _, branch, anchor = min(choices)
        _, stride, sides = BRANCHES[branch]
        centre = np.array([(x1 + x2) / 2, (y1 + y2) / 2]) / stride
        column, row = np.minimum(centre.astype(int), SIDE // stride - 1)
        cell = grids[branch][row, column, anchor]
        cell[:2] = np.clip(centre - (column, row), 0.02, 0.98)
        cell[2:4] = np.log(size / sides[anchor])
        cell[4] = 1
        cell[5 + kind] = 1
    return grids


def batch(random: np.random.Generator) -> tuple[np.ndarray, list[np.ndarray]]:
    scenes = [draw_scene(random) for _ in range(BATCH)]
    pixels = np.stack([np.asarray(image, np.float32) / 255 for image, _ in scenes])
    grids = [targets(boxes) for _, boxes in scenes]
    return pixels, [np.stack(branch) for branch in zip(*grids, strict=True)]


def make_model(tf: Any) -> Any:
    layers = tf.keras.layers
    x = pixels = tf.keras.Input((SIDE, SIDE, 3))
    outputs = []
    for number, filters in enumerate(FILTERS):
        x = layers.Conv2D(
            filters, 3, strides=2, padding="same", use_bias=False, name=f"convolution_{number}"
        )(x)
        x = layers.BatchNormalization(name=f"normalization_{number}")(x)
        x = layers.LeakyReLU(SLOPE)(x)
        for branch, (source, _, anchors) in enumerate(BRANCHES):
            if source == number:
                outputs.append(
                    layers.Conv2D(len(anchors) * OUTPUTS, 3, padding="same", name=f"branch_{branch}")(x)
                )
    return tf.keras.Model(pixels, outputs)


def loss(tf: Any, wanted: Any, raw: Any) -> Any:
    """Return cross entropies of confidence, center and class, and the squared error of the log size."""
    raw = tf.reshape(raw, tf.shape(wanted))
    here = wanted[..., 4:5]
    entropy = tf.nn.sigmoid_cross_entropy_with_logits
    terms = [
        tf.reduce_sum(entropy(wanted[..., 4:5], raw[..., 4:5]) * (0.4 + 2.6 * here)),
        tf.reduce_sum(entropy(wanted[..., :2], raw[..., :2]) * here) * 2,
        tf.reduce_sum(tf.square(wanted[..., 2:4] - raw[..., 2:4]) * here) * 5,
        tf.reduce_sum(entropy(wanted[..., 5:], raw[..., 5:]) * here),
    ]
    return tf.add_n(terms) / BATCH


def train() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    tf.keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    model = make_model(tf)
    rate = tf.keras.optimizers.schedules.CosineDecay(4e-3, STEPS)
    optimizer = tf.keras.optimizers.Adam(rate)

    @tf.function
    def step(pixels: Any, wanted: Any) -> Any:
        with tf.GradientTape() as tape:
            raw = model(pixels, training=True)
            total = tf.add_n([loss(tf, w, r) for w, r in zip(wanted, raw, strict=True)])
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(total, variables), variables, strict=True))
        return total

    for number in range(STEPS):
        pixels, wanted = batch(random)
        total = step(tf.constant(pixels), tuple(map(tf.constant, wanted)))
        if number % 250 == 0:
            print(f"step {number}: loss {float(total):.3f}")
    return model


def export(model: Any) -> dict[str, Any]:
    """Return the trained network as a document: three layers for each convolution, then the branches."""
    layers: list[dict[str, Any]] = []
    for number in range(len(FILTERS)):
        (kernel,) = model.get_layer(f"convolution_{number}").get_weights()
        layers.append(convolution(kernel, None, strides=2))
        names = ("gamma", "beta", "mean", "variance")
        normal = zip(names, model.get_layer(f"normalization_{number}").get_weights(), strict=True)
        layers.append({"type": "batch_normalization", "epsilon": 1e-3} | {n: rounded(w) for n, w in normal})
        layers.append({"type": "activation", "activation_function": "leaky_relu"})
    outputs = []
    for branch, (source, stride, sides) in enumerate(BRANCHES):
        layers.append(
            convolution(*model.get_layer(f"branch_{branch}").get_weights()) | {"inputs": [3 * source + 2]}
        )
        anchors = [[side, side] for side in sides]
        outputs.append({"input": len(layers) - 1, "strides": stride, "anchors": anchors, "xyscale": 1.0})
    metadata = {
        "base_image_network": "tinyyolov4",
        "input_image_shape": [SIDE, SIDE, 3],
        "loading_method": "normalizing",
        "outputs": outputs,
    }
    network = {
        "preprocess": [{"type": "image", "index": 0}],
        "image_network": {"metadata": metadata, "layers": layers},
        "layers": [],
        "output_exposition": {"type": "bounding_box", "values": list(SHAPES)},
        "trees": None,
    }
    return {"resource": "deepnet/5a1e0000000000000000003a", "name": "shapes", "deepnet": {"network": network}}


def convolution(kernel: np.ndarray, bias: np.ndarray | None = None, strides: int = 1) -> dict[str, Any]:
    return {
        "type": "convolution_2d",
        "kernel": rounded(kernel),
        "bias": None if bias is None else rounded(bias),
        "strides": [strides, strides],
        "padding": "same",
        "activation_function": None,
    }


def rounded(weights: np.ndarray) -> Any:
    """Round to four decimals, which keeps the file small."""
    return round_to_float32(np.round(weights, 4))


def share_found(detect: Any, random: np.random.Generator, scenes: int = 200) -> tuple[float, float]:
    """Return the share of shapes found (right label, half the area shared), and of finds that are right."""
    right = drawn = found = 0
    for _ in range(scenes):
        image, boxes = draw_scene(random)
        objects = detect(np.asarray(image))
        drawn, found = drawn + len(boxes), found + len(objects)
        for kind, *box in boxes:
            right += any(o["label"] == SHAPES[kind] and overlap(box, o["box"]) >= 0.5 for o in objects)
    return right / drawn, right / max(found, 1)


def overlap(first: list[int], second: list[int]) -> float:
    """Return the intersection over union."""
    sides = [min(first[i + 2], second[i + 2]) - max(first[i], second[i]) for i in (0, 1)]
    common = max(sides[0], 0) * max(sides[1], 0)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (first, second)]
    return common / (sum(areas) - common)


def main() -> None:
    from sensenet.models.wrappers import create_model

    document = export(train())
    with gzip.GzipFile(HERE / "shapes.json.gz", "wb", mtime=0) as stream:
        stream.write(json.dumps(document, separators=(",", ":")).encode())
    recall, precision = share_found(create_model(document), np.random.default_rng(1))
    print(f"{recall:.1%} of the shapes on new images are found; {precision:.1%} of what is found is right")
    draw_scene(np.random.default_rng(13), 256)[0].save(HERE / "shapes.png")


if __name__ == "__main__":
    main()
