"""h5 files of other networks, damaged and hostile ones: an ArtifactError, which names the file."""

from __future__ import annotations

import shutil
import sys

import h5py
import numpy as np
import pytest
from support.documents import FEATURES, convolution, dense, image, network, normalization
from support.h5_files import LAYERS, editing, load, replace_dataset, write

import sensenet
from sensenet.errors import ArtifactError, MissingPackageError


@pytest.fixture
def path(tmp_path):
    """A file with the weights of LAYERS."""
    return write(network(LAYERS), tmp_path / "weights.h5")


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            [dense(FEATURES, 4), normalization(4), dense(4, 2)],
            rf"layer 1 of .* is 'layer_0' with layer_0/kernel:0 \[{FEATURES}, 3\], layer_0/bias:0 \[3\] in "
            rf"the file, but 'layer_0' with kernel \[{FEATURES}, 4\], bias \[4\] in the network",
        ),
        (
            [dense(FEATURES, 3), dense(3, 2)],
            r"layer 2 of .* is 'layer_1' with .* in the file, but 'layer_1' with kernel",
        ),
        (
            LAYERS[:2],
            r"layer 3 of .* is 'layer_2' with .* in the file, but missing in the network \(the file has 3",
        ),
        (
            [*LAYERS, dense(2, 2)],
            r"layer 4 of .* is missing in the file, but 'layer_3' .*, the network 4\)",
        ),
    ],
)
def test_weights_of_another_network(path, layers, message):
    with pytest.raises(ArtifactError, match=message) as caught:
        load(network(layers), path)
    assert str(path) in str(caught.value)


def test_a_convolution_without_bias_takes_none(tmp_path):
    document = image()
    layers = [convolution(3, 4, size=1), {"type": "flatten"}]
    document["image_network"]["layers"] = layers
    document["layers"] = [dense(8 * 6 * 4 + 1, 2)]
    file = write(document, tmp_path / "m.h5")
    layers[0]["bias"] = None
    with pytest.raises(ArtifactError, match=r"layer 1 of .* is"):
        load(document, file)


def link(target):
    def damage(path):
        with editing(path) as file:
            del file["layer_0/layer_0/bias:0"]
            file["layer_0/layer_0/bias:0"] = target(path)

    return damage


def copy_aside(path):
    return str(shutil.copy(path, path.with_name("other.h5")))


def external_link(path):
    return h5py.ExternalLink(copy_aside(path), "/layer_0/layer_0/bias:0")


def virtual(path):
    layout = h5py.VirtualLayout((3,), np.float32)
    layout[:] = h5py.VirtualSource(copy_aside(path), "/layer_0/layer_0/bias:0", (3,))
    with editing(path) as file:
        del file["layer_0/layer_0/bias:0"]
        file.create_virtual_dataset("layer_0/layer_0/bias:0", layout)


def external_storage(path):
    raw = path.with_name("raw")
    raw.write_bytes(bytes(12))
    replace_dataset(path, shape=(3,), dtype=np.float32, external=str(raw))


def huge(path):
    """A shape of 4 TiB, of which nothing is stored."""
    replace_dataset(path, shape=(2**40,), dtype=np.float32, chunks=(2**20,))


def large_pieces(path):
    replace_dataset(path, shape=(3,), dtype=np.float32, chunks=(2**28,), maxshape=(None,), compression="gzip")


def set_attribute(value, name="layer_names", group="/"):
    def damage(path):
        with editing(path) as file:
            file[group].attrs[name] = value

    return damage


def set_values(value, name="layer_0/layer_0/bias:0"):
    return lambda path: replace_dataset(path, value, name)


def delete(name):
    def damage(path):
        with editing(path) as file:
            del file[name]

    return damage


def group_for_dataset(path):
    with editing(path) as file:
        del file["layer_0/layer_0/bias:0"]
        file.create_group("layer_0/layer_0/bias:0")


def delete_attribute(path):
    with editing(path) as file:
        del file.attrs["layer_names"]


def too_many_names(path):
    with h5py.File(path, "w", libver="latest") as file:  # which holds attributes of any size
        file.attrs["layer_names"] = np.full(2**17, b"")


DAMAGED = "is truncated, damaged or not an h5 file"
OTHER_NETWORK = "holds the weights of another network"

DAMAGES = {
    "external link": (link(external_link), DAMAGED),
    "soft link": (link(lambda _: h5py.SoftLink("/layer_2/layer_2/bias:0")), DAMAGED),
    "external storage": (external_storage, "points to other files"),
    "virtual dataset": (virtual, "points to other files"),
    "huge shape": (huge, rf"{OTHER_NETWORK}.*\[1099511627776\]"),
    "large pieces": (large_pieces, "in chunks that are larger than the dataset"),
    "integers": (set_values(np.array([1, 2, 3])), "is int64, expected floating-point numbers"),
    "texts": (set_values(["a", "b", "c"]), "expected floating-point numbers"),
    "NaN": (set_values(np.float32([1, np.nan, 0])), "not finite in float32"),
    "beyond float32": (set_values([1e300, 0, 0]), "not finite in float32"),
    "scalar": (set_values(1.0), OTHER_NETWORK),
    "no values": (set_values(h5py.Empty("f")), OTHER_NETWORK),
    "negative variance": (
        set_values(np.float32([1, -1, 1]), "layer_1/layer_1/moving_variance:0"),
        "'layer_1' has a variance below 0",
    ),
    "group for dataset": (group_for_dataset, OTHER_NETWORK),
    "missing dataset": (delete("layer_0/layer_0/bias:0"), DAMAGED),
    "missing group": (delete("layer_1"), DAMAGED),
    "names are numbers": (set_attribute([1, 2, 3]), DAMAGED),
    "names are a scalar": (set_attribute("layer_0"), DAMAGED),
    "names are no text": (set_attribute(np.array([b"\xff\xfe"])), DAMAGED),
    "too many names": (too_many_names, DAMAGED),
    "weight names leave the layer": (
        set_attribute(["../layer_2/bias:0", "layer_0/bias:0"], "weight_names", "layer_0"),
        DAMAGED,
    ),
    "empty name": (set_attribute(["", ""]), DAMAGED),
    "no names": (
        delete_attribute,
        "not of Keras weights: it has no attribute 'layer_names'",
    ),
    "other order": (set_attribute(["layer_1", "layer_0", "layer_2"]), OTHER_NETWORK),
    "one layer twice": (set_attribute(["layer_0", "layer_0", "layer_1", "layer_2"]), "contains a name twice"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_and_hostile_files(path, name):
    damage, message = DAMAGES[name]
    damage(path)
    with pytest.raises(ArtifactError, match=message) as caught:
        load(network(LAYERS), path)
    assert str(path) in str(caught.value)


def test_truncated_files(path):
    content = path.read_bytes()
    for size in [*range(0, 512, 64), *range(512, len(content), 1999), len(content) - 1]:
        path.write_bytes(content[:size])
        with pytest.raises(ArtifactError, match=DAMAGED):
            load(network(LAYERS), path)


@pytest.mark.parametrize("content", [b"", b"{}", b"PK\x03\x04" + bytes(100), b"\x89HDF\r\n\x1a\n"])
def test_files_that_are_no_h5(tmp_path, content):
    (tmp_path / "m.h5").write_bytes(content)
    with pytest.raises(ArtifactError, match=DAMAGED):
        load(network(LAYERS), tmp_path / "m.h5")


def test_paths_without_a_file(tmp_path):
    with pytest.raises(ArtifactError, match=r"gone\.h5 .*[Nn]o such file"):
        load(network(LAYERS), tmp_path / "gone.h5")
    with pytest.raises(ArtifactError, match="cannot be read"):
        load(network(LAYERS), tmp_path)


def test_weights_files_of_keras_3_are_explained(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.create_group("layers/dense/vars")
    with pytest.raises(ArtifactError, match=r"lacks the order .* model\.save\('model\.h5'\)"):
        load(network(LAYERS), tmp_path / "m.h5")


def test_without_h5py(monkeypatch, path):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingPackageError, match="pip install 'sensenet-compiler\\[tensorflow"):
        load(network(LAYERS), path)
    with pytest.raises(MissingPackageError, match="pip install 'sensenet-compiler\\[tensorflow"):
        bytes(sensenet.compile(network(LAYERS), "h5"))
