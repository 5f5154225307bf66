"""Where a document holds the weights of the graph that was made of it."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping

from attrs import frozen

from sensenet.ir.graph import Graph
from sensenet.layer_schema import Form


@frozen(kw_only=True)
class WeightSource:
    """The member `key` of the layer at the JSON path `layer`, and the form in which the document has it.

    `named` says that an initializer's name is there instead of numbers.
    """

    layer: str
    key: str
    form: Form
    named: bool = False

    @property
    def path(self) -> str:
        """The JSON path."""
        return f"{self.layer}.{self.key}"


WeightSources = Mapping[str, Mapping[str, WeightSource]]
"""By the name of the node, then by the attribute of its op."""

SourceRecord = MutableMapping[str, Mapping[str, WeightSource]]
"""The same while the nodes are made: whoever makes one with weights adds their sources."""


@frozen(kw_only=True)
class ImportedGraph:
    """The graph of a document, and which weight of the document each of its weights is."""

    graph: Graph
    weight_sources: WeightSources
