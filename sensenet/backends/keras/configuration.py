"""Checks the configuration of a `.keras` file before Keras sees it, and takes out what opening does not need.

Keras makes objects of whatever classes and functions a configuration names, some of which run code or read
files, whatever `safe_mode` is. So the configuration is written anew, of what the target keras writes itself:
layers of the classes in `LAYERS`, called on each other's tensors, with activations, initializers,
regularizers and constraints from fixed lists. Anything else is an ArtifactError.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import frozen

from sensenet.backends.keras.layers import PACKAGE
from sensenet.backends.keras.table import KERAS_ACTIVATIONS
from sensenet.errors import ArtifactError
from sensenet.ir.activation import ActivationFunction

LAYER_MODULE = "sensenet.backends.keras.layers"

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
"""By the end of a member's name: the module of its value's class, and the classes allowed."""

ACTIVATIONS = frozenset(function.value for function in KERAS_ACTIVATIONS) | {"silu"}
"""Keras' names of activations; silu is what Keras 3 calls swish."""

OWN_ACTIVATIONS = frozenset(f"{PACKAGE}>{PACKAGE}_{function.value}" for function in ActivationFunction)

DTYPES = frozenset({"float16", "float32", "float64", "bfloat16", "int32", "int64", "uint8", "bool"})
POLICIES = DTYPES | {"mixed_float16", "mixed_bfloat16"}

TENSOR = "__keras_tensor__"
OBJECT_MEMBERS = frozenset({"class_name", "module", "registered_name", "config"})
"""Members by which Keras takes a dict for an object."""

STORED = {"module": LAYER_MODULE, "class_name": "StoredWeight", "registered_name": f"{PACKAGE}>StoredWeight"}
"""The initializer in the place of all others while a file is opened: it checks shapes."""


@frozen(kw_only=True)
class Configuration:
    """A configuration that Keras may see, and by layer and member the initializers that it had."""

    value: Mapping[str, Any]
    layers: int
    initializers: Mapping[str, Mapping[str, Any]]


def read_configuration(content: bytes, where: str) -> Configuration:
    """The checked configuration of a model; raises ArtifactError, naming `where` and the layer."""
    try:
        given = json.loads(content)
        if _identity(given) not in MODELS:
            raise _RefusalError(f"it is {_describe(given)}, not a functional model")
        config = given["config"]
        layers = [_clean_layer(layer) for layer in config["layers"]]
        clean = {
            "name": _text(config["name"]),
            "trainable": bool(config.get("trainable", True)),
            "layers": layers,
            "input_layers": _plain(config["input_layers"]),
            "output_layers": _plain(config["output_layers"]),
        }
    except _RefusalError as error:
        raise ArtifactError(f"{where} is no model that sensenet saves: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ArtifactError(
            f"{where} is no model saved by Keras ({type(error).__name__}: {error})"
        ) from error
    if not any(layer["class_name"] == "SignatureLayer" for layer in layers):
        raise ArtifactError(f"{where} is a Keras model, but not one made by sensenet: it has no signature")
    initializers = {layer["name"]: dict(_take_initializers(layer["config"])) for layer in layers}
    value = {key: given[key] for key in ("module", "class_name", "registered_name")}
    return Configuration(value={**value, "config": clean}, layers=len(layers), initializers=initializers)


class _RefusalError(Exception):
    """What a configuration may not hold."""


def _identity(value: Mapping[str, Any]) -> Identity:
    names = tuple(value.get(key) for key in ("module", "class_name", "registered_name"))
    return names if all(name is None or isinstance(name, str) for name in names) else (None, None, None)  # type: ignore[return-value]


def _describe(value: Any) -> str:
    parts = [str(value.get(key)) for key in ("module", "class_name")] if isinstance(value, dict) else []
    return "an object of " + ".".join(parts) if parts else repr(value)[:60]


def _clean_layer(layer: Mapping[str, Any]) -> dict[str, Any]:
    identity = _identity(layer)
    name = _text(layer["config"]["name"])
    if identity not in LAYERS:
        raise _RefusalError(f"the layer {name!r} is {_describe(layer)}, which sensenet does not write")
    try:
        config = {_text(key): _clean_member(key, value) for key, value in layer["config"].items()}
        nodes = _clean_nodes(layer["inbound_nodes"])
    except _RefusalError as error:
        raise _RefusalError(f"the layer {name!r} has {error}") from None
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
    """The value of a layer's member."""
    if value is None:
        return None
    if key in ("activation", "recurrent_activation"):
        return _clean_activation(value)
    if key == "dtype":
        return _clean_dtype(value)
    for ending, (module, classes) in OPTIONAL_KINDS.items():
        if key.endswith(ending):
            return _clean_object(value, module, classes)
    return _plain(value)


def _clean_activation(value: Any) -> Any:
    if isinstance(value, str) and value in ACTIVATIONS:
        return value
    name = value.get("config") if isinstance(value, dict) and value.get("class_name") == "function" else value
    if isinstance(name, str) and name in OWN_ACTIVATIONS:
        return {"module": "builtins", "class_name": "function", "config": name, "registered_name": "function"}
    raise _RefusalError(f"the activation {_describe(value)}")


def _clean_dtype(value: Any) -> Any:
    if isinstance(value, str) and value in POLICIES:
        return value
    if isinstance(value, dict) and value.get("class_name") in ("DTypePolicy", "Policy"):
        name = value["config"]["name"]
        if isinstance(name, str) and name in POLICIES:
            return name
    raise _RefusalError(f"the dtype {_describe(value)}")


def _clean_object(value: Any, module: str, classes: frozenset[str]) -> dict[str, Any]:
    if not isinstance(value, dict) or value.get("module") != module or value.get("class_name") not in classes:
        raise _RefusalError(f"{_describe(value)}, expected one of {module}")
    config = _plain(value["config"])
    return {"module": module, "class_name": value["class_name"], "registered_name": None, "config": config}


def _clean_nodes(value: Any) -> Any:
    """How a layer is called: with tensors of other layers, and plain values."""
    if isinstance(value, list):
        return [_clean_nodes(part) for part in value]
    if not isinstance(value, dict):
        return _plain(value)
    if value.get("class_name") == TENSOR:
        config = value["config"]
        tensor = {key: _plain(config[key]) for key in ("shape", "dtype", "keras_history")}
        return {"class_name": TENSOR, "config": tensor}
    if OBJECT_MEMBERS & value.keys():
        raise _RefusalError(f"the argument {_describe(value)}")
    return {_text(key): _clean_nodes(part) for key, part in value.items()}


def _plain(value: Any) -> Any:
    """A value in which Keras sees no object."""
    if isinstance(value, dict):
        if OBJECT_MEMBERS & value.keys():
            raise _RefusalError(f"{_describe(value)}, which sensenet does not write")
        return {_text(key): _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _take_initializers(config: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The initializers of a layer, in whose places those that check shapes are put."""
    for key, value in config.items():
        if key.endswith("_initializer") and value is not None:
            config[key] = {**STORED, "config": {}}
            yield key, value
