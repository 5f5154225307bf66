"""Random BigML documents: columns, trees, networks and what is around them; see also `document_images`.

Statistics are moderate behind the encoding, so that float32 answers are comparable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from support.document_images import image_networks
from support.document_layers import LARGE, Json, Stack, add_legacy_layers, add_typed_layers
from support.seeds import SEEDS, seeded

CATEGORIES = ("a", "b", "", " a", "A", "1", "1.0", "True", "None", "nan", "é", "ñ\n", '"', "日本")
ODD_CATEGORIES = (*CATEGORIES, None, 1, True)
"""Entries that are no text match nothing."""

STATISTICS = (
    (0.0, 1.0),
    (3.5, 2.0),
    (-0.25, 0.5),
    (10.0, 0.0),
    (0.1, 1e-3),
    (1e6, 250.0),
    (-12345.678, 3.0),
    (2.0, 1e5),
    (1.0, -2.0),
)
"""Means and standard deviations; one is 0, one negative, one much smaller than its mean."""

OBJECTIVES = ((0.0, 1.0), (3.5, 2.0), (-0.25, 0.5), (100.0, 20.0), (10.0, 0.0))
"""Those of what is predicted: a large mean would hide what float32 answers differ in."""

STEPS = (0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -3.0, 0.1, 1 / 3)
"""Cells lie so many standard deviations from the mean; thresholds too, so that they meet."""


# Columns


def numeric_columns() -> st.SearchStrategy[Json]:
    return st.sampled_from(STATISTICS).map(
        lambda pair: {"type": "numeric", "mean": pair[0], "stdev": pair[1]}
    )


def binary_columns() -> st.SearchStrategy[Json]:
    pairs = st.sampled_from([(0.0, 1.0), (1.0, 2.0), (5.0, -1.0), (3.0, 3.0)])
    return pairs.map(lambda pair: {"type": "numeric", "zero_value": pair[0], "one_value": pair[1]})


def categorical_columns() -> st.SearchStrategy[Json]:
    values = st.lists(st.sampled_from(CATEGORIES), max_size=4) | st.lists(
        st.sampled_from(ODD_CATEGORIES), max_size=3
    )
    return values.map(lambda found: {"type": "categorical", "values": found})


@st.composite
def preprocesses(draw: st.DrawFn) -> list[Json]:
    """Columns that together give one feature or more; cells in another order, read twice, or from the end."""
    kinds = numeric_columns() | categorical_columns() | binary_columns()
    columns = draw(st.lists(kinds, min_size=1, max_size=5))
    if not sum(map(count_features, columns)):
        columns.append(draw(numeric_columns()))
    order = draw(st.permutations(range(len(columns))))
    for column, index in zip(columns, order, strict=True):
        column["index"] = index
    if draw(st.integers(0, 4)) == 4:
        columns[-1]["index"] = draw(st.integers(-1, len(columns)))
    return columns


def count_features(column: Json) -> int:
    return len(column["values"]) if column["type"] == "categorical" else 1


# Trees


def leaves(outputs: int) -> st.SearchStrategy[list[Any]]:
    return SEEDS.map(lambda seed: [seeded(seed, outputs).tolist(), None])


@st.composite
def forests(draw: st.DrawFn, features: int) -> list[Any]:
    """`[[start, end], trees]` over a range of the features; ragged trees, and some that are one leaf."""
    start = draw(st.integers(0, features - 1))
    end = draw(st.integers(start + 1, features))
    outputs = draw(st.integers(1, 2))
    splits = st.tuples(st.integers(0, end - start - 1), st.sampled_from([*STEPS, 0.5]))
    trees = st.recursive(
        leaves(outputs),
        lambda subtrees: st.tuples(splits, subtrees, subtrees).map(lambda t: [*t[0], t[1], t[2]]),
        max_leaves=6,
    )
    return [[start, end], draw(st.lists(trees, min_size=1, max_size=3))]


def leaf_size(tree: list[Any]) -> int:
    while tree[1] is not None or not isinstance(tree[0], list):
        tree = tree[2]
    return len(tree[0])


# Networks and documents


@st.composite
def layer_lists(draw: st.DrawFn, width: int, outputs: int, last: str | None) -> list[Json]:
    """Layers from this many features to this many outputs, typed or legacy."""
    stack = Stack(draw, (width,), LARGE)
    draw(st.sampled_from([add_typed_layers, add_typed_layers, add_legacy_layers]))(stack, outputs, last)
    return stack.layers


@st.composite
def expositions(draw: st.DrawFn) -> tuple[Json, int, str | None]:
    """What the outputs stand for, how many there are, and the activation of the last layer."""
    if draw(st.booleans()):
        mean, stdev = draw(st.sampled_from(OBJECTIVES))
        return {"type": "numeric", "mean": mean, "stdev": stdev}, draw(st.integers(1, 2)), None
    values = draw(st.lists(st.sampled_from(CATEGORIES), min_size=1, max_size=3, unique=True))
    return {"type": "categorical", "values": values}, len(values), "softmax"


@st.composite
def networks(draw: st.DrawFn) -> Json:
    """The object with `preprocess`: one network or an ensemble, with trees or without."""
    preprocess = draw(preprocesses())
    features = sum(map(count_features, preprocess))
    return {"preprocess": preprocess, **draw(heads(features, features))}


@st.composite
def image_documents(draw: st.DrawFn) -> Json:
    """A document about one or two images a row, and perhaps a table.

    Trees don't read what is made of the images: rounding would send rows another way.
    """
    image_network, width = draw(image_networks())
    images = [{"type": "image"} for _ in range(draw(st.integers(1, 2)))]
    columns = draw(st.just([]) | preprocesses())
    tabular = sum(map(count_features, columns))
    images_last = draw(st.booleans())
    preprocess = [*columns, *images] if images_last else [*images, *columns]
    for column, index in zip(preprocess, draw(st.permutations(range(len(preprocess)))), strict=True):
        column["index"] = index
    head = draw(heads(tabular + width * len(images), tabular if images_last else 0))
    network = {"preprocess": preprocess, "image_network": image_network, **head}
    return draw(st.sampled_from(ENVELOPES))(network)


@st.composite
def heads(draw: st.DrawFn, features: int, for_trees: int) -> Json:
    """What reads the features: layers, or an ensemble of them, and trees on the first few."""
    trees = draw(st.lists(forests(for_trees), max_size=3)) if for_trees else []
    tree_width = features + sum(leaf_size(forest[1][0]) for forest in trees)
    exposition, outputs, last = draw(expositions())
    head: Json = {"output_exposition": exposition}
    head |= {"trees": trees} if trees else draw(st.sampled_from([{}, {"trees": None}, {"trees": []}]))
    if not draw(st.booleans()):
        return {**head, "layers": draw(layer_lists(tree_width, outputs, last))}
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        with_trees = bool(trees) and draw(st.booleans())
        width = tree_width if with_trees else features
        flag = (
            {"trees": True} if with_trees else draw(st.sampled_from([{}, {"trees": False}, {"trees": None}]))
        )
        parts.append({"layers": draw(layer_lists(width, outputs, last)), **flag})
    if draw(st.booleans()):
        parts[0]["output_exposition"] = head.pop("output_exposition")
    return {**head, "networks": parts}


def wrap_resource(network: Json) -> Json:
    """A resource as it is downloaded, with the fields of a row's cells."""
    ids = [f"{number:06x}" for number in range(row_width(network))]
    fields = {id_: {"name": f"field {id_}", "optype": "numeric"} for id_ in ids}
    for column in network["preprocess"]:
        if column["type"] == "categorical":
            fields[ids[column["index"]]]["optype"] = "categorical"
    return {
        "code": 200,
        "object": {
            "resource": "deepnet/0123456789abcdef01234567",
            "name": "a model",
            "description": "",
            "input_fields": ids,
            "fields": {**fields, "ffffff": {"name": "objective", "optype": "numeric"}},
            "objective_fields": ["ffffff"],
            "deepnet": {"network": network, "missing_numerics": True},
        },
    }


ENVELOPES: tuple[Callable[[Json], Json], ...] = (
    lambda network: network,
    lambda network: {"network": network},
    lambda network: {"deepnet": {"network": network}},
    lambda network: {"model": {"network": network}, "name": "m"},
    wrap_resource,
)


def documents() -> st.SearchStrategy[Json]:
    """Whole documents, of every envelope."""
    return st.tuples(st.sampled_from(ENVELOPES), networks()).map(lambda pair: pair[0](pair[1]))


def network_of(document: Json) -> Json:
    """The network in a document of `documents()`."""
    for key in ("object", "deepnet", "model", "network"):
        document = document.get(key, document)
    return document


def row_width(network: Json) -> int:
    """The number of cells that a row needs."""
    return max(column["index"] + 1 if column["index"] >= 0 else 1 for column in network["preprocess"])
