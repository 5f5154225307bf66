"""A small network's h5 file, and what tests do with such files."""

from __future__ import annotations

import contextlib

import h5py

import sensenet
from sensenet.backends.keras.h5 import load_weights
from sensenet.frontend import import_graph
from support.documents import FEATURES, dense, normalization

LAYERS = [dense(FEATURES, 3), normalization(3), dense(3, 2, "softmax")]


def write(document, path, **options):
    """The file of a document's weights; its path."""
    path.write_bytes(bytes(sensenet.compile(document, "h5", **options)))
    return path


def load(document, path):
    """The graph of a document with a file's weights."""
    return load_weights(import_graph(document), path)


@contextlib.contextmanager
def editing(path):
    """The file, to be changed in place."""
    with h5py.File(path, "r+") as file:
        yield file


def replace_dataset(path, content=None, name="layer_0/layer_0/bias:0", **options):
    """Another dataset in the place of one; options as of `h5py.Group.create_dataset`."""
    with editing(path) as file:
        del file[name]
        file.create_dataset(name, data=content, **options)
