"""What the image layers of a document mean, and the steps before them: straight from the JSON, in float64.

Images are [height, width, channels], one at a time; windows are walked one by one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

Json = dict[str, Any]

CHANNELWISE_CENTERING = np.array([103.939, 116.779, 123.68])
IMAGENET_MEAN, IMAGENET_STDEV = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])

LOADING_METHODS: dict[str | None, Callable[[np.ndarray], np.ndarray]] = {
    None: lambda x: x,
    "normalizing": lambda x: x / 255,
    "centering": lambda x: (x - 127.5) / 127.5,
    "skewed_centering": lambda x: (x - 128) / 128,
    "channelwise_centering": lambda x: x - CHANNELWISE_CENTERING,
    "channelwise_standardizing": lambda x: (x / 255 - IMAGENET_MEAN) / IMAGENET_STDEV,
}


def load(metadata: Json, pixels: np.ndarray) -> np.ndarray:
    """The pixels of an image of the network's own size, as the first layer reads them."""
    method = metadata.get("loading_method")
    ordered = pixels[:, :, ::-1] if method == "channelwise_centering" else pixels
    mean = np.asarray(metadata.get("mean_image") or 0.0, np.float64)
    return LOADING_METHODS[method](ordered.astype(np.float64) - mean)


def pair(sizes: Any) -> tuple[int, int]:
    return (sizes, sizes) if isinstance(sizes, int) else (sizes[0], sizes[1])


def starts(size: int, window: int, stride: int, padding: str) -> list[int]:
    """Where the windows on an axis begin; before the image, where they are padded."""
    if padding == "valid":
        return list(range(0, size - window + 1, stride))
    count = math.ceil(size / stride)
    before = max((count - 1) * stride + window - size, 0) // 2
    return [number * stride - before for number in range(count)]


def slide(x: np.ndarray, window: tuple[int, int], layer: Json, compute: Callable[..., Any]) -> np.ndarray:
    """`compute(pixels[n, c], places[n])` of each window; only what is inside the image is passed."""
    strides = pair(layer["strides"] or window)
    rows, columns = (starts(*each, layer["padding"]) for each in zip(x.shape, window, strides, strict=False))
    result = []
    for top, left in itertools.product(rows, columns):
        inside = [
            (i, j) for i, j in np.ndindex(window) if 0 <= top + i < x.shape[0] and 0 <= left + j < x.shape[1]
        ]
        result.append(compute(np.array([x[top + i, left + j] for i, j in inside]), inside))
    return np.reshape(result, (len(rows), len(columns), -1))


def weight(layer: Json, key: str) -> np.ndarray:
    return np.asarray(layer[key], np.float32).astype(np.float64)


def bias(layer: Json) -> Any:
    return 0.0 if layer.get("bias") is None else weight(layer, "bias")


def convolve(x: np.ndarray, kernel: np.ndarray, layer: Json) -> np.ndarray:
    def compute(pixels: np.ndarray, places: list[tuple[int, int]]) -> np.ndarray:
        return sum(pixel @ kernel[place] for pixel, place in zip(pixels, places, strict=True))

    return slide(x, kernel.shape[:2], layer, compute)


def convolve_depthwise(x: np.ndarray, kernel: np.ndarray, layer: Json) -> np.ndarray:
    """Channel c and multiplier m give channel c · multipliers + m."""

    def compute(pixels: np.ndarray, places: list[tuple[int, int]]) -> np.ndarray:
        pairs = zip(pixels, places, strict=True)
        return sum(pixel[:, None] * kernel[place] for pixel, place in pairs).ravel()

    return slide(x, kernel.shape[:2], layer, compute)


def upsample(x: np.ndarray, factors: tuple[int, int], bilinear: bool) -> np.ndarray:
    """Each axis by itself: pixels repeated, or between the centers of two."""
    for axis, factor in enumerate(factors):
        size = x.shape[axis]
        centers = (np.arange(size * factor) + 0.5) / factor - 0.5
        low = np.floor(centers) if bilinear else np.floor(centers + 0.5)
        share = (centers - low if bilinear else 0 * centers).reshape(-1, *[1] * (2 - axis))
        first, second = (np.take(x, np.clip(low + n, 0, size - 1).astype(int), axis) for n in (0, 1))
        x = first * (1 - share) + second * share
    return x


def run_image_layer(layer: Json, x: np.ndarray) -> np.ndarray:
    """What the layer makes of an image, before its activation."""
    match layer["type"]:
        case "convolution_2d":
            return convolve(x, weight(layer, "kernel"), layer) + bias(layer)
        case "depthwise_convolution_2d":
            return convolve_depthwise(x, weight(layer, "kernel"), layer) + bias(layer)
        case "separable_convolution_2d":
            between = convolve_depthwise(x, weight(layer, "depth_kernel"), layer)
            return between @ weight(layer, "point_kernel")[0, 0] + bias(layer)
        case "max_pool_2d":
            return slide(x, pair(layer["pool_size"]), layer, lambda pixels, _: pixels.max(axis=0))
        case "average_pool_2d":
            return slide(x, pair(layer["pool_size"]), layer, lambda pixels, _: pixels.mean(axis=0))
        case "global_average_pool_2d":
            return x.mean(axis=(0, 1))
        case "global_max_pool_2d":
            return x.max(axis=(0, 1))
        case "padding_2d":
            return np.pad(x, (*layer["padding"], (0, 0)))
        case "upsampling_2d":
            return upsample(x, pair(layer["size"]), layer["method"] == "bilinear")
    raise AssertionError(layer["type"])
