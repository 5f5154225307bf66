"""The page: every node once, numbers that are right, hostile names as text, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st
from support.documents import image
from support.drawings import HOSTILE, small_graph
from support.op_cases import floats
from support.strategies import IMAGE_OPS, TABULAR_OPS, any_of, documents, graphs

from sensenet.drawing import to_html
from sensenet.frontend import import_graph
from sensenet.ir.cost import graph_multiply_adds, graph_parameters
from sensenet.ir.graph import Graph, apply
from sensenet.ir.ops import core, dense
from sensenet.ir.types import Tensor, f32
from sensenet.signature import Signature

VOID = {"meta", "link", "input", "img", "br"}


class Page(HTMLParser):
    """What a page holds: all start tags with attributes, the texts of scripts and styles, all other text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[str, str]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        assert not self.open, "every element is closed"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("script", "style"):
            self.raw.append((self.open[-1], data))
        else:
            self.text += data

    @property
    def nodes(self) -> list[int]:
        """The numbers of the nodes that are drawn."""
        return [int(given["data-node"]) for tag, given in self.tags if tag == "g" and "id" in given]

    @property
    def record(self) -> dict:
        """What the script reads."""
        return json.loads(self.raw[1][1])


@given(graphs(any_of(TABULAR_OPS | IMAGE_OPS)))
def test_every_node_is_drawn_once(graph):
    page = Page(to_html(graph))
    assert sorted(page.nodes) == list(range(len(graph.nodes)))
    assert [node["name"] for node in page.record["nodes"]] == [node.name for node in graph.nodes]


@given(documents())
def test_documents_are_drawn(document):
    graph = import_graph(document)
    page = Page(to_html(graph))
    assert f"{graph_parameters(graph):,}" in page.text
    assert f"{graph_multiply_adds(graph):,}" in page.text
    for node, record in zip(graph.nodes, page.record["nodes"], strict=True):
        assert [graph.nodes[number] for number, *_ in record["inputs"]] == [v.node for v in node.inputs]
        assert {graph.nodes[number] for number in record["readers"]} == {
            reader for reader in graph.nodes if node in [v.node for v in reader.inputs]
        }


def test_a_node_is_described():
    page = Page(to_html(small_graph()))
    assert page.record["nodes"][1] == {
        "name": "layer_0",
        "op": "dense",
        "family": "dense",
        "types": ["f32[?,3]"],
        "inputs": [[0, "numeric_inputs", "f32[?,20]"]],
        "readers": [],
        "outputs": ["predictions"],
        "attributes": [
            ["kernel", "f32[20,3]"],
            ["bias", "f32[3]{1.0, 2.0, 3.0}"],
            ["activation", "linear"],
        ],
        "parameters": "63",
        "multiplyAdds": "60",
    }
    assert page.record["meanings"]["dense"].startswith("y = activation(x @ kernel + bias)")
    assert "numeric_inputs: f32[?,20]" in page.text
    assert "predictions: f32[?,3]" in page.text


def test_links_lead_to_nodes():
    graph = import_graph(image())
    page = Page(to_html(graph))
    links = [given for tag, given in page.tags if tag == "g" and given.get("role") == "link"]
    assert links
    assert {int(given["data-node"]) for given in links if "data-node" in given} <= set(page.nodes)
    stages = [given["data-stage"] for given in links if "data-stage" in given]
    assert [f"stage-{stage}" for stage in stages] == [
        given["id"] for tag, given in page.tags if tag == "details" and "id" in given
    ]


def policy_of(page: Page) -> str:
    (policy,) = [
        given["content"]
        for tag, given in page.tags
        if tag == "meta" and "content" in given and "http-equiv" in given
    ]
    return policy


def test_the_policy_allows_the_script_and_the_style_alone():
    text = to_html(small_graph())
    page = Page(text)
    allowed = re.findall(r"'sha256-([^']*)'", policy_of(page))
    (style,), (_, script) = ([data for tag, data in page.raw if tag == kind] for kind in ("style", "script"))
    assert allowed == [
        base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in (style, script)
    ]
    assert policy_of(page).startswith("default-src 'none'; img-src data:; style-src 'sha256-")


def test_nothing_comes_from_elsewhere():
    text = to_html(import_graph(image()))
    addresses = {
        value for _, given in Page(text).tags for name, value in given.items() if name in ("src", "href")
    }
    assert addresses == {"data:,"}
    assert set(re.findall(r"https?://[^\s\"']*", text)) == {"http://www.w3.org/2000/svg"}


@given(
    st.sampled_from([HOSTILE, HOSTILE.upper(), "<!--<script>", "]]>", "&lt;b&gt;", "\ud800\0"]), st.booleans()
)
def test_hostile_names_are_text(name, of_nodes):
    hostile = Page(to_html(small_graph(name, name, name if of_nodes else "layer_0")))
    harmless = Page(to_html(small_graph()))
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in harmless.tags]
    assert [sorted(given) for _, given in hostile.tags] == [sorted(given) for _, given in harmless.tags]
    assert policy_of(hostile) == policy_of(harmless)
    assert "<" not in hostile.raw[1][1]
    assert hostile.record["nodes"][1]["outputs"] == [name]


def test_long_graphs_are_folded():
    def opened(graph):
        return [("open" in given) for tag, given in Page(to_html(graph)).tags if tag == "details"]

    assert all(opened(small_graph()))
    x = apply(core.Input(type=f32(None, 3)), name="x")
    value = x.value
    for _ in range(100):
        value = apply(dense.Dense(kernel=Tensor(floats(3, 3))), value).value
    folds = opened(Graph.create([x], {"y": value}, Signature()))
    assert sum(folds) == 1
    assert len(folds) > 8
