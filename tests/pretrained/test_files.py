"""Which file belongs to which network, and handing weights to a model."""

from __future__ import annotations

import pytest

from sensenet.errors import DocumentError, DownloadError, InputTypeError, UnknownNetworkError
from sensenet.pretrained import (
    get_extractor_bundle,
    get_pretrained_network,
    get_weights_path,
    load_pretrained_weights,
)


class Model:
    """Remembers what it is told to load."""

    loaded = None

    def load_weights(self, path):
        self.loaded = path


def test_files_are_called_by_name_and_version(cache):
    assert get_weights_path("mobilenet") == str(cache / "mobilenet_weights_208b4ec4.h5")
    assert get_extractor_bundle("yolov4") == str(cache / "yolov4_extractor_37999bf0.smbundle")


def test_documents_say_which_weights_they_want(cache):
    document = get_pretrained_network("resnet50")
    assert get_weights_path(document) == str(cache / "resnet50_weights_8705001b.h5")
    assert get_weights_path(document["image_network"]) == str(cache / "resnet50_weights_8705001b.h5")
    document["image_network"]["metadata"]["version"] = "0123abcd"
    assert get_weights_path(document) == str(cache / "resnet50_weights_0123abcd.h5")
    del document["image_network"]["metadata"]["version"]
    assert get_weights_path(document) == str(cache / "resnet50_weights_8705001b.h5")


@pytest.mark.parametrize(
    ("network", "error"),
    [
        ("resnet19", UnknownNetworkError),
        (None, InputTypeError),
        ({}, DocumentError),
        ({"image_network": None}, DocumentError),
        ({"image_network": {"metadata": {"base_image_network": 5}}}, DocumentError),
        (
            {"image_network": {"metadata": {"base_image_network": "mine", "version": "1"}}},
            UnknownNetworkError,
        ),
        ({"metadata": {"base_image_network": "resnet18", "version": "../1"}}, DownloadError),
    ],
)
def test_networks_without_pretrained_weights_are_refused(server, cache, network, error):
    with pytest.raises(error):
        get_weights_path(network)
    assert not server.requests


def test_weights_are_handed_to_the_model(cache):
    model = Model()
    load_pretrained_weights(model, "resnet18")
    assert model.loaded == str(cache / "resnet18_weights_cb5ddcb5.h5")


def test_what_cannot_load_weights_is_refused_before_any_download(server, cache):
    with pytest.raises(InputTypeError, match="dict cannot load weights"):
        load_pretrained_weights({}, "resnet18")
    assert not server.requests
