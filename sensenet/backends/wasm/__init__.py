"""The target wasm: WebAssembly and one module of JavaScript that predict by themselves.

LLVM compiles the graph, as for native code, and `linker` makes a module of it. `model.js` reads rows by field
name, in browsers and in Node. There is no runtime, and nothing to install. See docs/wasm.md.
"""

from __future__ import annotations

import re
from pathlib import Path

from sensenet.artifact import Artifact, Executable, Report
from sensenet.backends.options import Options
from sensenet.backends.target import Target
from sensenet.backends.wasm.names import HEAD, MODULE_FILE, SECTION
from sensenet.errors import ArtifactError, UnsupportedOpError
from sensenet.files.destinations import Layout
from sensenet.files.reading import read_head
from sensenet.ir.graph import Graph
from sensenet.ir.legality import every_op
from sensenet.records import frozen

LAYOUT = Layout(
    names=re.compile(r"model\.(wasm|js|d\.ts)|package\.json"), mark=MODULE_FILE, content=SECTION.encode()
)


@frozen(kw_only=True)
class WasmOptions(Options):
    """How answers are rounded."""

    exact: bool = False
    """Round every product before it is added, and add biases last: the same bits as `native` with `exact`."""


def build(graph: Graph, report: Report, options: WasmOptions) -> Artifact:
    """Return the graph as a directory of files, which are made at once.

    Raises UnsupportedOpError for a network of images, LimitError for more weights than WebAssembly addresses,
    MissingPackageError without llvmlite.
    """
    from sensenet.backends.wasm.files import write_files

    if graph.signature.image is not None:
        raise UnsupportedOpError(
            "the target wasm runs models of rows, and this one reads images: compile it for tfjs or onnx"
        )
    files = write_files(graph, exact=options.exact)
    return Artifact(target="wasm", graph=graph, report=report, produce=lambda: files, layout=LAYOUT)


def load(artifact: Artifact) -> Executable:
    """Run an artifact in Node; raises ArtifactError without Node."""
    from sensenet.backends.wasm.files import make_executable

    return make_executable(artifact.files, artifact.graph)


def open(path: Path) -> Executable:
    """Raise ArtifactError: browsers and Node run WebAssembly."""
    raise ArtifactError(
        f"{path} is WebAssembly, which browsers and Node run: compile the document with -t numpy for a file "
        "of the same network that sensenet opens"
    )


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a file is a module of WebAssembly, or a directory has one."""
    return (read_head(path / MODULE_FILE) if path.is_dir() else head).startswith(HEAD)


TARGET = Target(
    name="wasm",
    suffix="_wasm",
    description="WebAssembly and a module of JavaScript that predict by themselves",
    options=WasmOptions,
    legal=every_op,
    build=build,
    load=load,
    open=open,
    recognizes=recognizes,
    runs=False,
    simplifies=True,
    interpreted=True,
)
