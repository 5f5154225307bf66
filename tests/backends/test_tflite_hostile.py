"""Whole .tflite files with another signature, or with operators of others, which `create_model` refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support import documents

import sensenet
from sensenet.backends.silence import silence
from sensenet.backends.tflite.metadata import SIGNATURE_FILE, _pack_archive
from sensenet.errors import ArtifactError
from sensenet.models.wrappers import create_model

pytest.importorskip("ai_edge_litert")


def with_signature(artifact, flatbuffer, change=lambda record: None):
    """A file with the signature of an artifact, changed, behind a flatbuffer."""
    record = artifact.graph.signature.to_json()
    change(record)
    return bytes(flatbuffer) + _pack_archive(flatbuffer, {SIGNATURE_FILE: json.dumps(record)})


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("typed", lambda record: record.update(kind="detector")),
        ("typed", lambda record: record["columns"].pop()),
        ("image", lambda record: record["columns"].pop(0)),
        ("image", lambda record: record["image"].update(channels=4)),
        ("detector", lambda record: record.update(kind="deepnet")),
    ],
)
def test_signatures_that_do_not_fit_are_refused(kind, change, tmp_path):
    artifact = sensenet.compile(documents.DOCUMENTS[kind](), "tflite")
    flatbuffer = bytes(artifact)[: bytes(artifact).index(b"PK\x03\x04")]
    path = tmp_path / "model.tflite"
    path.write_bytes(with_signature(artifact, flatbuffer))
    create_model(path)
    path.write_bytes(with_signature(artifact, flatbuffer, change))
    with pytest.raises(ArtifactError, match="its tensors do not fit its signature"):
        create_model(path)


@pytest.mark.tensorflow
def test_operators_of_tensorflow_never_run(tmp_path):
    """Its flex delegate is at hand in this process, and would write the file."""
    tf = pytest.importorskip("tensorflow")
    written = tmp_path / "written"

    @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32, "numeric_inputs")])
    def function(x):
        tf.io.write_file(str(written), "it ran")
        return {"predictions": x[:, :2]}

    with silence("tensorflow", "absl"):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
        flatbuffer = bytes(converter.convert())
    assert b"FlexWriteFile" in flatbuffer
    path = tmp_path / "model.tflite"
    path.write_bytes(with_signature(sensenet.compile(documents.typed(), "tflite"), flatbuffer))
    with pytest.raises(ArtifactError, match="a field of OperatorCode"):
        create_model(path)
    assert not written.exists()


def test_an_unknown_way_to_rescale_is_refused(tmp_path):
    artifact = sensenet.compile(documents.image(), "tflite")
    flatbuffer = bytes(artifact)[: bytes(artifact).index(b"PK\x03\x04")]
    path = tmp_path / "model.tflite"
    change = lambda record: record["image"].update(rescale_type="")  # noqa: E731
    path.write_bytes(with_signature(artifact, flatbuffer, change))
    with pytest.raises(ArtifactError, match="rescale_type is '', expected one of"):
        create_model(path)


def test_a_class_without_a_name_is_an_error(tmp_path):
    artifact = sensenet.compile(documents.detector(), "tflite", settings={"bounding_box_threshold": 0.01})
    flatbuffer = bytes(artifact)[: bytes(artifact).index(b"PK\x03\x04")]
    path = tmp_path / "model.tflite"
    image = np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)
    path.write_bytes(with_signature(artifact, flatbuffer))
    assert create_model(path)(image)
    path.write_bytes(with_signature(artifact, flatbuffer, lambda record: record.update(classes=[])))
    model = create_model(path)
    with pytest.raises(ArtifactError, match=r"class \d, but its file names 0 classes"):
        model(image)
