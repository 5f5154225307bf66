"""A whole target in one module: graphs in JSON. `tests/backends/test_new_target.py` adds it to the table."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Literal

from attrs import frozen

from sensenet.artifact import Artifact, Executable, Report
from sensenet.backends.formats.npz import read_npz, write_npz
from sensenet.backends.interpreter.executable import make_executable, parse_saved
from sensenet.backends.options import Options
from sensenet.backends.target import Target
from sensenet.errors import ArtifactError
from sensenet.files.reading import read_file
from sensenet.ir.graph import Graph
from sensenet.ir.legality import all_of
from sensenet.ir.ops.table import OP_CLASSES
from sensenet.ir.printer import print_graph, weights
from sensenet.limits import require_memory

SUFFIX = ".graph.json"
HEAD = re.compile(rb'\s*\{\s*"sensenet_graph"')

VALUE_BYTES = 256
"""More than a value of JSON takes in memory, beside the text of a string: a dict of one member takes 232."""


@frozen(kw_only=True)
class JsonOptions(Options):
    """How the text is laid out; all answers are exact, so `rounding` stays 0."""

    layout: Literal["compact", "indented"] = "compact"
    """Whether each member has a line."""


def build(graph: Graph, report: Report, options: JsonOptions) -> Artifact:
    """Return the graph as one file: its text form, and its weights as an .npz archive in base64."""
    archive = b64encode(write_npz(weights(graph))).decode()
    record = {"sensenet_graph": print_graph(graph), "weights": archive}
    content = json.dumps(record, indent=1 if options.layout == "indented" else None).encode()
    return Artifact(target="json", graph=graph, report=report, produce=lambda: {f"model{SUFFIX}": content})


def open(path: Path) -> Executable:
    """Run a saved file; raises ArtifactError for one that is damaged, LimitError for too many values."""
    content = read_file(path)
    require_memory(VALUE_BYTES * sum(map(content.count, (b",", b"[", b"{"))), f"the JSON of {path}")
    try:
        record = json.loads(content)
        text, archive = record["sensenet_graph"].encode(), b64decode(record["weights"], validate=True)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArtifactError(f"{path} is damaged ({error})") from error
    return make_executable(parse_saved(text, read_npz(archive, str(path)), str(path)))


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
