"""The target web: a page that predicts in the browser, as one file or as a folder.

For rows, the page is a form of the model's fields over the target wasm; for an image, it runs the network of
the target tfjs in TensorFlow.js. As one file it needs no server and loads nothing: see docs/web.md.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from sensenet.artifact import Artifact, Executable, Report
from sensenet.backends.options import DirectoryAddress, Options
from sensenet.backends.target import Target
from sensenet.backends.web.names import MARK, PAGE_FILE, is_absolute
from sensenet.errors import ArtifactError, UnknownTargetError
from sensenet.files.destinations import Layout
from sensenet.files.reading import read_head
from sensenet.ir.graph import Graph
from sensenet.ir.legality import every_op
from sensenet.records import frozen

LAYOUT = Layout(
    names=re.compile(r"index\.html|page\.(css|js|wasm|json|bin)|tf(js)?-[a-z0-9.-]+\.(js|wasm)"),
    mark=PAGE_FILE,
    content=MARK,
)

FOLDER_SUFFIX, FILE_SUFFIX = "_web", ".html"


@frozen(kw_only=True)
class WebOptions(Options):
    """What is written: a folder for a web server, or one file."""

    single_file: bool = False
    """Write one file that opens from disk, without a server, instead of a folder."""
    runtime_url: DirectoryAddress | None = None
    """Where a page of images loads TensorFlow.js from, instead of having it: see docs/web.md."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.runtime_url is not None and self.single_file and not is_absolute(self.runtime_url):
            raise UnknownTargetError(
                f"runtime_url is {self.runtime_url!r}, but a page that opens from disk finds no file next to "
                "it: give an address that begins with https://, or write a folder"
            )


def build(graph: Graph, report: Report, options: WebOptions) -> Artifact:
    """Return the page of a graph; that of an image is made, after a download, when its files are asked for.

    Raises UnsupportedOpError for a model that reads several images, or images with other fields, or whose
    answer is not what a page shows; UnknownTargetError for a `runtime_url`, LimitError for more weights than
    WebAssembly addresses, and MissingPackageError without llvmlite, for rows. The files of an image raise
    what `fetch_runtime` raises.
    """
    if graph.signature.image is not None:
        from sensenet.backends.web.images import lower_images, write_images

        graph = lower_images(graph)
        produce = partial(
            write_images, graph, single_file=options.single_file, runtime_url=options.runtime_url
        )
    else:
        if options.runtime_url is not None:
            raise UnknownTargetError(
                "runtime_url is where TensorFlow.js is, which pages of images run: leave it out, since this "
                "model reads rows, whose page needs no runtime"
            )
        from sensenet.backends.web.page import write_page

        produce = partial(dict[str, bytes], write_page(graph, single_file=options.single_file))
    return Artifact(target="web", graph=graph, report=report, produce=produce, layout=LAYOUT)


def load(artifact: Artifact) -> Executable:
    """Run the model of a page: rows in Node, images in TensorFlow.

    Raises ArtifactError without Node, MissingPackageError without TensorFlow.
    """
    if artifact.graph.signature.image is not None:
        from sensenet.backends.web.images import make_executable

        return make_executable(artifact.graph)
    from sensenet.backends.wasm import files

    return files.make_executable(files.write_files(artifact.graph), artifact.graph)


def open(path: Path) -> Executable:
    """Raise ArtifactError: browsers show pages."""
    raise ArtifactError(
        f"{path} is a page, which browsers show: compile the document with -t numpy for a file of the same "
        "network that sensenet opens"
    )


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a file is a page of this target, or a directory has one."""
    return (read_head(path / PAGE_FILE) if path.is_dir() else head).startswith(MARK)


TARGET = Target(
    name="web",
    suffix=FOLDER_SUFFIX,
    description="a page with a form that predicts in the browser, without a server",
    options=WebOptions,
    legal=every_op,
    build=build,
    load=load,
    open=open,
    recognizes=recognizes,
    runs=False,
    simplifies=True,
    interpreted=True,
    find_suffix=lambda options: FILE_SUFFIX if options.single_file else FOLDER_SUFFIX,
)
