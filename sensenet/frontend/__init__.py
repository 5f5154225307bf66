"""Converts BigML documents to graphs. No later stage reads the document."""

from sensenet.frontend.document import Document, read_document
from sensenet.frontend.network import build_graph, import_graph
from sensenet.frontend.weight_sources import ImportedGraph

__all__ = ["Document", "ImportedGraph", "build_graph", "import_graph", "read_document"]
