"""From BigML documents to graphs. No later stage reads the document again."""

from sensenet.frontend.document import Document, read_document
from sensenet.frontend.network import build_graph, import_graph

__all__ = ["Document", "build_graph", "import_graph", "read_document"]
