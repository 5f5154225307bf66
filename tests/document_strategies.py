"""Random BigML documents about tables, and faults in them.

Weights are about 1/√inputs, statistics moderate behind the encoding, and layers that could make numbers
large are followed by none that would make them larger, so that float32 answers are comparable.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import define, field
from hypothesis import strategies as st
from seeds import SEEDS, seeded

Json = dict[str, Any]

BOUNDED = ("tanh", "sigmoid", "softsign", "hard_sigmoid", "relu6", "softmax")
UNBOUNDED = (
    None,
    "linear",
    "identity",
    "relu",
    "leaky_relu",
    "mish",
    "softplus",
    "elu",
    "selu",
    "gelu",
    "swish",
    "silu",
)
STEEP = ("exponential",)
"""Used only on what is surely small."""

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

LARGE = 8.0
"""Larger numbers go through a bounded activation next."""


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


# Layers


@define
class Stack:
    """A list of layers that is being made: `widths` and `bounds` of each layer's output, or of the input."""

    draw: st.DrawFn
    width: int
    bound: float
    """How large the numbers may be."""
    layers: list[Json] = field(factory=list)
    outputs: list[tuple[int, float]] = field(factory=list)

    def add(self, layer: Json, width: int, bound: float) -> None:
        self.layers.append(layer)
        self.outputs.append((width, bound))
        self.width, self.bound = width, bound

    def weights(self, *shape: int, scale: float = 1.0) -> Any:
        return seeded(self.draw(SEEDS), *shape, scale=scale).tolist()

    def count(self, least: int, most: int) -> int:
        return self.draw(st.integers(least, most))

    def activation(self, bound: float) -> tuple[str | None, float]:
        """A name, and how large its values are."""
        if bound > LARGE:
            return self.draw(st.sampled_from(BOUNDED)), 6.0
        steep = STEEP if bound <= 2 else ()
        name = self.draw(st.sampled_from([*UNBOUNDED, *BOUNDED, *steep]))
        return name, 6.0 if name in BOUNDED else math.exp(bound) if name in STEEP else 2 * bound + 1

    def source(self) -> Json:
        """`inputs` of a layer with one input: an earlier layer, by its number or from the end, or nothing."""
        if not self.outputs or self.count(0, 2):
            return {}
        index = self.count(-len(self.outputs), len(self.outputs) - 1)
        self.width, self.bound = self.outputs[index]
        return {"inputs": [index]}


def add_dense(stack: Stack, units: int | None = None, last: str | None = "") -> None:
    """A dense layer of this many units; `last` is its activation function, if not drawn."""
    source = stack.source()
    units = units or stack.count(1, 5)
    bound = 1.5 * stack.bound * math.sqrt(stack.width) + 0.5
    name, limit = stack.activation(bound) if last == "" else (last, bound)
    layer = {
        "type": "dense",
        **source,
        "weights": stack.weights(stack.width, units, scale=1.5 / math.sqrt(stack.width)),
        "activation_function": name,
    }
    if stack.count(0, 2):
        layer["offset"] = stack.draw(st.sampled_from([stack.weights(units, scale=0.5), None]))
    stack.add(layer, units, limit)


def add_normalization(stack: Stack) -> None:
    source = stack.source()
    width = stack.width
    layer = {
        "type": "batch_normalization",
        **source,
        **{key: stack.weights(width) for key in ("gamma", "beta", "mean")},
        "variance": (np.abs(seeded(stack.draw(SEEDS), width)) + 0.5).tolist(),
    }
    if stack.count(0, 1):
        layer["epsilon"] = stack.draw(st.sampled_from([1e-3, 1e-5, 0.0, 1]))
    stack.add(layer, width, 1.5 * stack.bound + 2.5)


def add_activation(stack: Stack) -> None:
    source = stack.source()
    name, bound = stack.activation(stack.bound)
    stack.add({"type": "activation", **source, "activation_function": name}, stack.width, bound)


def add_dropout(stack: Stack) -> None:
    layer = {"type": "dropout", "dropout_type": stack.draw(st.sampled_from(["zero", "alpha"])), "rate": 0.25}
    stack.add({**layer, **stack.source()}, stack.width, stack.bound)


def add_flatten(stack: Stack) -> None:
    stack.add({"type": "flatten", **stack.source()}, stack.width, stack.bound)


def add_split(stack: Stack) -> None:
    source = stack.source()
    splits = stack.draw(st.sampled_from([n for n in range(1, stack.width + 1) if stack.width % n == 0]))
    layer = {"type": "split_channels", **source, "number_of_splits": splits}
    stack.add({**layer, "group_index": stack.count(-splits, splits - 1)}, stack.width // splits, stack.bound)


def add_block(stack: Stack) -> None:
    """A residual block; its paths have layers of their own, and end in equal widths."""
    source = stack.source()
    start, bound = stack.width, stack.bound
    identity = Stack(stack.draw, start, bound)
    if stack.count(0, 1):
        add_dense(identity)
    path = Stack(stack.draw, start, bound)
    for _ in range(stack.count(0, 2)):
        stack.draw(st.sampled_from([add_dense, add_normalization, add_activation, add_dropout]))(path)
    if path.width != identity.width:
        add_dense(path, units=identity.width)
    name, limit = stack.activation(path.bound + identity.bound)
    layer = {
        "type": "dense_residual_block",
        **source,
        "dense_path": path.layers,
        "identity_path": identity.layers,
        "activation_function": name,
    }
    stack.add(layer, identity.width, limit)


def add_sum(stack: Stack) -> None:
    """The sum of two or three earlier outputs of one width, or of width 1."""
    width = stack.width
    fitting = [index for index, (size, _) in enumerate(stack.outputs) if size in (width, 1)]
    if fitting:
        last = len(stack.outputs) - 1
        inputs = [last, *stack.draw(st.lists(st.sampled_from(fitting), min_size=1, max_size=2))]
        bound = sum(stack.outputs[index][1] for index in inputs)
        stack.add({"type": "add", "inputs": inputs}, width, bound)


def add_concatenation(stack: Stack) -> None:
    if stack.outputs:
        positions = st.integers(-len(stack.outputs), len(stack.outputs) - 1)
        inputs = stack.draw(st.lists(positions, min_size=2, max_size=3))
        widths, bounds = zip(*(stack.outputs[index] for index in inputs), strict=True)
        stack.add({"type": "concatenate", "inputs": inputs}, sum(widths), max(bounds))


ADDERS: tuple[Callable[[Stack], None], ...] = (
    add_dense,
    add_normalization,
    add_activation,
    add_dropout,
    add_block,
    add_sum,
    add_concatenation,
    add_split,
    add_flatten,
)
"""Of every layer type that works on vectors. Two of them do nothing where nothing fits."""


def add_typed_layers(stack: Stack, outputs: int, last: str | None) -> None:
    for add in stack.draw(st.lists(st.sampled_from(ADDERS), max_size=6)):
        if stack.bound > LARGE:
            add_activation(stack)
        add(stack)
    add_dense(stack, units=outputs, last=last)


def add_legacy_layers(stack: Stack, outputs: int, last: str | None) -> None:
    """Fully connected layers without a type; some with statistics, some in residual pairs."""
    for _ in range(stack.count(0, 3)):
        stack.add(*legacy_layer(stack, stack.count(1, 5), *stack.activation(stack.bound)))
    stack.add(*legacy_layer(stack, outputs, last, LARGE))


def legacy_layer(stack: Stack, units: int, name: str | None, bound: float) -> tuple[Json, int, float]:
    width, normalized = stack.width, stack.count(0, 1)
    layer = {
        "weights": stack.weights(units, width, scale=1.5 / math.sqrt(width)),
        "offset": stack.weights(units, scale=0.5),
        "scale": stack.weights(units) if normalized else None,
        "mean": stack.weights(units) if normalized else None,
        "stdev": (np.abs(seeded(stack.draw(SEEDS), units)) + 0.5).tolist() if normalized else None,
        "activation_function": name,
        "residuals": stack.draw(st.booleans()),
    }
    return layer, units, 4 * bound


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
    stack = Stack(draw, width, LARGE)
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
    trees = draw(st.lists(forests(features), max_size=3))
    tree_width = features + sum(leaf_size(forest[1][0]) for forest in trees)
    exposition, outputs, last = draw(expositions())
    network: Json = {"preprocess": preprocess, "output_exposition": exposition}
    network |= {"trees": trees} if trees else draw(st.sampled_from([{}, {"trees": None}, {"trees": []}]))
    if draw(st.booleans()):
        return {**network, "layers": draw(layer_lists(tree_width, outputs, last))}
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        with_trees = bool(trees) and draw(st.booleans())
        width = tree_width if with_trees else features
        flag = (
            {"trees": True} if with_trees else draw(st.sampled_from([{}, {"trees": False}, {"trees": None}]))
        )
        parts.append({"layers": draw(layer_lists(width, outputs, last)), **flag})
    if draw(st.booleans()):
        parts[0]["output_exposition"] = network.pop("output_exposition")
    return {**network, "networks": parts}


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


# Faults

JUNK = (
    None,
    True,
    0,
    -1,
    3,
    2.5,
    1e39,
    10**30,
    math.nan,
    "",
    "relu",
    "ones",
    "dense",
    [],
    {},
    [[]],
    [[1, 2], [3]],
)
"""Values of every JSON type, most of them wrong wherever they stand."""


def places(document: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a document, from the outside in."""
    found: list[tuple[Any, Any]] = []
    pending = [document]
    while pending:
        container = pending.pop(0)
        for key in container if isinstance(container, dict) else range(len(container)):
            found.append((container, key))
            if isinstance(container[key], dict | list):
                pending.append(container[key])
    return found


def delete(container: Any, key: Any, _: Any) -> None:
    del container[key]


def replace(container: Any, key: Any, junk: Any) -> None:
    container[key] = copy.deepcopy(junk)


def retype(container: Any, key: Any, _: Any) -> None:
    value = container[key]
    container[key] = [value] if isinstance(value, dict | str) else str(value)


def make_ragged(container: Any, key: Any, _: Any) -> None:
    """Shorten a list, or an entry of one, by one."""
    value = container[key]
    if isinstance(value, list) and value:
        shorter = value[-1] if isinstance(value[-1], list) and value[-1] else value
        shorter.pop()


FAULTS = (delete, replace, retype, make_ragged)


@st.composite
def mutations(draw: st.DrawFn, document: Json) -> Json:
    """A copy of the document with one to three faults; some are harmless."""
    damaged = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        found = places(damaged)
        if found:
            container, key = draw(st.sampled_from(found))
            draw(st.sampled_from(FAULTS))(container, key, draw(st.sampled_from(JUNK)))
    return damaged
