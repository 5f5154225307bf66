"""The network of a page that reads one image: that of the target tfjs, with its weights in one file."""

from __future__ import annotations

from sensenet.artifact import Executable, Files
from sensenet.backends.tfjs import running
from sensenet.backends.tfjs.convert import convert
from sensenet.backends.tfjs.emit import LEGAL
from sensenet.backends.tfjs.names import MODEL_FILE
from sensenet.backends.web.page import write_image_page
from sensenet.backends.web.tensorflow_js import fetch_runtime, refer_to_runtime
from sensenet.errors import UnsupportedOpError
from sensenet.ir.graph import Graph
from sensenet.ir.legality import require_legal
from sensenet.passes.lowering.legalize import legalize
from sensenet.passes.lowering.simplify_lowered import simplify_lowered
from sensenet.signature import PREDICTIONS, VALID, ModelKind

ONE_SHARD = 2**31
"""The most bytes of a weight file: all weights are in one."""


def lower_images(graph: Graph) -> Graph:
    """Return a graph lowered to the ops of the target tfjs.

    A page shows classes, numbers, or the boxes that a detector chose, for one image. Raises
    UnsupportedOpError for any other model.
    """
    signature = graph.signature
    if len(signature.columns) != 1:
        raise UnsupportedOpError(
            f"the target web makes pages for rows, or for one image: this model reads "
            f"{len(signature.image_columns)} images of {len(signature.columns)} columns; compile it for tfjs"
        )
    if signature.kind is ModelKind.EXTRACTOR or not {PREDICTIONS, VALID} & graph.outputs.keys():
        raise UnsupportedOpError(
            "the target web shows classes, numbers or chosen boxes, and this model answers features or all "
            "boxes: compile it for tfjs"
        )
    lowered = simplify_lowered(LEGAL).run(legalize(LEGAL).run(graph))
    require_legal(lowered, LEGAL, "the target web")
    return lowered


def write_images(graph: Graph, *, single_file: bool, runtime_url: str | None) -> Files:
    """Return the files of a page by name, of a lowered graph; raises what `fetch_runtime` raises."""
    files = _convert(graph)
    weights = b"".join(content for name, content in files.items() if name != MODEL_FILE)
    runtime = fetch_runtime() if runtime_url is None else refer_to_runtime(runtime_url)
    return write_image_page(files[MODEL_FILE], weights, graph.signature, runtime, single_file=single_file)


def make_executable(graph: Graph) -> Executable:
    """Run the network of a page in TensorFlow, lowered or not; raises MissingPackageError without it."""
    return running.make_executable(_convert(lower_images(graph)), "the page")


def _convert(graph: Graph) -> dict[str, bytes]:
    return convert(graph, {}, ONE_SHARD)
