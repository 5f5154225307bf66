"""The documents, rows and images that both packages are measured on: seeded, and made on the spot."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from support.large_documents import write_document

COLUMNS, UNITS, CLASSES = 30, 64, 4
NUMBERS = 12
VALUES = (3, 5, 8, 20)
"""How many values the categorical columns of the mixed table have."""

PHOTOGRAPH = (640, 480)
PHOTOGRAPHS = 64
SIDE = 224
"""Pixels of the sides that networks bring images to."""

FOREST_ROWS = 200_000
RANGES, TREES, FEATURES = 10, 8, 30

Json = dict[str, Any]


def make_dense(random: np.random.Generator, inputs: int, units: int, activation: str = "relu") -> Json:
    """A dense layer with random weights."""
    kernel = random.normal(size=(inputs, units)) * np.sqrt(2 / inputs)
    return {
        "type": "dense",
        "activation_function": activation,
        "weights": kernel.tolist(),
        "offset": (random.normal(size=units) / 10).tolist(),
    }


def make_batch_normalization(random: np.random.Generator, units: int) -> Json:
    """A batch normalization with random statistics."""
    return {
        "type": "batch_normalization",
        "gamma": random.uniform(0.5, 1.5, units).tolist(),
        "beta": (random.normal(size=units) / 10).tolist(),
        "mean": (random.normal(size=units) / 10).tolist(),
        "variance": random.uniform(0.5, 1.5, units).tolist(),
        "epsilon": 0.001,
    }


def make_document(preprocess: list[Json], layers: list[Json], trees: Any = None) -> Json:
    """A classifier of `CLASSES` classes."""
    exposition = {"type": "categorical", "values": [f"class {number}" for number in range(CLASSES)]}
    return {"preprocess": preprocess, "layers": layers, "trees": trees, "output_exposition": exposition}


def make_numeric(index: int) -> Json:
    """A numeric column."""
    return {"type": "numeric", "index": index, "mean": index / 10, "stdev": 1 + index / 10}


def write_numeric_table(directory: Path) -> None:
    """numeric.json: 30 numbers, three layers of 64 units, each with batch normalization."""
    random = np.random.default_rng(0)
    layers = []
    for inputs in (COLUMNS, UNITS, UNITS):
        layers.append(make_dense(random, inputs, UNITS, "linear"))
        layers.append(make_batch_normalization(random, UNITS))
        layers.append({"type": "activation", "activation_function": "relu"})
    layers.append(make_dense(random, UNITS, CLASSES, "softmax"))
    document = make_document([make_numeric(index) for index in range(COLUMNS)], layers)
    (directory / "numeric.json").write_text(json.dumps(document))


def write_million_rows(directory: Path) -> None:
    """million.npy: f32[1000000, 30]."""
    rows = np.random.default_rng(1).normal(size=(1_000_000, COLUMNS)).astype(np.float32)
    np.save(directory / "million.npy", rows)


def write_mixed_table(directory: Path) -> None:
    """mixed.json: 12 numbers and 4 categories, two layers; row.json and rows.json: one row, and 20,000."""
    random = np.random.default_rng(2)
    numbers = [make_numeric(index) for index in range(NUMBERS)]
    categories = [
        {
            "type": "categorical",
            "index": NUMBERS + index,
            "values": [f"value {code}" for code in range(count)],
        }
        for index, count in enumerate(VALUES)
    ]
    layers = [
        make_dense(random, NUMBERS + sum(VALUES), 32, "tanh"),
        make_dense(random, 32, 32, "relu"),
        make_dense(random, 32, CLASSES, "softmax"),
    ]
    (directory / "mixed.json").write_text(json.dumps(make_document(numbers + categories, layers)))
    rows = [
        [
            *random.normal(size=NUMBERS).round(3).tolist(),
            *(f"value {random.integers(count)}" for count in VALUES),
        ]
        for _ in range(20_000)
    ]
    (directory / "row.json").write_text(json.dumps(rows[0]))
    (directory / "rows.json").write_text(json.dumps(rows))


def grow_tree(random: np.random.Generator, features: int, depth: int, leaves: int) -> Any:
    """A tree that splits random leaves above the lowest level, as BigML writes it."""
    tree: list[Any] = [None]
    open_leaves = [(tree, 0, 0)]
    count = 1
    while open_leaves and count < leaves:
        place, slot, level = open_leaves.pop(int(random.integers(len(open_leaves))))
        node = [int(random.integers(features)), round(float(random.normal()), 4), None, None]
        place[slot] = node
        count += 1
        if level + 1 < depth:
            open_leaves += [(node, 2, level + 1), (node, 3, level + 1)]
    return _with_leaves(random, tree)


def _with_leaves(random: np.random.Generator, tree: list[Any]) -> Any:
    """The tree with values in place of None; no recursion is deeper than the tree."""
    if tree[0] is None:
        return _leaf(random)
    stack = [tree[0]]
    while stack:
        node = stack.pop()
        for slot in (2, 3):
            if node[slot] is None:
                node[slot] = _leaf(random)
            else:
                stack.append(node[slot])
    return tree[0]


def _leaf(random: np.random.Generator) -> list[Any]:
    return [random.dirichlet(np.ones(CLASSES)).round(4).tolist(), None]


def write_forests(directory: Path) -> None:
    """shallow.json and deep.json: tree embeddings before a small network; features.npy: their rows."""
    random = np.random.default_rng(3)
    starts = np.linspace(0, FEATURES - 4, RANGES).astype(int).tolist()
    shallow = [[[start, start + 4], [grow_tree(random, 4, 3, 8) for _ in range(TREES)]] for start in starts]
    deep = [[[0, FEATURES], [grow_tree(random, FEATURES, 20, 1000) for _ in range(64)]]]
    plain = [{"type": "numeric", "index": index, "mean": 0, "stdev": 1} for index in range(FEATURES)]
    for name, trees in (("shallow", shallow), ("deep", deep)):
        width = len(trees) * CLASSES + FEATURES
        document = make_document(plain, [make_dense(random, width, CLASSES, "softmax")], trees)
        (directory / f"{name}.json").write_text(json.dumps(document))
    rows = random.normal(size=(FOREST_ROWS, FEATURES)).astype(np.float32)
    np.save(directory / "features.npy", rows)


def write_photographs(directory: Path) -> None:
    """photo-00.jpg, …: drawn scenes of the size of a photograph; photo.json, photos.json: rows of them.

    pixels.npy: the first one's, f32[1, 224, 224, 3].
    """
    random = np.random.default_rng(4)
    names = []
    for number in range(PHOTOGRAPHS):
        coarse = random.integers(0, 256, (12, 16, 3)).astype(np.uint8)
        names.append(str(directory / f"photo-{number:02d}.jpg"))
        Image.fromarray(coarse).resize(PHOTOGRAPH, Image.Resampling.BICUBIC).save(names[-1], quality=90)
    (directory / "photo.json").write_text(json.dumps([names[0]]))
    with Image.open(names[0]) as image:
        pixels = np.asarray(image.resize((SIDE, SIDE)), np.float32)
    np.save(directory / "pixels.npy", pixels[None])
    (directory / "photo_path.json").write_text(json.dumps(names[0]))
    (directory / "photos.json").write_text(json.dumps([[name] for name in names]))


def write_network(directory: Path, name: str) -> None:
    """The topology of a pretrained network with random weights, as JSON with every number in it."""
    write_document(name, directory / f"{name}.json")


def write_long_network(directory: Path) -> None:
    """resnet50_long.json: resnet50 with all digits of its weights, more than 500 MB."""
    write_document("resnet50", directory / "resnet50_long.json", digits=None)


def write_convolutions(directory: Path, megabytes: int = 100) -> None:
    """convolutions.json: convolutions of 256 filters, of so many megabytes of JSON."""
    random = np.random.default_rng(5)
    filters, numbers = 256, 3 * 3 * 256 * 256
    count = max(round(megabytes * 1e6 / (numbers * 10)), 1)

    def convolution(channels: int) -> Json:
        kernel = random.normal(0, 0.02, (3, 3, channels, filters)).round(6).tolist()
        return {
            "type": "convolution_2d",
            "kernel": kernel,
            "bias": [0.0] * filters,
            "strides": [2, 2],
            "padding": "same",
            "activation_function": "relu",
            "kernel_dimensions": [3, 3],
            "number_of_filters": filters,
        }

    layers = [
        convolution(3),
        *(convolution(filters) for _ in range(count)),
        {"type": "global_average_pool_2d"},
    ]
    document = make_document(
        [{"type": "image", "index": 0}], [make_dense(random, filters, CLASSES, "softmax")]
    )
    document["image_network"] = {
        "metadata": {
            "base_image_network": "convolutions",
            "version": None,
            "input_image_shape": [64, 64, 3],
            "loading_method": "normalizing",
            "outputs": filters,
        },
        "layers": layers,
    }
    (directory / "convolutions.json").write_text(json.dumps(document))
