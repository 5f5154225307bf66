"""A whole target in one module: graphs in JSON. `tests/backends/test_new_target.py` adds it to the table."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Literal

import numpy as np
from attrs import frozen

from sensenet.artifact import Artifact, Executable, Report
from sensenet.backends.interpreter.executable import make_executable, parse_saved
from sensenet.backends.options import Options
from sensenet.backends.target import Target
from sensenet.errors import ArtifactError
from sensenet.files.reading import read_file
from sensenet.ir.graph import Graph
from sensenet.ir.legality import all_of
from sensenet.ir.ops.table import OP_CLASSES
from sensenet.ir.printer import print_graph, weights

SUFFIX = ".graph.json"
HEAD = re.compile(rb'\s*\{\s*"sensenet_graph"')


@frozen(kw_only=True)
class JsonOptions(Options):
    """How the text is laid out."""

    layout: Literal["compact", "indented"] = "compact"
    """Whether each number has a line."""


def build(graph: Graph, report: Report, options: JsonOptions) -> Artifact:
    """Return the graph as one file."""
    arrays = {name: [str(array.dtype), array.tolist()] for name, array in weights(graph).items()}
    record = {"sensenet_graph": print_graph(graph), "weights": arrays}
    content = json.dumps(record, indent=1 if options.layout == "indented" else None).encode()
    return Artifact(target="json", graph=graph, report=report, produce=lambda: {f"model{SUFFIX}": content})


def open(path: Path) -> Executable:
    """Run a saved file; raises ArtifactError for one that is damaged."""
    try:
        record = json.loads(read_file(path))
        arrays = {name: np.array(values, dtype) for name, (dtype, values) in record["weights"].items()}
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path} is damaged ({error})") from error
    return make_executable(parse_saved(record["sensenet_graph"].encode(), arrays, str(path)))


TARGET = Target(
    name="json",
    suffix=SUFFIX,
    description="the graph as JSON",
    options=JsonOptions,
    legal=lambda: all_of(*OP_CLASSES),
    build=build,
    load=lambda artifact: make_executable(artifact.graph),
    open=open,
    recognizes=lambda _, head: HEAD.match(head) is not None,
)
