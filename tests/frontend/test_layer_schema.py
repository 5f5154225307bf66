"""Every layer type, walked through all that reads its schema: forgetting one would lose weights silently."""

from __future__ import annotations

import copy
import functools
import inspect
import json
import re
import types

import numpy as np
import pytest
from support.document_images import BLOCKS, IMAGE_ADDERS, KEEPING, LAST_ADDERS
from support.document_layers import ADDERS
from support.document_reference import run_layer
from support.documents import convolution, dense, image, network, normalization, weights
from support.image_reference import run_image_layer

from sensenet.backends.keras.h5 import load_weights, write_weights
from sensenet.backends.keras.weights import get_weights, replace_ops, set_weights, weighted_nodes
from sensenet.frontend import import_graph
from sensenet.frontend.document import find_network, read_source
from sensenet.frontend.json.weight_lists import LIST_KEYS
from sensenet.frontend.layers import dense as dense_layers
from sensenet.frontend.layers import image as image_layers
from sensenet.frontend.layers.table import LAYERS, with_schemas
from sensenet.frontend.network import build_graph
from sensenet.frontend.strip import strip_weights
from sensenet.frontend.weights import write_weights as write_document_weights
from sensenet.ir.graph import same_graph
from sensenet.ir.types import Tensor
from sensenet.layer_schema import OP_WEIGHTS, PATHS, SCHEMAS, UNTYPED, WEIGHT_KEYS, Weight
from sensenet.settings import Settings

FILE = "tests/frontend/test_layer_schema.py"

SIDE, CHANNELS = 4, 3


def plain(kind, **members):
    return {"type": kind, **members}


def bias(units):
    return (np.arange(units) / 8 + 0.25).tolist()


LAYERS_OF_TYPES = {
    "dense": plain("dense", weights=weights(5, 5), offset=bias(5), activation_function="relu"),
    "batch_normalization": normalization(CHANNELS),
    "activation": plain("activation", activation_function="tanh"),
    "dropout": plain("dropout", dropout_type="zero", rate=0.5),
    "flatten": plain("flatten"),
    "add": plain("add", inputs=[0, 0]),
    "concatenate": plain("concatenate", inputs=[0, 0]),
    "split_channels": plain("split_channels", number_of_splits=CHANNELS, group_index=1),
    "convolution_2d": {**convolution(CHANNELS, 2), "bias": bias(2)},
    "depthwise_convolution_2d": {
        **convolution(CHANNELS, 1),
        "type": "depthwise_convolution_2d",
        "kernel": weights(2, 2, CHANNELS, 2),
        "depth_multiplier": 2,
        "bias": bias(2 * CHANNELS),
    },
    "separable_convolution_2d": plain(
        "separable_convolution_2d",
        depth_kernel=weights(2, 2, CHANNELS, 1),
        point_kernel=weights(1, 1, CHANNELS, 2),
        depth_multiplier=1,
        strides=[1, 1],
        padding="same",
        bias=bias(2),
    ),
    "max_pool_2d": plain("max_pool_2d", pool_size=2, strides=None, padding="valid"),
    "average_pool_2d": plain("average_pool_2d", pool_size=2, strides=None, padding="valid"),
    "global_average_pool_2d": plain("global_average_pool_2d"),
    "global_max_pool_2d": plain("global_max_pool_2d"),
    "padding_2d": plain("padding_2d", padding=[[1, 0], [0, 1]]),
    "upsampling_2d": plain("upsampling_2d", size=2, method="nearest"),
    "dense_residual_block": plain(
        "dense_residual_block",
        dense_path=[dense(5, 5, "relu"), dense(5, 5, None)],
        identity_path=[dense(5, 5, None)],
        activation_function="tanh",
    ),
    **{
        kind: plain(
            kind,
            convolution_path=[convolution(CHANNELS, CHANNELS), normalization(CHANNELS)],
            identity_path=[],
            activation_function="relu",
        )
        for kind in ("resnet_block", "resnet18_block", "darknet_residual_block", "mobilenet_residual_block")
    },
    "xception_block": plain(
        "xception_block",
        separable_convolution_path=[convolution(CHANNELS, CHANNELS), normalization(CHANNELS)],
        single_convolution_path=[convolution(CHANNELS, CHANNELS)],
        activation_function="relu",
    ),
}
"""A layer of each type, with all of its weights."""

ON_VECTORS = frozenset({"dense", "dense_residual_block"})

OTHER_LISTS = frozenset({"inputs", "padding", "strides"})

UNTYPED_LAYER = {
    "weights": weights(5, 5),
    "offset": bias(5),
    "scale": bias(5),
    "mean": bias(5),
    "stdev": bias(5),
    "activation_function": "relu",
}


def make_document(kind, columns=1, **members):
    """A network with a layer of this type in it, and as many columns of images if it works on those."""
    layer = copy.deepcopy(LAYERS_OF_TYPES[kind]) | members
    if kind in ON_VECTORS:
        return network([layer, dense(5, 2, "softmax")])
    document = image()
    document["image_network"]["metadata"]["input_image_shape"] = [SIDE, SIDE, CHANNELS]
    first = plain("activation", activation_function="linear")
    document["image_network"]["layers"] = [first, layer, *([] if kind == "flatten" else [plain("flatten")])]
    document["preprocess"] = [{"index": index, "type": "image"} for index in range(columns)]
    document["layers"] = [plain("dense", weights="glorot_uniform", offset=None, number_of_nodes=2)]
    document["output_exposition"] = {"type": "categorical", "values": ["a", "b"]}
    return document


DOCUMENTS = {kind: make_document(kind) for kind in LAYERS_OF_TYPES} | {
    "untyped": network([UNTYPED_LAYER, {"weights": weights(2, 5), "offset": bias(2)}])
}


def declared_weights(layer):
    """The layer and those in its blocks, each with what its schema declares of what it has."""
    schema = SCHEMAS[layer["type"]] if layer.get("type") else UNTYPED
    yield from ((layer, weight) for weight in schema.weights if layer.get(weight.key) is not None)
    for path in schema.paths:
        for inner in layer[path]:
            yield from declared_weights(inner)


def all_weights(document):
    """Those of the layers that are walked, which are in the image network if there is one."""
    for layer in document.get("image_network", document)["layers"]:
        yield from declared_weights(layer)


def test_no_two_layer_types_have_weights_in_one_op():
    """An op's weights are found by its class, so those of the other type would be lost."""
    ops = [schema.op for schema in SCHEMAS.values() if schema.op is not None]
    assert len(ops) == len(set(ops)), "give each layer type that has weights an op of its own"
    assert all(schema.op for schema in SCHEMAS.values() if schema.weights), "name the op that has the weights"


def test_every_schema_has_a_row():
    missing = set(SCHEMAS) - set(LAYERS)
    assert not missing, (
        f"layer, steps 2 and 3: write builders build_… of {sorted(missing)} in dense.py or image.py of "
        "sensenet/frontend/layers/, "
        "and give it a row in SIMPLE_LAYERS of sensenet/frontend/layers/table.py"
    )


def test_every_builder_has_a_row():
    modules = (dense_layers, image_layers)
    builders = {name for module in modules for name in own(module) if name.startswith("build_")}
    missing = builders - {layer_type.build.__name__ for layer_type in LAYERS.values()}
    assert not missing, (
        f"layer, step 3: give {sorted(missing)} a row in SIMPLE_LAYERS of sensenet/frontend/layers/table.py"
    )


def own(module):
    """The functions that a module defines, not those that it imports."""
    return {
        name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__
    }


def test_every_layer_type_has_an_example():
    missing = set(SCHEMAS) - set(LAYERS_OF_TYPES)
    assert not missing, f"layer, step 6: give {sorted(missing)} an example in LAYERS_OF_TYPES of {FILE}"
    assert set(LAYERS_OF_TYPES) <= set(SCHEMAS)


def test_every_layer_type_is_drawn():
    """By a function that is in a tuple of those that random documents are made with."""
    drawn = {
        kind
        for add in (*ADDERS, *KEEPING, *IMAGE_ADDERS, *LAST_ADDERS)
        for function in called(add)
        for kind in texts(function.__code__)
    } | set(BLOCKS)
    missing = sorted(set(SCHEMAS) - drawn)
    assert not missing, (
        f"layer, step 7: draw {missing} by a function in ADDERS of tests/support/document_layers.py, or in "
        "IMAGE_ADDERS "
        "or LAST_ADDERS of tests/support/document_images.py, and in KEEPING there if it keeps an image's size"
    )


def test_every_layer_type_has_a_reference():
    found = {*texts(run_layer.__code__), *texts(run_image_layer.__code__)}
    missing = sorted(kind for kind in SCHEMAS if kind not in found and not kind.endswith("_block"))
    assert not missing, (
        f"layer, step 8: write the formulas of {missing}: a case of run_layer in "
        "tests/support/document_reference.py, or of run_image_layer in tests/support/image_reference.py"
    )


def called(add):
    """A function that draws a layer, and those that it names, such as the one that a lambda calls."""
    names = add.__code__.co_names
    return [add, *(add.__globals__[name] for name in names if inspect.isfunction(add.__globals__.get(name)))]


def texts(constant):
    """The texts in the constants of a function's code."""
    if isinstance(constant, str):
        yield constant
    parts = constant.co_consts if isinstance(constant, types.CodeType) else constant
    if isinstance(parts, tuple | frozenset):
        for part in parts:
            yield from texts(part)


def test_a_layer_type_without_a_schema_is_refused():
    """Which is layer, step 1: the import raises this."""
    with pytest.raises(KeyError, match="no schema for without a schema: declare it in"):
        with_schemas({"dense": lambda _: None, "without a schema": lambda _: None})


@pytest.mark.parametrize("kind", LAYERS_OF_TYPES)
def test_the_example_has_every_weight_and_path(kind):
    layer, schema = LAYERS_OF_TYPES[kind], SCHEMAS[kind]
    assert [weight.key for _, weight in declared_weights(layer)][: len(schema.weights)] == [
        weight.key for weight in schema.weights
    ]
    lists = {key for key, value in layer.items() if isinstance(value, list)}
    assert lists - OTHER_LISTS == {*(weight.key for weight in schema.weights), *schema.paths}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_every_weight_is_read_into_the_graph(document):
    """Changing any number of a weight changes the graph: a builder that ignored it would not notice."""
    graph = import_graph(document)
    for number in range(len(list(all_weights(document)))):
        changed = copy.deepcopy(document)
        layer, weight = list(all_weights(changed))[number]
        layer[weight.key] = (np.asarray(layer[weight.key]) * 2 + 1).tolist()
        assert not same_graph(import_graph(changed), graph), (
            f"layer, step 2: read {weight.key} in the builder of {layer.get('type')}, "
            "in sensenet/frontend/layers/: "
            f"layer.weight({weight.key!r})"
        )


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_every_weight_is_stripped_and_comes_back_from_an_h5_file(document, tmp_path):
    graph = import_graph(document)
    stripped = strip_weights(document)
    for layer, weight in all_weights(stripped):
        assert layer[weight.key] == weight.initializer
        assert weight.sizes.keys() <= layer.keys()
    path = tmp_path / "m.h5"
    path.write_bytes(write_weights(graph))
    assert same_graph(load_weights(import_graph(stripped), path), graph)


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_every_weight_is_cut_out_of_text(document):
    assert {weight.key for _, weight in all_weights(document)} <= set(LIST_KEYS)
    text = json.dumps(document)
    assert same_graph(import_graph(text), import_graph(document))


def layer_at(document, path):
    """The layer at a JSON path such as `layers[0].dense_path[1]`."""
    steps = re.findall(r"[^.\[\]]+", path)
    return functools.reduce(lambda value, step: value[int(step) if step.isdigit() else step], steps, document)


STRIDED = {"strides": [1, 2]}
"""Unlike ones, with which a layer becomes several nodes."""


@pytest.mark.parametrize(
    "document",
    [
        *DOCUMENTS.values(),
        make_document("depthwise_convolution_2d", **STRIDED),
        make_document("separable_convolution_2d", **STRIDED),
        make_document("convolution_2d", columns=3),
        network([{**UNTYPED_LAYER, "offset": None}, {**UNTYPED_LAYER, "residuals": True}]),
    ],
    ids=[*DOCUMENTS, "strided-depthwise", "strided-separable", "three-images", "untyped-pair"],
)
def test_the_source_of_every_weight_is_known(document):
    """Every weight of the document is that of a node's attribute, which has its numbers in the op's form."""
    imported = build_graph(find_network(document), Settings())
    found = {}
    for name, sources in imported.weight_sources.items():
        for attribute, source in sources.items():
            given = layer_at(document, source.layer)[source.key]
            found[source.path] = given
            assert source.named is isinstance(given, str)
            if not source.named:
                expected = source.form.read(Tensor.float32(given))
                assert getattr(imported.graph.node(name).op, attribute) == expected
                assert np.allclose(source.form.write(expected).array, given)
    walked = [layer[weight.key] for layer, weight in all_weights(document)]
    assert walked == [given for given in found.values() if not isinstance(given, str)]
    for node in imported.graph.nodes:
        given = {weight.attribute for weight in OP_WEIGHTS.get(type(node.op), ())}
        for name in given - imported.weight_sources.get(node.name, {}).keys():
            weight = getattr(node.op, name)
            assert weight is None or not weight.array.any(), "only a bias that is left out has no source"


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_every_weight_is_written_back(document, tmp_path):
    """Each weight of the graph, changed, is found in the document that is written."""
    root = read_source(document)
    found = find_network(root)
    imported = build_graph(found, Settings())
    graph = imported.graph
    path = tmp_path / "m.h5"
    path.write_bytes(write_weights(graph))
    trained = load_weights(graph, path)
    ops = {
        node.name: set_weights(
            node.op,
            {
                name: Tensor.float32(tensor.float64 * 1.5 + 0.125)
                for name, tensor in get_weights(node.op).items()
            },
        )
        for node in weighted_nodes(trained)
    }
    trained = replace_ops(trained, ops)
    written = write_document_weights(root, imported, trained)
    again = import_graph(written)
    if document is not DOCUMENTS["untyped"]:  # its stdev² is rounded, and an inner bias goes into its mean
        assert [get_weights(node.op) for node in weighted_nodes(again)] == [
            get_weights(node.op) for node in weighted_nodes(trained)
        ]
    pairs = zip(all_weights(document), all_weights(written), strict=True)
    assert [
        weight.key for (layer, weight), (other, _) in pairs if layer[weight.key] == other[weight.key]
    ] == []


def test_names_in_files_are_those_of_ops():
    for op, declared in OP_WEIGHTS.items():
        attributes = {field.name for field in op.__attrs_attrs__}
        assert {weight.attribute for weight in declared} <= attributes
        assert len({weight.keras for weight in declared}) == len(declared)


def test_a_weight_that_no_schema_declares_cannot_be_read():
    with pytest.raises(KeyError, match="declares no weight 'kernel'"):
        SCHEMAS["dense"].weight("kernel")
    assert isinstance(SCHEMAS["dense"].weight("weights"), Weight)


def test_derived_tables():
    assert set(WEIGHT_KEYS) >= {"weights", "offset", "scale", "stdev", "gamma", "kernel", "point_kernel"}
    assert set(PATHS) == {path for schema in SCHEMAS.values() for path in schema.paths}
