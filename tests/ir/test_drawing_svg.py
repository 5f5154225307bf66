"""The image: well-formed XML, every node once, texts that fit, hostile names as text."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.op_cases import ALL_CASES, case_name, floats
from support.strategies import IMAGE_OPS, TABULAR_OPS, any_of, graphs

import sensenet.ir.ops
from sensenet.drawing import FORMS, draw, to_svg
from sensenet.drawing.captions import family, make_caption, printable
from sensenet.drawing.svg import COLUMN, PADDING, STYLE
from sensenet.ir.graph import Graph, apply
from sensenet.ir.ops import core, dense, rearrangement
from sensenet.ir.ops.table import OP_CLASSES
from sensenet.ir.types import Tensor, f32
from sensenet.plain_text import columns
from sensenet.signature import Signature

SVG = "{http://www.w3.org/2000/svg}"
ANY_TEXT = st.text(st.characters(codec=None))


def groups(svg: str, kind: str) -> list[ET.Element]:
    root = ET.fromstring(svg)
    return [group for group in root.iter(f"{SVG}g") if kind in group.attrib["class"].split()]


def texts(group: ET.Element) -> list[str]:
    return [element.text or "" for element in group.iter(f"{SVG}text")]


def require_room(group: ET.Element) -> None:
    """Fail where a text of a box is wider than the box, or two of one line meet."""
    rect = group.find(f"{SVG}rect")
    assert rect is not None
    room = float(rect.attrib["width"]) - 2 * PADDING
    lines: dict[str, int] = {}
    for text in group.iter(f"{SVG}text"):
        lines[text.attrib["y"]] = lines.get(text.attrib["y"], 0) + columns(text.text or "")
        assert float(text.attrib["y"]) < float(rect.attrib["y"]) + float(rect.attrib["height"])
    assert all(used * COLUMN <= room + 1e-6 for used in lines.values())


@given(graphs(any_of(TABULAR_OPS | IMAGE_OPS)))
def test_every_node_is_drawn_once(graph):
    svg = to_svg(graph)
    names = [group.find(f"{SVG}title").text.split("\n")[0] for group in groups(svg, "node")]
    assert sorted(names) == sorted(node.name for node in graph.nodes)
    assert len(groups(svg, "pill")) == len(graph.outputs)
    for group in groups(svg, "node") + groups(svg, "pill"):
        require_room(group)


@pytest.mark.parametrize("case", ALL_CASES, ids=case_name)
def test_boxes_of_every_op(case):
    (group,) = [g for g in groups(to_svg(case.graph()), "node") if "node" in texts(g)]
    assert case.op.mnemonic() in texts(group)
    assert f".graph .{family(case.op)} rect" in STYLE
    require_room(group)


def test_every_family_of_ops_has_a_color():
    directory = Path(sensenet.ir.ops.__file__).parent
    assert {family(op) for op in map(object.__new__, OP_CLASSES)} <= {
        path.stem for path in directory.glob("*.py")
    }
    for op in map(object.__new__, OP_CLASSES):
        assert STYLE.count(f".graph .{family(op)} rect {{") == 2, "one light, one dark"


def test_the_image_is_described():
    x = apply(core.Input(type=f32(None, 3)), name="x")
    svg = to_svg(Graph.create([x], {"y": x.value}, Signature(name="Iris")))
    root = ET.fromstring(svg)
    assert root.find(f"{SVG}title").text == "Iris"
    assert root.find(f"{SVG}desc").text == "The graph of a deepnet: 1 node."
    assert root.attrib["role"] == "img"


def test_captions_tell_what_matters():
    x = apply(core.Input(type=f32(None, 20)), name="x")
    layer = apply(dense.Dense(kernel=Tensor(floats(20, 3)), bias=Tensor(floats(3))), x.value, name="layer_0")
    caption = make_caption(layer)
    assert (caption.op, caption.type, caption.name) == ("dense", "f32[?,3]", "layer_0")
    assert caption.attributes == "kernel 20×3"
    reshaped = apply(rearrangement.Reshape(shape=(None, 10, 2)), x.value)
    assert make_caption(reshaped).attributes == "shape (none, 10, 2)"


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_any_name_is_text(title, node_name, output_name):
    x = apply(core.Input(type=f32(1)), name=node_name)
    graph = Graph.create([x], {output_name: x.value}, Signature(name=title))
    for form in FORMS:
        draw(graph, form).encode()
    svg = to_svg(graph)
    root = ET.fromstring(svg)
    assert {element.tag for element in root.iter()} <= {
        f"{SVG}{tag}" for tag in ("svg", "title", "desc", "style", "rect", "path", "g", "text")
    }
    for group in groups(svg, "node") + groups(svg, "pill"):
        require_room(group)


def test_what_no_file_holds_is_replaced():
    assert printable("a\0b\ud800c\x1b") == "a�b�c�"
    assert printable("\u202eb\u2066c") == "�b�c"
    assert printable("é画\U0001f333\n") == "é画\U0001f333\n"


def test_an_unknown_form():
    x = apply(core.Input(type=f32(1)), name="x")
    with pytest.raises(KeyError, match="png"):
        draw(Graph.create([x], {"y": x.value}, Signature()), "png")
