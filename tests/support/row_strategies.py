"""Random rows for the documents of `document_strategies`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from hypothesis import strategies as st

from sensenet.ir.graph import Graph
from sensenet.signature import PIXEL_INPUT
from support.document_images import image_arrays
from support.document_strategies import CATEGORIES, STEPS, Json, network_of, row_width
from support.seeds import SEEDS, seeded

ODD_PIXELS = (math.nan, math.inf, -math.inf, -1.0, 1e30)


def scale_of(column: Json) -> tuple[float, float]:
    """The mean and standard deviation of a numeric column, or what stands for them."""
    return column.get("mean", column.get("zero_value")), column.get("stdev", 1.0) or 1.0


def numbers_at_ties(column: Json) -> list[float]:
    """Numbers that are STEPS from the mean, where thresholds are too, and their neighbors in float32."""
    mean, stdev = scale_of(column)
    near = [np.float32(mean + step * stdev) for step in STEPS]
    ends = (None, np.float32(-np.inf), np.float32(np.inf))
    return [float(x if end is None else np.nextafter(x, end)) for x in near for end in ends]


def numeric_cells(column: Json) -> st.SearchStrategy[Any]:
    """Numbers on and off ties, text of numbers, None."""
    mean, stdev = scale_of(column)
    simple = [mean, mean + stdev, repr(mean), repr(mean - stdev), int(mean), None, True]
    others = SEEDS.map(lambda seed: float(mean + 3 * stdev * seeded(seed)))
    return st.sampled_from(simple) | st.sampled_from(numbers_at_ties(column)) | others


def categorical_cells(column: Json) -> st.SearchStrategy[Any]:
    return st.sampled_from([*column["values"], *CATEGORIES, None, 1, 1.0, True, "unknown", ["a"]])


def image_cells(network: Json) -> st.SearchStrategy[Any]:
    """Images of the image network's own size."""
    width, height, *_ = network["image_network"]["metadata"]["input_image_shape"]
    return image_arrays(height, width)


CELLS: dict[str, Callable[[Json], st.SearchStrategy[Any]]] = {
    "numeric": numeric_cells,
    "categorical": categorical_cells,
}


def readers_of(network: Json) -> list[Json | None]:
    """For each cell of a row, a column that reads it: a numeric one, if there is one."""
    width = row_width(network)
    readers: list[Json | None] = [None] * width
    for column in sorted(network["preprocess"], key=lambda column: column["type"]):
        readers[column["index"] % width] = column
    return readers


def cells_of(network: Json) -> Iterator[st.SearchStrategy[Any]]:
    """For each cell of a row, what fits the column that reads it."""
    for column in readers_of(network):
        if column is not None and column["type"] == "image":
            yield image_cells(network)
        else:
            yield CELLS[column["type"]](column) if column else st.none()


def rows(document: Json, max_size: int = 5) -> st.SearchStrategy[list[list[Any]]]:
    """Rows that the document's model takes: numbers near the statistics, categories known and not, None."""
    return st.lists(st.tuples(*cells_of(network_of(document))).map(list), min_size=1, max_size=max_size)


def tie_rows(document: Json) -> list[list[Any]]:
    """Rows in which every number of every column is at a tie with some threshold, or right beside one."""
    readers = list(enumerate(readers_of(network_of(document))))
    return [
        [tied_cell(column, number + 7 * position) for position, column in readers]
        for number in range(3 * len(STEPS))
    ]


def tied_cell(column: Json | None, number: int) -> Any:
    if column is None:
        return None
    cells = column["values"] if column["type"] == "categorical" else numbers_at_ties(column)
    return cells[number % len(cells)] if cells else None


def odd_rows(document: Json) -> st.SearchStrategy[list[list[Any]]]:
    """Rows in which numbers may be NaN, infinite, or beyond float32."""
    odd = st.sampled_from([math.nan, math.inf, -math.inf, 1e300, -1e-300, "nan", "inf"])
    cells = [st.one_of(cell, odd) for cell in cells_of(network_of(document))]
    return st.lists(st.tuples(*cells).map(list), min_size=1, max_size=5)


@st.composite
def pixels(draw: st.DrawFn, graph: Graph) -> np.ndarray:
    """Two rows of images for a graph's input of pixels: of the network's size, or of another."""
    declared = next(node for node in graph.inputs if node.name == PIXEL_INPUT).types[0]
    assert graph.signature.image is not None
    image = graph.signature.image
    own = (image.height, image.width)
    height, width = draw(st.sampled_from([own, (7, 5), (9, 12), (image.height + 1, 2 * image.width)]))
    shape = (2, *(declared.shape[1:2] if declared.rank == 5 else ()), height, width, declared.shape[-1])
    return np.floor(127.5 + 127.4 * seeded(draw(SEEDS), *shape)).astype(np.float32)


@st.composite
def odd_pixels(draw: st.DrawFn, graph: Graph) -> np.ndarray:
    """The same with numbers that are no pixels."""
    array = draw(pixels(graph))
    for _ in range(draw(st.integers(0, 2))):
        array.flat[draw(st.integers(0, array.size - 1))] = draw(st.sampled_from(ODD_PIXELS))
    return array
