"""Artifacts of made-up files, and what saving them leaves."""

from __future__ import annotations

import re

from sensenet.artifact import Artifact, Report
from sensenet.files.destinations import Layout
from sensenet.ir.graph import Graph, apply
from sensenet.ir.ops.core import Input
from sensenet.ir.types import f32
from sensenet.signature import Signature

LAYOUT = Layout(names=re.compile(r"a\.pb|variables/b(-\d+)?"), mark="a.pb", content=b"a")


def make_artifact(files, *, separate_files=False):
    node = apply(Input(type=f32(None, 1)), name="x")
    graph = Graph.create([node], {"y": node.value}, Signature())
    return Artifact(
        target="test",
        graph=graph,
        report=Report(target="test", level=2),
        produce=lambda: files,
        separate_files=separate_files,
        layout=LAYOUT,
    )


ONE = make_artifact({"model.bin": b"content"})
SEVERAL = make_artifact({"a.pb": b"a", "variables/b": b"bb"})
NEW = make_artifact({"a.pb": b"new a", "variables/b": b"b" * 9})
"""Replaces `SEVERAL`."""

SEPARATE_FILES = make_artifact({"model.ir": b"text", "model.npz": b"weights"}, separate_files=True)


def networks():
    """Yield two documents of eight inputs whose weights are too many to stand in the text."""
    for value in (0.25, -0.5):
        kernel = [[value + row / 64 for _ in range(8)] for row in range(8)]
        columns = [{"type": "numeric", "index": i, "mean": 0, "stdev": 1} for i in range(8)]
        exposition = {"type": "numeric", "mean": 0, "stdev": 1}
        layers = [
            {"type": "dense", "weights": kernel, "offset": None, "activation_function": "tanh"},
            {"type": "dense", "weights": [[1.0]] * 8, "offset": None, "activation_function": "identity"},
        ]
        yield {"preprocess": columns, "layers": layers, "output_exposition": exposition}


OLD_DOCUMENT, NEW_DOCUMENT = networks()


def tree(directory):
    """Return every file below a directory, and its content."""
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }
