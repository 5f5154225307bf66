"""Stores the graph of a SavedModel in its assets, so that it can be compiled for another target.

`assets/graph.ir` is its text form. The weights that the text names by digest are in the SavedModel itself, as
variables and as constants of its functions: `assets/weights.json` has their file, offset, dtype and shape.
Weights that the lowering has changed are in `assets/graph.npz`. Reading the graph does not need TensorFlow.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sensenet.backends.formats.npz import read_npz, write_npz
from sensenet.backends.interpreter.executable import parse_saved
from sensenet.backends.savedmodel.names import MODEL_FILE
from sensenet.errors import ArtifactError
from sensenet.ir.graph import Graph
from sensenet.ir.printer import print_graph, text_digest, weights
from sensenet.ir.types import Array, DType, Tensor

TEXT_FILE = "assets/graph.ir"
WEIGHTS_FILE = "assets/graph.npz"
LOCATIONS_FILE = "assets/weights.json"

VARIABLES = "variables/variables"


def describe_graph(graph: Graph, path: Path) -> dict[str, bytes]:
    """Return the assets that describe the graph of the SavedModel in a directory, by relative path."""
    holders = [path / MODEL_FILE, *sorted((path / VARIABLES).parent.glob("variables.data-*"))]
    contents = {holder.relative_to(path).as_posix(): holder.read_bytes() for holder in holders}
    locations: dict[str, list[Any]] = {}
    missing: dict[str, Array] = {}
    for digest, array in weights(graph).items():
        location = _find(array, contents)
        if location is None:
            missing[digest] = array
        else:
            locations[digest] = location
    files = {TEXT_FILE: print_graph(graph).encode(), LOCATIONS_FILE: json.dumps(locations).encode()}
    return files | ({WEIGHTS_FILE: write_npz(missing)} if missing else {})


def _find(array: Array, contents: Mapping[str, bytes]) -> list[Any] | None:
    """Return file, offset, dtype and shape of a weight; None if no file contains its bytes."""
    stored = array.tobytes()
    for name, content in contents.items():
        offset = content.find(stored)
        if offset >= 0:
            return [name, offset, array.dtype.name, list(array.shape)]
    return None


def read_graph(files: Mapping[str, bytes], where: str) -> Graph | None:
    """Return the graph in a SavedModel's files, or None if there is none; raises ArtifactError."""
    if TEXT_FILE not in files:
        return None
    named = read_npz(files[WEIGHTS_FILE], f"{where}: {WEIGHTS_FILE}") if WEIGHTS_FILE in files else {}
    return parse_saved(files[TEXT_FILE], {**_read_located(files, where), **named}, f"{where}: {TEXT_FILE}")


def _read_located(files: Mapping[str, bytes], where: str) -> dict[str, Array]:
    """Return the weights that are in other files of the SavedModel, by digest."""
    try:
        locations = json.loads(files.get(LOCATIONS_FILE, b"{}"))
        found = {digest: _read_location(files, *location) for digest, location in locations.items()}
        changed = [digest for digest, array in found.items() if text_digest(Tensor(array)) != digest]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise ArtifactError(f"{where}: {LOCATIONS_FILE} is damaged ({error})") from error
    if changed:
        raise ArtifactError(
            f"{where} is damaged: the weight {changed[0][:20]!r} differs from the one that was saved"
        )
    return found


def _read_location(files: Mapping[str, bytes], name: str, offset: int, dtype: str, shape: list[int]) -> Array:
    kind = DType.of(np.empty(0, np.dtype(dtype))).numpy
    if offset < 0 or any(size < 0 for size in shape):
        raise ValueError("a negative size")
    return np.frombuffer(files[name], kind, math.prod(shape), offset).reshape(shape)
