"""The schema of each layer type of a document: its weights and nested lists of layers.

Each layer type is declared once. Reading weights, cutting them out of text, stripping them, filling in
pretrained ones, the names and order of weights in h5 files, and writing trained weights back all follow the
declaration. The builders in `sensenet.frontend` define what a layer computes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from sensenet.ir.op import Op
from sensenet.ir.ops.convolution import Convolution2D, DepthwiseConvolution2D, SeparableConvolution2D
from sensenet.ir.ops.dense import BatchNormalization, Dense
from sensenet.ir.types import Tensor
from sensenet.records import frozen

Shape = tuple[int, ...]

Sizes = Mapping[str, Callable[[Shape], Any]]
"""The members of a layer that determine a weight's shape if an initializer replaces its values."""

NO_SIZES: Sizes = MappingProxyType({})
"""The size members of a vector: none, since its size follows from the layer's kernel or input."""


@frozen(kw_only=True)
class Form:
    """How a document has a weight: `read` converts it to what the op has, `write` converts it back."""

    read: Callable[[Tensor], Tensor]
    write: Callable[[Tensor], Tensor]


AS_GIVEN = Form(read=lambda tensor: tensor, write=lambda tensor: tensor)


@frozen(kw_only=True)
class Weight:
    """A weight: `key` is its member in documents, `attribute` that of the op, `keras` its name in Keras.

    `form` is how documents have it. `initializer` is what replaces it in a document without weights.
    """

    key: str
    attribute: str
    keras: str
    rank: int = 1
    initializer: str
    sizes: Sizes = NO_SIZES
    form: Form = AS_GIVEN


@frozen(kw_only=True)
class LayerSchema:
    """A layer type: the op with its weights, the weights in Keras' order, and the members with layers."""

    op: type[Op] | None = None
    weights: tuple[Weight, ...] = ()
    paths: tuple[str, ...] = ()

    @property
    def keys(self) -> Mapping[str, str]:
        """The member that each attribute of an op is read from."""
        return {weight.attribute: weight.key for weight in self.weights}

    def weight(self, key: str) -> Weight:
        """Return the weight of a member; raise KeyError for an undeclared one."""
        for weight in self.weights:
            if weight.key == key:
                return weight
        raise KeyError(f"this layer type declares no weight {key!r}: add it in sensenet/layer_schema.py")


KERNEL = "glorot_uniform"

BIAS = Weight(key="bias", attribute="bias", keras="bias", initializer="zeros")

FILTERS: Sizes = MappingProxyType({"number_of_filters": lambda shape: shape[3]})

WINDOW: Sizes = MappingProxyType({"kernel_dimensions": lambda shape: list(shape[:2])})


def _convolution_kernel(key: str, keras: str, sizes: Sizes) -> Weight:
    """Return the declaration of a kernel [h, w, in, out] with one name in op and document."""
    return Weight(key=key, attribute=key, keras=keras, rank=4, initializer=KERNEL, sizes=sizes)


WITHOUT_WEIGHTS = LayerSchema()

CONVOLUTION_BLOCK = LayerSchema(paths=("convolution_path", "identity_path"))

SCHEMAS: Mapping[str, LayerSchema] = {
    "dense": LayerSchema(
        op=Dense,
        weights=(
            Weight(
                key="weights",
                attribute="kernel",
                keras="kernel",
                rank=2,
                initializer=KERNEL,
                sizes={"number_of_nodes": lambda shape: shape[1]},
            ),
            Weight(key="offset", attribute="bias", keras="bias", initializer="zeros"),
        ),
    ),
    "batch_normalization": LayerSchema(
        op=BatchNormalization,
        weights=(
            Weight(key="gamma", attribute="gamma", keras="gamma", initializer="ones"),
            Weight(key="beta", attribute="beta", keras="beta", initializer="zeros"),
            Weight(key="mean", attribute="mean", keras="moving_mean", initializer="zeros"),
            Weight(key="variance", attribute="variance", keras="moving_variance", initializer="ones"),
        ),
    ),
    "convolution_2d": LayerSchema(
        op=Convolution2D,
        weights=(
            _convolution_kernel("kernel", "kernel", {**FILTERS, **WINDOW}),
            BIAS,
        ),
    ),
    "depthwise_convolution_2d": LayerSchema(
        op=DepthwiseConvolution2D,
        weights=(
            _convolution_kernel("kernel", "depthwise_kernel", {**FILTERS, **WINDOW}),
            BIAS,
        ),
    ),
    "separable_convolution_2d": LayerSchema(
        op=SeparableConvolution2D,
        weights=(
            _convolution_kernel("depth_kernel", "depthwise_kernel", WINDOW),
            _convolution_kernel("point_kernel", "pointwise_kernel", FILTERS),
            BIAS,
        ),
    ),
    "dense_residual_block": LayerSchema(paths=("dense_path", "identity_path")),
    "resnet_block": CONVOLUTION_BLOCK,
    "resnet18_block": CONVOLUTION_BLOCK,
    "darknet_residual_block": CONVOLUTION_BLOCK,
    "mobilenet_residual_block": CONVOLUTION_BLOCK,
    "xception_block": LayerSchema(paths=("separable_convolution_path", "single_convolution_path")),
    **dict.fromkeys(
        (
            *("activation", "dropout", "flatten", "add", "concatenate", "split_channels"),
            *("max_pool_2d", "average_pool_2d", "global_average_pool_2d", "global_max_pool_2d"),
            *("padding_2d", "upsampling_2d"),
        ),
        WITHOUT_WEIGHTS,
    ),
}
"""The schema of each layer type."""

UNTYPED_EPSILON = 1e-3
"""The epsilon of the batch normalization that an untyped layer with `stdev` becomes, if it has none.

It is part of stdev², so the variance is stdev² less this. The published package splits stdev² alike, and h5
files hold the variance."""


def _transpose(tensor: Tensor) -> Tensor:
    return Tensor.owning(tensor.array.T.copy())


def _variance(stdev: Tensor) -> Tensor:
    return Tensor.float32(stdev.float64**2 - UNTYPED_EPSILON)


def _stdev(variance: Tensor) -> Tensor:
    """Return the standard deviations, NaN for a variance that has none."""
    with np.errstate(invalid="ignore"):
        return Tensor.float32(np.sqrt(variance.float64 + UNTYPED_EPSILON))


TRANSPOSED = Form(read=_transpose, write=_transpose)

STANDARD_DEVIATIONS = Form(read=_variance, write=_stdev)

UNTYPED = LayerSchema(
    weights=(
        Weight(
            key="weights",
            attribute="kernel",
            keras="kernel",
            rank=2,
            initializer=KERNEL,
            sizes={"number_of_nodes": lambda shape: shape[0]},
            form=TRANSPOSED,
        ),
        Weight(key="offset", attribute="beta", keras="beta", initializer="zeros"),
        Weight(key="scale", attribute="gamma", keras="gamma", initializer="ones"),
        Weight(key="mean", attribute="mean", keras="moving_mean", initializer="zeros"),
        Weight(
            key="stdev",
            attribute="variance",
            keras="moving_variance",
            initializer="ones",
            form=STANDARD_DEVIATIONS,
        ),
    )
)
"""A layer without a type: a dense layer [units, in], and with `stdev` the batch normalization after it.

Without `stdev`, `offset` is the bias of the dense layer."""

ALL_SCHEMAS = (*SCHEMAS.values(), UNTYPED)

WEIGHT_KEYS = tuple(dict.fromkeys(weight.key for schema in ALL_SCHEMAS for weight in schema.weights))
"""The members with weights of all layer types."""

SIZE_KEYS = tuple(
    dict.fromkeys(key for schema in ALL_SCHEMAS for weight in schema.weights for key in weight.sizes)
)
"""The members that determine shapes of weights without values."""

PATHS = tuple(dict.fromkeys(path for schema in ALL_SCHEMAS for path in schema.paths))
"""The members of blocks with layers."""

OP_WEIGHTS: Mapping[type[Op], tuple[Weight, ...]] = {
    schema.op: schema.weights for schema in SCHEMAS.values() if schema.op is not None
}
"""The weights of each op that has any, in Keras' order."""
