"""Tables and folders of images for the engines of many machines, and the answers of one process."""

from __future__ import annotations

import importlib
import os

import numpy as np
import pytest

import sensenet
from support import resources

ALWAYS = "SENSENET_TEST_SCALE"
"""The variable with which a missing engine fails its tests instead of skipping them: `.ci/scale` sets it."""

TABLES = {
    "rows": ("tabular", {"width": 2.5, "color": "green", "height": None}),
    "texts": ("mixed", dict(resources.MIXED_ROWS[0], **{"when.year": 2001, "cost": "$2.5 each"})),
    "trees": ("trees", {"width": -1.0, "color": "red", "height": 0.5}),
}
"""A resource, and a row of it with every column."""


def require(package):
    """Return a package; skip the test without it, or fail if ALWAYS is set."""
    return importlib.import_module(package) if os.environ.get(ALWAYS) else pytest.importorskip(package)


def make_table(name, rows):
    """Return a model, and rows as a `pyarrow.Table` with the column `id`, from 0."""
    pa = require("pyarrow")
    resource, row = TABLES[name]
    random = np.random.default_rng(len(name))
    numbers = random.normal(size=rows).round(3)
    columns = {"id": list(range(rows))}
    for field, value in row.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            columns[field] = [None if number > 2 else float(number) for number in numbers]
        elif value is None:
            columns[field] = [None if number < -1 else float(number) for number in numbers]
        else:
            columns[field] = [value if number > -0.5 else None for number in numbers]
    return sensenet.create_model(resources.RESOURCES[resource]()), pa.table(columns)


def write_images(folder, count):
    """Write images of several sizes; return their paths."""
    from PIL import Image

    random = np.random.default_rng(0)
    paths = []
    for number in range(count):
        paths.append(str(folder / f"{number}.png"))
        pixels = random.integers(0, 256, (9 + number, 14, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(paths[-1])
    return paths


def image_model():
    """Return a model of the field `photo`, whose answers are detections."""
    return sensenet.create_model(resources.region_resource(), settings={"bounding_box_threshold": 0.01})


def scored(table, model, **options):
    """Return the answers of this process as a list of dicts, as `sensenet.batches` gives them."""
    from sensenet.batches import score

    return [row for batch in score(table, model, **options) for row in batch.to_pylist()]
