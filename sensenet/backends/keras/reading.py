"""Reads the weights of a Keras model, which may have been trained further, into its graph."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sensenet.backends.keras.layers import signature_layer
from sensenet.backends.keras.model import BuildOptions, build_model
from sensenet.backends.keras.portable import CARRIED
from sensenet.backends.keras.weights import get_weights, replace_ops, require_roots, set_weights
from sensenet.backends.optional import import_tensorflow
from sensenet.errors import ArtifactError
from sensenet.ir.graph import Graph
from sensenet.ir.op import Op
from sensenet.ir.types import Tensor
from sensenet.signature import Signature

REMEDY = "sensenet.compile(document, 'keras', optimize=0) makes the model to train"

TRAINING = ("trainable", "momentum", "rate", "block_size", "seed", "noise_shape", "dtype", "synchronized")
"""Members of a layer's configuration that affect only training."""

TRAINING_KINDS = ("_initializer", "_regularizer", "_constraint")
"""The ends of the names of further such members."""

LONGEST_QUOTE = 60


def read_signature(model: Any) -> Signature:
    """Return the signature of a model that was compiled at level 0; raises ArtifactError for any other."""
    tf = import_tensorflow("reading a Keras model")
    if not isinstance(model, tf.keras.Model):
        raise ArtifactError(f"expected a tf.keras.Model, found a {type(model).__name__}")
    carrier = signature_layer(model)
    if carrier is None:
        raise ArtifactError(
            f"the Keras model {model.name!r} was not made by sensenet: it has no layer with a signature. "
            f"{REMEDY}; if that is part of a larger model, pass only that part"
        )
    level = carrier.making["level"]
    if level:
        raise ArtifactError(
            f"the Keras model was optimized at level {level}: its layers were merged, so their weights are "
            f"not those of the document. {REMEDY}"
        )
    return Signature.from_json(json.loads(carrier.signature))


def read_weights(graph: Graph, legal: Graph, model: Any) -> Graph:
    """Return an imported graph with the weights of a model that was compiled from it at level 0.

    `legal` is the graph as lowered for the target keras. Raises ArtifactError, naming the layer, for a
    different model: with layers that were added, removed or renamed, or have other shapes, computations or
    inputs.
    """
    built = build_model(legal, BuildOptions(**signature_layer(model).making))
    _require_layers(built.model, model)
    ops = {
        node.name: _read_op(node.op, model.get_layer(built.weighted[node.name]))
        for node in graph.nodes
        if node.name in built.weighted
    }
    return replace_ops(graph, ops)


def _read_op(op: Op, layer: Any) -> Op:
    """Return the op with a layer's weights of matching shapes."""
    arrays = zip(get_weights(op), layer.get_weights(), strict=True)
    trained = set_weights(op, {name: Tensor.float32(array) for name, array in arrays})
    require_roots(trained, f"the layer {layer.name!r}")
    return trained


def _require_layers(expected: Any, found: Any) -> None:
    """Raise ArtifactError about the first layer in which a model differs from the expected one."""
    configurations = _plain_config(expected), _plain_config(found)
    wanted, given = (_describe_layers(configuration) for configuration in configurations)
    for name in [*wanted, *given]:
        if name not in given:
            raise _refuse(f"the layer {name!r} ({_describe(expected.get_layer(name))}) is missing")
        if name not in wanted:
            raise _refuse(f"there is an additional layer {name!r} ({_describe(found.get_layer(name))})")
        one, other = (_describe(model.get_layer(name)) for model in (found, expected))
        if one != other:
            raise _refuse(f"the layer {name!r} is {one}, expected {other}")
        for place, value, expected_value in _differences(given[name], wanted[name]):
            raise _refuse(
                f"the layer {name!r} has {place} {_quote(value)}, expected {_quote(expected_value)}"
            )
    for ends in ("input_layers", "output_layers"):
        for _, value, expected_value in _differences(*(config[ends] for config in configurations[::-1])):
            raise _refuse(f"it has {ends} {_quote(value)}, expected {_quote(expected_value)}")


def _refuse(difference: str) -> ArtifactError:
    return ArtifactError(f"the Keras model differs from that of its document: {difference}. {REMEDY}")


def _plain_config(model: Any) -> Any:
    """Return a model's configuration as plain JSON, without the settings of `model.compile`."""
    return json.loads(json.dumps(model.get_config(), default=str))


def _describe_layers(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return the computation and the inputs of each layer, by name."""
    return {
        layer["name"]: {"config": _of_prediction(layer["config"]), "inputs": layer["inbound_nodes"]}
        for layer in configuration["layers"]
    }


def _of_prediction(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a layer's configuration without the members for training and those of a SignatureLayer."""
    return {
        key: value
        for key, value in config.items()
        if key not in (*TRAINING, *CARRIED) and not key.endswith(TRAINING_KINDS)
    }


def _describe(layer: Any) -> str:
    """Return class and weights of a layer: `Dense with kernel [4, 6], bias [6]`."""
    shapes = ", ".join(f"{_short_name(weight)} {list(weight.shape)}" for weight in layer.weights)
    return f"{type(layer).__name__} with {shapes}" if shapes else type(layer).__name__


def _short_name(weight: Any) -> str:
    """Return the last part of a weight's name: `kernel` for `layer_0/kernel:0`."""
    return str(weight.name).rpartition("/")[2].partition(":")[0]


def _differences(one: Any, other: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the JSON paths at which two values differ, and both values."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in [*other, *(key for key in one if key not in other)]:
            yield from _differences(one.get(key), other.get(key), f"{place}.{key}" if place else key)
    elif one != other:
        yield place, one, other


def _quote(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…"
