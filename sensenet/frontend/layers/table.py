"""Builds the nodes of lists of layers, by the table of layer types.

To add a layer type: declare its schema in `sensenet.layer_schema`, write its builder, and give it a row in
`LAYERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sensenet.frontend.implied_memory import LAYER_BYTES
from sensenet.frontend.json.cursor import Cursor, quote
from sensenet.frontend.layers import dense as dense_layers
from sensenet.frontend.layers import image as image_layers
from sensenet.frontend.layers.builder import Layer
from sensenet.frontend.layers.untyped import build_legacy_layers, is_legacy
from sensenet.frontend.weight_sources import SourceRecord
from sensenet.ir.graph import Value
from sensenet.ir.ops.arithmetic import Add
from sensenet.ir.ops.dense import Activation
from sensenet.layer_schema import SCHEMAS, LayerSchema
from sensenet.records import frozen

Builder = Callable[[Layer], Value]


@frozen
class LayerType:
    """The members of a layer type, and the function that builds its nodes."""

    schema: LayerSchema
    build: Builder


def with_schemas(builders: Mapping[str, Builder]) -> dict[str, LayerType]:
    """Return the layer types of these builders, by name; raises KeyError for a name without a schema."""
    missing = [name for name in builders if name not in SCHEMAS]
    if missing:
        raise KeyError(f"no schema for {', '.join(missing)}: declare it in sensenet/layer_schema.py")
    return {name: LayerType(SCHEMAS[name], build) for name, build in builders.items()}


SIMPLE_LAYERS = with_schemas(
    {
        "dense": dense_layers.build_dense,
        "batch_normalization": dense_layers.build_batch_normalization,
        "activation": dense_layers.build_activation,
        "dropout": dense_layers.build_dropout,
        "flatten": dense_layers.build_flatten,
        "add": dense_layers.build_add,
        "concatenate": dense_layers.build_concatenate,
        "split_channels": dense_layers.build_split_channels,
        "convolution_2d": image_layers.build_convolution,
        "depthwise_convolution_2d": image_layers.build_depthwise_convolution,
        "separable_convolution_2d": image_layers.build_separable_convolution,
        "max_pool_2d": image_layers.build_max_pool,
        "average_pool_2d": image_layers.build_average_pool,
        "global_average_pool_2d": image_layers.build_global_average_pool,
        "global_max_pool_2d": image_layers.build_global_max_pool,
        "padding_2d": image_layers.build_padding,
        "upsampling_2d": image_layers.build_upsampling,
    }
)
"""The layer types that may be anywhere, also in the paths of blocks."""


def build_layers(
    layers: Cursor, source: Value, prefix: str, table: Mapping[str, LayerType], sources: SourceRecord
) -> list[Value]:
    """Return every layer's output, in order; `source` is the first input, and names are `prefix` and index.

    Adds the sources of the layers' weights to `sources`. Raises DocumentError with the JSON path of an
    invalid layer.
    """
    outputs: list[Value] = []
    for index, cursor in enumerate(layers.items()):
        cursor.implied.add_if_repeated(cursor.value, LAYER_BYTES)
        inputs = _read_inputs(cursor, outputs) if outputs else (source,)
        layer_type = cursor.require("type")
        if layer_type.text() not in table:
            known = ", ".join(table)
            raise layer_type.error(
                f"unknown layer type {quote(layer_type.text())} here; expected one of: {known}"
            )
        kind = table[layer_type.value]
        layer = Layer(
            cursor=cursor, inputs=inputs, name=f"{prefix}{index}", schema=kind.schema, sources=sources
        )
        outputs.append(kind.build(layer))
    return outputs


def _read_inputs(cursor: Cursor, outputs: list[Value]) -> tuple[Value, ...]:
    """Return the outputs at the positions `inputs`, which may be negative; the previous output by default."""
    inputs = cursor["inputs"]
    if not inputs.present:
        return (outputs[-1],)
    values = []
    for entry in inputs.items():
        index = entry.integer()
        if not -len(outputs) <= index < len(outputs):
            raise entry.error(f"there is no layer {index} among the {len(outputs)} before this one")
        values.append(outputs[index])
    if not values:
        raise inputs.error("a layer needs at least one input")
    return tuple(values)


def build_block(layer: Layer) -> Value:
    """Return activation(sum of the paths' results); the result of an empty path is its input."""
    ends = []
    for path in layer.schema.paths:
        layers, prefix = layer.cursor.require(path), f"{layer.name}_{path}_"
        outputs = build_layers(layers, layer.input, prefix, SIMPLE_LAYERS, layer.sources)
        ends.append(outputs[-1] if outputs else layer.input)
    total = layer.apply(Add(), *ends, suffix="_add")
    return layer.apply(Activation(function=layer.activation()), total)


BLOCKS = (
    *("dense_residual_block", "resnet_block", "resnet18_block", "darknet_residual_block"),
    *("mobilenet_residual_block", "xception_block"),
)

LAYERS = SIMPLE_LAYERS | with_schemas(dict.fromkeys(BLOCKS, build_block))
"""All layer types. Blocks don't nest."""


def build_network(layers: Cursor, source: Value, prefix: str, sources: SourceRecord) -> Value:
    """Return the output of the last layer, of typed or legacy layers; raise DocumentError for no layers."""
    if not layers.items():
        raise layers.error("the network has no layers")
    if is_legacy(layers):
        return build_legacy_layers(layers, source, prefix, sources)
    return build_layers(layers, source, prefix, LAYERS, sources)[-1]
