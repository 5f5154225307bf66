"""From a row's images to the image network's layers (SPEC §6).

The steps before the layers are those that `sensenet.ir.ops.image` lists.
"""

from __future__ import annotations

import numpy as np
from attrs import frozen

from sensenet.frontend.emit import emit
from sensenet.frontend.json.cursor import Cursor
from sensenet.frontend.layers.table import LAYERS, build_layers
from sensenet.frontend.weight_sources import SourceRecord
from sensenet.ir.graph import Graph, Node, Value, apply, constant
from sensenet.ir.ops.basic import Gather, Slice, Subtract
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.image import Index, Rescale
from sensenet.ir.ops.tabular import Standardize
from sensenet.ir.sharing import Part, Shares
from sensenet.ir.types import Tensor, f32
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
"""What pixels are standardized with: mean and standard deviation, one for all channels or one each."""

REVERSING_METHOD = "channelwise_centering"
"""The loading method that wants the channels in the order blue, green, red."""

DETECTOR_NAME = "yolo"
"""What the name of a detector's base network contains."""


@frozen(kw_only=True, eq=False, repr=False)
class ImageNetwork:
    """A document's image network under the caller's settings. Methods raise DocumentError."""

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
        """Return the size of the network's images, which is [width, height, channels] in documents."""
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
        """Return the setting; else pad for a detector; else what the document says; else warp."""
        declared = self.metadata["rescale_type"]
        if self.settings.rescale_type is not None:
            return RescaleType(self.settings.rescale_type)
        if self.is_detector:
            return RescaleType.PAD
        if not declared.present:
            return RescaleType.WARP
        return RescaleType(declared.choice(*(known.value for known in RescaleType)))

    def build_features(self, pixels: Node, image_count: int) -> list[Value]:
        """Return the last layer's output for each image of a row; all images share the weights."""
        images = [select_image(pixels, index) for index in range(image_count)]
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
            raise layers.error("there are no layers")
        return build_layers(layers, self._load(pixels), "image_layer_", LAYERS, self.sources)

    def _load(self, pixels: Value) -> Value:
        """Return the images as the first layer reads them: f32[?, height, width, 3]."""
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
            raise cursor.error(f"a mean image of shape {list(mean.shape)}; expected {list(allowed[1])}")
        return emit(cursor, Subtract(), value, constant(mean, "mean_image"), name="minus_mean_image")


def pixel_input(image: ImageInput, image_count: int) -> Node:
    """Return the input of pixels, with an axis for the images of a row if there are several."""
    several = (image_count,) if image_count > 1 else ()
    return apply(Input(type=f32(None, *several, None, None, image.channels)), name=PIXEL_INPUT)


def select_image(pixels: Node, index: int) -> Value:
    """Return a row's image, f32[?, ?, ?, c], of an input that may hold several."""
    if pixels.value.type.rank == 4:
        return pixels.value
    return apply(Index(axis=1, index=index), pixels.value, name=f"image_{index}").value


def repeat_on(value: Value, source: Value, replacement: Value, suffix: str) -> Value:
    """Return the same computation for another source: a copy of the nodes from `source` to `value`.

    Their names end with `suffix`. Layers share their weights with those that they repeat. In Keras they are
    layers of their own, as they are in h5 files, until a caller or the pass share-weights makes them one.
    """
    outputs = {"source": source, "value": value}
    network = Graph.create((), outputs, Signature())  # so that names, which say what is shared, are unique
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
