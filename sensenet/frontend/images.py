"""Builds the nodes from a row's images to the outputs of the image network's layers (SPEC §6).

`sensenet.ir.ops.image` lists the steps before the layers.
"""

from __future__ import annotations

import numpy as np

from sensenet.frontend.emit import emit
from sensenet.frontend.json.cursor import Cursor
from sensenet.frontend.layers.table import LAYERS, build_layers
from sensenet.frontend.weight_sources import SourceRecord
from sensenet.ir.graph import Graph, Node, Value, apply, constant
from sensenet.ir.ops.arithmetic import Subtract
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.image import Index, Rescale
from sensenet.ir.ops.rearrangement import Gather, Slice
from sensenet.ir.ops.tabular import Standardize
from sensenet.ir.sharing import Part, Shares
from sensenet.ir.types import Tensor, f32
from sensenet.records import frozen
from sensenet.settings import Settings
from sensenet.signature import PIXEL_INPUT, ImageInput, RescaleType, Signature

CHANNELS = 3
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STDEV = (0.229, 0.224, 0.225)

LOADING_METHODS: dict[str, tuple[object, object]] = {
    "normalizing": (0.0, 255.0),
    "centering": (127.5, 127.5),
    "skewed_centering": (128.0, 128.0),
    "channelwise_centering": ([103.939, 116.779, 123.68], 1.0),
    "channelwise_standardizing": (np.multiply(255, IMAGENET_MEAN), np.multiply(255, IMAGENET_STDEV)),
}
"""The mean and standard deviation with which pixels are standardized: one, or one per channel."""

REVERSING_METHOD = "channelwise_centering"
"""The loading method that needs the channels in the order blue, green, red."""

DETECTOR_NAME = "yolo"
"""The part of a base network's name by which detectors are recognized."""


@frozen(kw_only=True, eq=False, repr=False)
class ImageNetwork:
    """A document's image network with the caller's settings. Methods raise DocumentError."""

    cursor: Cursor
    settings: Settings
    sources: SourceRecord

    @property
    def metadata(self) -> Cursor:
        return self.cursor.require("metadata")

    @property
    def is_detector(self) -> bool:
        name = self.metadata["base_image_network"]
        return name.present and DETECTOR_NAME in name.text()

    def describe_input(self) -> ImageInput:
        """Return the size of the network's images; documents have it as [width, height, channels]."""
        shape = self.metadata.require("input_image_shape")
        sizes = [size.positive() for size in shape.items()]
        if len(sizes) not in (2, 3):
            raise shape.expected("[width, height, channels]")
        alpha = (self.settings.color_space or "").lower().endswith("a")
        return ImageInput(
            height=sizes[1],
            width=sizes[0],
            channels=CHANNELS + alpha,
            rescale_type=self._rescale_type().value,
        )

    def _rescale_type(self) -> RescaleType:
        """Return the setting, else pad for a detector, else the document's type, else warp."""
        declared = self.metadata["rescale_type"]
        if self.settings.rescale_type is not None:
            return RescaleType(self.settings.rescale_type)
        if self.is_detector:
            return RescaleType.PAD
        if not declared.present:
            return RescaleType.WARP
        return RescaleType(declared.choice(*(known.value for known in RescaleType)))

    def pixel_input(self, image_count: int) -> Node:
        """Return the input of pixels: f32[?, ?, ?, c], or f32[?, images, ?, ?, c] for several a row."""
        several = (image_count,) if image_count > 1 else ()
        channels = self.describe_input().channels
        return apply(Input(type=f32(None, *several, None, None, channels)), name=PIXEL_INPUT)

    def build_features(self, pixels: Node, image_count: int) -> list[Value]:
        """Return the last layer's output for each image of a row; all share the weights."""
        images = [_select_image(pixels, index) for index in range(image_count)]
        features = self.build_outputs(images[0])[-1]
        sources = dict(self.sources)
        all_features = [features]
        for number, image in enumerate(images[1:], start=2):
            all_features.append(repeat_on(features, images[0], image, f"_{number}"))
            self.sources.update({f"{name}_{number}": source for name, source in sources.items()})
        return all_features

    def build_outputs(self, pixels: Value) -> list[Value]:
        """Return every layer's output for images f32[?, ?, ?, c]."""
        layers = self.cursor.require("layers")
        if not layers.items():
            raise layers.error("the network has no layers")
        return build_layers(layers, self._load(pixels), "image_layer_", LAYERS, self.sources)

    def _load(self, pixels: Value) -> Value:
        """Return the input of the first layer, f32[?, height, width, 3], for images of any size."""
        image = self.describe_input()
        method = RescaleType(image.rescale_type)
        value = apply(
            Rescale(height=image.height, width=image.width, method=method), pixels, name="rescale"
        ).value
        if image.channels > CHANNELS:
            value = apply(Slice(start=0, stop=CHANNELS), value, name="without_alpha").value
        if (self.settings.color_space or "").lower().startswith("bgr"):
            value = _reverse_channels(value, "bgr_to_rgb")
        loading = self.metadata.require("loading_method")
        if not loading.present:
            return self._subtract_mean_image(value)
        name = loading.choice(*LOADING_METHODS)
        if name == REVERSING_METHOD:
            value = _reverse_channels(value, "rgb_to_bgr")
        mean, stdev = map(Tensor.float32, LOADING_METHODS[name])  # type: ignore[arg-type]
        value = self._subtract_mean_image(value)
        return emit(loading, Standardize(mean=mean, stdev=stdev), value, name=name)

    def _subtract_mean_image(self, value: Value) -> Value:
        cursor = self.metadata["mean_image"]
        if not cursor.present:
            return value
        mean = Tensor(cursor.array(1, 3))
        allowed = ((CHANNELS,), value.type.shape[1:])
        if mean.shape not in allowed:
            raise cursor.error(f"expected a mean image {list(allowed[1])}, found {list(mean.shape)}")
        return emit(cursor, Subtract(), value, constant(mean, "mean_image"), name="minus_mean_image")


def _select_image(pixels: Node, index: int) -> Value:
    """Return the image at an index, f32[?, ?, ?, c], from an input of one or several images."""
    if pixels.value.type.rank == 4:
        return pixels.value
    return apply(Index(axis=1, index=index), pixels.value, name=f"image_{index}").value


def repeat_on(value: Value, source: Value, replacement: Value, suffix: str) -> Value:
    """Return a copy of the computation from `source` to `value` that reads `replacement` instead.

    The names of the new nodes end with `suffix`. Layers share their weights with the originals. In Keras they
    are separate layers, as in h5 files, unless a caller or the pass share-weights makes them one.
    """
    outputs = {"source": source, "value": value}
    network = Graph.create((), outputs, Signature())  # makes names unique: sharing refers to them
    results = {network.outputs["source"]: replacement}
    for node in network.nodes:
        inputs = tuple(results.get(operand, operand) for operand in node.inputs)
        if inputs != node.inputs:
            shares = Shares(Part.WEIGHTS, node.name) if node.op.trainable else None
            again = apply(node.op, *inputs, name=node.name + suffix, shares=shares)
            results.update(zip(node.values, again.values, strict=True))
    return results[network.outputs["value"]]


def _reverse_channels(value: Value, name: str) -> Value:
    order = Tensor.int32(np.arange(CHANNELS)[::-1])
    return apply(Gather(indices=order), value, name=name).value
