"""Checks the configuration of a `.keras` file before Keras loads it, and removes unneeded parts.

Keras creates objects of any classes and functions that a configuration names, some of which run code or read
files even in `safe_mode`. So the configuration is rebuilt from the parts that the target keras writes itself:
layers of the classes in `LAYERS`, called on each other's tensors, with activations, initializers,
regularizers and constraints from fixed lists. Anything else raises ArtifactError.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sensenet.backends.keras.activation import KERAS_3_ACTIVATIONS, KERAS_ACTIVATIONS
from sensenet.backends.keras.calls import RefusalError, clean_call, clean_nodes, describe, plain, text
from sensenet.backends.keras.layers import LAYER_MODULE, PACKAGE
from sensenet.backends.keras.portable import put_signature_back, require_carried
from sensenet.backends.keras.stock import OPERATIONS
from sensenet.errors import ArtifactError
from sensenet.ir.activation import ActivationFunction
from sensenet.records import frozen

Identity = tuple[Any, Any, Any]
"""The members module, class_name and registered_name of an object in a configuration."""

MODELS: frozenset[Identity] = frozenset(
    (module, "Functional", "Functional")
    for module in ("keras.src.models.functional", "tf_keras.src.engine.functional")
)

LAYERS: frozenset[Identity] = frozenset(
    [
        *(
            ("keras.layers", name, None)
            for name in (
                "Activation",
                "Add",
                "AlphaDropout",
                "Average",
                "AveragePooling2D",
                "BatchNormalization",
                "Concatenate",
                "Conv2D",
                "Dense",
                "DepthwiseConv2D",
                "Dropout",
                "Flatten",
                "GlobalAveragePooling2D",
                "GlobalMaxPooling2D",
                "Identity",
                "InputLayer",
                "MaxPooling2D",
                "SeparableConv2D",
                "UpSampling2D",
                "ZeroPadding2D",
            )
        ),
        ("keras._legacy.layers", "AlphaDropout", None),
        *(
            (LAYER_MODULE, name, f"{PACKAGE}>{name}")
            for name in ("BlockDropout", "OpLayer", "SignatureLayer", "UnfusedBatchNormalization")
        ),
    ]
)
"""The layers that the target keras writes, under Keras 2 and 3."""

STOCK: frozenset[Identity] = frozenset((module, name, name) for name, module in OPERATIONS.items())
"""The operations of Keras 3 that the target writes, in models inside the model."""

INPUT: Identity = ("keras.layers", "InputLayer", None)

INITIALIZERS = frozenset(
    {
        "Constant",
        "GlorotNormal",
        "GlorotUniform",
        "HeNormal",
        "HeUniform",
        "LecunNormal",
        "LecunUniform",
        "Ones",
        "Orthogonal",
        "RandomNormal",
        "RandomUniform",
        "TruncatedNormal",
        "VarianceScaling",
        "Zeros",
    }
)
REGULARIZERS = frozenset({"L1", "L1L2", "L2", "OrthogonalRegularizer"})
CONSTRAINTS = frozenset({"MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"})

OPTIONAL_KINDS: Mapping[str, tuple[str, frozenset[str]]] = {
    "_initializer": ("keras.initializers", INITIALIZERS),
    "_regularizer": ("keras.regularizers", REGULARIZERS),
    "_constraint": ("keras.constraints", CONSTRAINTS),
}
"""The module of a member's value, and its allowed classes, by the end of the member's name."""

ACTIVATIONS = frozenset(function.value for function in KERAS_ACTIVATIONS | KERAS_3_ACTIVATIONS) | {"silu"}
"""Keras' names of activations; swish is silu in Keras 3."""

OWN_ACTIVATIONS = frozenset(f"{PACKAGE}>{PACKAGE}_{function.value}" for function in ActivationFunction)

DTYPES = frozenset({"float16", "float32", "float64", "bfloat16", "int32", "int64", "uint8", "bool"})
POLICIES = DTYPES | {"mixed_float16", "mixed_bfloat16"}

STORED = {"module": LAYER_MODULE, "class_name": "StoredWeight", "registered_name": f"{PACKAGE}>StoredWeight"}
"""The initializer that replaces all others while a file is opened: it checks shapes."""


@frozen(kw_only=True)
class Configuration:
    """A checked configuration, and its original initializers by layer and member."""

    value: Mapping[str, Any]
    layers: int
    initializers: Mapping[str, Mapping[str, Any]]


def read_configuration(content: bytes, where: str, signature: Any = None) -> Configuration:
    """Return the checked configuration of a model, with the signature of the file put back into it.

    `content` is the file's member with the configuration, `signature` the value in its metadata, if any.
    Raises ArtifactError, naming `where` and the layer, for a part that is not allowed.
    """
    try:
        given = json.loads(content)
        if _identity(given) not in MODELS:
            raise RefusalError(f"it is {describe(given)}, not a functional model")
        clean = _clean_model(given["config"], _clean_layer)
        layers = clean["layers"]
    except RefusalError as error:
        raise ArtifactError(f"{where} is not a model saved by sensenet: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise ArtifactError(
            f"{where} is not a model saved by Keras ({type(error).__name__}: {error})"
        ) from error
    if signature is not None:
        put_signature_back(layers, signature, where)
    carriers = [layer["config"] for layer in layers if layer["class_name"] == "SignatureLayer"]
    if not carriers:
        raise ArtifactError(f"{where} is a Keras model, but not one made by sensenet: it has no signature")
    for carrier in carriers:
        require_carried(carrier, where)
    taken = {layer["name"]: dict(_take_initializers(layer["config"])) for layer in layers}
    initializers = {name: members for name, members in taken.items() if members}
    value = {key: given[key] for key in ("module", "class_name", "registered_name")}
    return Configuration(value={**value, "config": clean}, layers=len(layers), initializers=initializers)


def _identity(value: Mapping[str, Any]) -> Identity:
    names = tuple(value.get(key) for key in ("module", "class_name", "registered_name"))
    return names if all(name is None or isinstance(name, str) for name in names) else (None, None, None)  # type: ignore[return-value]


def _clean_model(config: Mapping[str, Any], clean_layer: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": text(config["name"]),
        "trainable": bool(config.get("trainable", True)),
        "layers": [clean_layer(layer) for layer in config["layers"]],
        "input_layers": plain(config["input_layers"]),
        "output_layers": plain(config["output_layers"]),
    }


def _clean_layer(layer: Mapping[str, Any]) -> dict[str, Any]:
    """Return a checked layer, or a checked model inside the model, which may contain only operations."""
    if _identity(layer) in MODELS:
        return _clean(layer, lambda config: _clean_model(config, _clean_operation), clean_nodes)
    return _clean(layer, _clean_members, clean_nodes, LAYERS)


def _clean_operation(layer: Mapping[str, Any]) -> dict[str, Any]:
    """Return a checked operation of a model inside the model."""
    if _identity(layer) == INPUT:
        return _clean(layer, _clean_members, clean_nodes)
    return _clean(layer, _clean_members, lambda nodes: [clean_call(node) for node in nodes], STOCK)


def _clean_members(config: Mapping[str, Any]) -> dict[str, Any]:
    return {text(key): _clean_member(key, value) for key, value in config.items()}


def _clean(
    layer: Mapping[str, Any],
    clean_config: Callable[[Any], dict[str, Any]],
    clean_nodes: Callable[[Any], Any],
    allowed: frozenset[Identity] | None = None,
) -> dict[str, Any]:
    identity = _identity(layer)
    name = text(layer["config"]["name"])
    if allowed is not None and identity not in allowed:
        raise RefusalError(f"the layer {name!r} is {describe(layer)}, which sensenet does not write")
    try:
        config, nodes = clean_config(layer["config"]), clean_nodes(layer["inbound_nodes"])
    except RefusalError as error:
        raise RefusalError(f"the layer {name!r} has {error}") from None
    module, class_name, registered_name = identity
    return {
        "module": module,
        "class_name": class_name,
        "registered_name": registered_name,
        "config": config,
        "name": name,
        "inbound_nodes": nodes,
    }


def _clean_member(key: str, value: Any) -> Any:
    """Return the checked value of a layer's member."""
    if value is None:
        return None
    if key in ("activation", "recurrent_activation"):
        return _clean_activation(value)
    if key == "dtype":
        return _clean_dtype(value)
    for ending, (module, classes) in OPTIONAL_KINDS.items():
        if key.endswith(ending):
            return _clean_object(value, module, classes)
    return plain(value)


def _clean_activation(value: Any) -> Any:
    if isinstance(value, str) and value in ACTIVATIONS:
        return value
    name = value.get("config") if isinstance(value, dict) and value.get("class_name") == "function" else value
    if isinstance(name, str) and name in OWN_ACTIVATIONS:
        return {"module": "builtins", "class_name": "function", "config": name, "registered_name": "function"}
    raise RefusalError(f"the activation {describe(value)}")


def _clean_dtype(value: Any) -> Any:
    if isinstance(value, str) and value in POLICIES:
        return value
    if isinstance(value, dict) and value.get("class_name") in ("DTypePolicy", "Policy"):
        name = value["config"]["name"]
        if isinstance(name, str) and name in POLICIES:
            return name
    raise RefusalError(f"the dtype {describe(value)}")


def _clean_object(value: Any, module: str, classes: frozenset[str]) -> dict[str, Any]:
    if not isinstance(value, dict) or value.get("module") != module or value.get("class_name") not in classes:
        raise RefusalError(f"{describe(value)}, expected one of {module}")
    config = plain(value["config"])
    return {"module": module, "class_name": value["class_name"], "registered_name": None, "config": config}


def _take_initializers(config: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the initializers of a layer, and replace them by those that check shapes."""
    for key, value in config.items():
        if key.endswith("_initializer") and value is not None:
            config[key] = {**STORED, "config": {}}
            yield key, value
