"""Which file belongs to which network, handing weights to a model, and the progress bar."""

from __future__ import annotations

import io

import pytest

from sensenet.errors import DocumentError, DownloadError, InputTypeError, UnknownNetworkError
from sensenet.pretrained import (
    get_extractor_bundle,
    get_pretrained_network,
    get_weights_path,
    load_pretrained_weights,
)
from sensenet.progress import bar_line, progress_bar, step_line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


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


# The progress bar


def test_bar_shows_share_size_and_speed():
    line = bar_line("file", 25_000_000, 100_000_000, 2e6)
    assert line == "file  [######------------------]  25%  25.0/100.0 MB  2.0 MB/s"


def test_bar_of_unknown_size_counts():
    assert bar_line("file", 25_000_000, None, 2e6) == "file  25.0 MB  2.0 MB/s"


def test_bar_of_steps_counts_them():
    assert step_line("layers", 3, 12, 1.0) == "layers  [######------------------]  25%  3/12"
    assert step_line("layers", 3, None, 1.0) == "layers  3"
    terminal = Terminal()
    with progress_bar("layers", terminal, step_line) as progress:
        progress(1, 2)
    assert "50%  1/2" in terminal.getvalue()


def test_bar_is_drawn_on_a_terminal_and_wiped():
    terminal = Terminal()
    with progress_bar("file", terminal) as progress:
        progress(1, 100)
        progress(2, 100)  # too soon after the first to be drawn
        progress(100, 100)
    drawings = terminal.getvalue().split("\r\x1b[K")
    assert [drawing.split("]")[-1][:5] for drawing in drawings] == ["", "   1%", " 100%", ""]
    assert len(drawings) == 4
    assert "100%" in drawings[2]
    assert drawings[3] == ""


def test_nothing_is_drawn_elsewhere():
    stream = io.StringIO()
    with progress_bar("file", stream) as progress:
        progress(1, 100)
    assert stream.getvalue() == ""


def test_program_without_standard_error_has_no_bar(monkeypatch):
    monkeypatch.setattr("sys.stderr", None)
    with progress_bar("file") as progress:
        progress(1, 100)
