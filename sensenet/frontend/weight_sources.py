"""Records which members of a document the weights of its graph were read from."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping

from sensenet.ir.graph import Graph
from sensenet.layer_schema import Form
from sensenet.records import frozen


@frozen(kw_only=True)
class WeightSource:
    """The member `key` of the layer at the JSON path `layer`, and the form in which the document has it.

    `named` is true if the document has an initializer's name instead of numbers.
    """

    layer: str
    key: str
    form: Form
    named: bool = False

    @property
    def path(self) -> str:
        """The JSON path of the member."""
        return f"{self.layer}.{self.key}"


WeightSources = Mapping[str, Mapping[str, WeightSource]]
"""The source of each weight, by the name of the node and the attribute of its op."""

SourceRecord = MutableMapping[str, Mapping[str, WeightSource]]
"""Weight sources while nodes are built: the code that builds a node adds its sources."""


@frozen(kw_only=True)
class ImportedGraph:
    """The graph of a document, and the source of each of its weights in the document."""

    graph: Graph
    weight_sources: WeightSources
