"""Train a small convolutional network on scikit-learn's handwritten digits and write it as a BigML deepnet.

    python examples/train_digits.py

makes examples/digits.json.gz and prints the accuracy on the digits that were held out (every fifth). It needs
TensorFlow and takes a minute. The digits are 8 × 8 pixels of 17 greys (Alpaydin and Kaynak, 1998, CC BY 4.0);
the network takes them as images of those sides.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from bigml_resource import round_to_float32
from sklearn.datasets import load_digits

HERE = Path(__file__).resolve().parent
SIDE, CLASSES = 8, 10
BRIGHTEST = 16
"""The largest grey of the data set."""

FILTERS = (16, 32, 32)
"""Filters of the convolutions; the second one halves the sides of the image."""

UNITS = 64
EPOCHS, BATCH = 30, 32
EPSILON = 1e-3


def split_digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return images u8[n, 8, 8, 3] to train on, images held out (every fifth), and their digits."""
    digits = load_digits()
    grey = np.rint(digits.images * (255 / BRIGHTEST)).astype(np.uint8)
    images = np.repeat(grey[..., None], 3, axis=3)
    held = np.arange(len(images)) % 5 == 4
    return images[~held], images[held], digits.target[~held], digits.target[held]


def make_model(tf: Any) -> Any:
    layers = tf.keras.layers
    x = pixels = tf.keras.Input((SIDE, SIDE, 3))
    for number, filters in enumerate(FILTERS):
        strides, name = 1 + (number == 1), f"convolution_{number}"
        convolve = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False, name=name)
        x = layers.BatchNormalization(epsilon=EPSILON, name=f"normalization_{number}")(convolve(x))
        x = layers.ReLU()(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(UNITS, activation="relu", name="hidden")(x)
    return tf.keras.Model(pixels, layers.Dense(CLASSES, activation="softmax", name="head")(x))


def train(images: np.ndarray, digits: np.ndarray) -> Any:
    """Return the network trained on images whose pixels are divided by 255."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    tf.keras.utils.set_random_seed(0)
    model = make_model(tf)
    steps = EPOCHS * (len(images) // BATCH)
    rate = tf.keras.optimizers.schedules.CosineDecay(4e-3, steps)
    model.compile(tf.keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    model.fit(images.astype(np.float32) / 255, digits, BATCH, EPOCHS, verbose=0)
    return model


def export(model: Any) -> dict[str, Any]:
    """Return the trained network as a document: an image network that ends in features, and dense layers."""
    layers: list[dict[str, Any]] = []
    for number in range(len(FILTERS)):
        (kernel,) = model.get_layer(f"convolution_{number}").get_weights()
        strides = 1 + (number == 1)
        layers.append(
            {
                "type": "convolution_2d",
                "kernel": rounded(kernel),
                "bias": None,
                "strides": [strides, strides],
                "padding": "same",
                "activation_function": None,
            }
        )
        statistics = map(rounded, model.get_layer(f"normalization_{number}").get_weights())
        normal = dict(zip(("gamma", "beta", "mean", "variance"), statistics, strict=True))
        layers.append({"type": "batch_normalization", "epsilon": EPSILON, **normal})
        layers.append({"type": "activation", "activation_function": "relu"})
    layers.append({"type": "global_average_pool_2d"})
    metadata = {
        "base_image_network": "digits",
        "input_image_shape": [SIDE, SIDE, 3],
        "loading_method": "normalizing",
        "outputs": [[0, FILTERS[-1]]],
    }
    network = {
        "preprocess": [{"type": "image", "index": 0}],
        "image_network": {"metadata": metadata, "layers": layers},
        "layers": [
            dense(*model.get_layer("hidden").get_weights(), "relu"),
            dense(*model.get_layer("head").get_weights(), "softmax"),
        ],
        "output_exposition": {"type": "categorical", "values": [str(digit) for digit in range(CLASSES)]},
        "trees": None,
    }
    return {"resource": "deepnet/5a1e0000000000000000003b", "name": "digits", "deepnet": {"network": network}}


def dense(kernel: np.ndarray, offset: np.ndarray, function: str) -> dict[str, Any]:
    weights = {"weights": rounded(kernel), "offset": rounded(offset)}
    return {"type": "dense", "activation_function": function, **weights}


def rounded(weights: np.ndarray) -> Any:
    """Round to four decimals, which keeps the file small."""
    return round_to_float32(np.round(weights, 4))


def main() -> None:
    from sensenet.models.wrappers import create_model

    images, held_out, digits, expected = split_digits()
    document = export(train(images, digits))
    with gzip.GzipFile(HERE / "digits.json.gz", "wb", mtime=0) as stream:
        stream.write(json.dumps(document, separators=(",", ":")).encode())
    found = create_model(document)([[image] for image in held_out]).argmax(axis=1)
    print(f"held-out accuracy {np.mean(found == expected):.3f} of {len(held_out)} digits")


if __name__ == "__main__":
    main()
