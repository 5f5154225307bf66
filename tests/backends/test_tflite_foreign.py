"""Files of TensorFlow's converter, such as the published package writes: only `tflite_predict` runs them."""

from __future__ import annotations

import tempfile

import numpy as np
import pytest
from PIL import Image
from support.op_cases import floats

from sensenet.backends.silence import silence
from sensenet.errors import ArtifactError
from sensenet.models.wrappers import create_model, tflite_predict

pytest.importorskip("ai_edge_litert")
pytestmark = pytest.mark.tensorflow

KERNEL = floats(3, 3, 3, 4)


def convert(function, shape):
    tf = pytest.importorskip("tensorflow")
    module = tf.Module()
    module.call = tf.function(function, [tf.TensorSpec(shape, tf.float32, "image_pixel_inputs")])
    with silence("tensorflow", "absl"), tempfile.TemporaryDirectory() as directory:
        tf.saved_model.save(module, directory, signatures=module.call)
        return bytes(tf.lite.TFLiteConverter.from_saved_model(directory).convert())


def means(x):
    import tensorflow as tf

    resized = tf.image.resize(x, (8, 6), "nearest")
    features = tf.reduce_mean(tf.nn.relu(tf.nn.conv2d(resized, KERNEL, 1, "SAME")), (1, 2))
    return {"probabilities": tf.nn.softmax(features)}


@pytest.fixture
def image_path(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    return tmp_path / "image.png"


def test_a_file_of_images_is_run_and_is_no_model_of_rows(tmp_path, image_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(convert(means, (None, None, None, 3)))
    (answer,) = tflite_predict(path, image_path)
    pixels = np.asarray(Image.open(image_path), np.float32)[None]
    np.testing.assert_allclose(answer, means(pixels)["probabilities"], rtol=1e-4, atol=1e-5)
    with pytest.raises(ArtifactError, match=r"no sensenet metadata \(tflite_predict runs files"):
        create_model(path)


def test_a_file_of_rows_is_refused(tmp_path, image_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(convert(lambda x: {"sum": x + x}, (None, 3)))
    with pytest.raises(ArtifactError, match="does not read one image alone"):
        tflite_predict(path, image_path)


def test_an_operator_that_is_not_run_is_refused(tmp_path, image_path):
    import tensorflow as tf

    path = tmp_path / "model.tflite"
    path.write_bytes(convert(lambda x: {"sum": tf.cumsum(x, 1)}, (None, None, None, 3)))
    with pytest.raises(ArtifactError, match="has the operator 128, which sensenet does not run"):
        tflite_predict(path, image_path)


def test_what_is_no_model_is_refused(tmp_path, image_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(ArtifactError, match="not a TensorFlow Lite model"):
        tflite_predict(path, image_path)
