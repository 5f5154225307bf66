"""Chromium, headless, on the drawings: a network of 179 nodes is folded, searched and read; texts fit.

Skipped, and says so, where Chromium or Node is missing. Images of what was seen are kept where pytest keeps
temporary files.
"""

from __future__ import annotations

import pytest
from support import browser
from support.documents import detector, ensemble
from support.drawings import HOSTILE, small_graph

from sensenet.drawing import draw
from sensenet.frontend import import_graph
from sensenet.pretrained import get_pretrained_network

COUNT = "document.querySelectorAll({!r}).length"
VISIBLE = "[...document.querySelectorAll({!r})].filter((element) => element.checkVisibility()).length"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

TEXTS_OUTSIDE = """
  [...document.querySelectorAll('.graph g')].filter((group) => group.checkVisibility()).flatMap((group) => {
    const box = group.querySelector('rect').getBBox();
    const texts = [...group.querySelectorAll('text')].map((text) => [text.textContent, text.getBBox()]);
    const outside = texts.filter(([, text]) => text.x < box.x || text.x + text.width > box.x + box.width ||
      text.y < box.y || text.y + text.height > box.y + box.height);
    const meet = texts.filter(([, a]) => texts.some(([, b]) => a !== b && a.x < b.x && a.x + a.width > b.x &&
      Math.abs(a.y - b.y) < 5));
    return [...outside, ...meet].map(([text]) => text);
  })
"""


@pytest.fixture
def look(chromium, tmp_path):
    """A function that opens a drawing and gives the answers of some steps; there are no complaints."""

    def run(content, form, *steps, width=1280, scheme="light"):
        page = tmp_path / f"graph.{form}"
        page.write_text(content, "utf-8")
        image = ("image", str(tmp_path / f"graph-{width}-{scheme}.png"))
        return browser.look(chromium, page.as_uri(), [*steps, image], width=width, scheme=scheme)[:-1]

    return run


def ask(expression, *parts):
    return ("ask", expression.format(*parts))


@pytest.fixture(scope="module")
def deep():
    """A network of 179 nodes."""
    return import_graph(get_pretrained_network("resnet50"))


@pytest.mark.slow
def test_a_deep_network_folds_and_unfolds(look, deep):
    nodes = len(deep.nodes)
    answers = look(
        draw(deep, "html"),
        "html",
        ask(COUNT, "g[id]"),
        ask(VISIBLE, ".figure g[id]"),
        ask(VISIBLE, "summary"),
        ("click", "#expand"),
        ask(VISIBLE, "g[id]"),
        ("ask", TEXTS_OUTSIDE),
        ("ask", OVERFLOW),
        ("click", "#collapse"),
        ask(VISIBLE, "g[id]"),
        ask(VISIBLE, "summary"),
        ("click", "#stage-2 > summary"),
        ask(VISIBLE, "summary"),
        ("click", "#stage-2 details:nth-of-type(2) > summary"),
        ask(VISIBLE, "g[id]"),
    )
    assert [answer for answer in answers if answer is not None] == [nodes, 0, 23, nodes, [], 0, 0, 7, 10, 10]


@pytest.mark.slow
def test_searching_a_deep_network(look, deep):
    *_, last = [node.name for node in deep.nodes if "image_layer_17" in node.name]
    answers = look(
        draw(deep, "html"),
        "html",
        ("fill", "input", "IMAGE_LAYER_17"),
        ask("document.querySelector('output').textContent"),
        ask(VISIBLE, ".hit"),
        ("click", "input"),
        ("press", "Enter"),
        ask("document.querySelector('aside h2').textContent"),
        ("click", "input"),
        ("press", "Shift+Tab"),
        ("fill", "input", "standardize"),
        ask("document.querySelector('output').textContent"),
        ("fill", "input", "no such node"),
        ask("document.querySelector('output').textContent"),
        ask(VISIBLE, "details[open]"),
        ("fill", "input", ""),
        ask(VISIBLE, "details[open]"),
        ask("document.body.className"),
    )
    told = [answer for answer in answers if answer is not None]
    found = sum("image_layer_17" in node.name for node in deep.nodes)
    assert last == "image_layer_173"
    assert told == [
        f"{found} of 179 nodes",
        found,
        "image_layer_17",
        "1 of 179 nodes",
        "0 of 179 nodes",
        0,
        4,
        "",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (1000, "dark"), (360, "light")])
def test_a_deep_network_fits_any_window(look, deep, width, scheme):
    answers = look(
        draw(deep, "html"),
        "html",
        ("ask", OVERFLOW),
        ("click", "#expand"),
        ("ask", OVERFLOW),
        ("click", "#node-60"),
        ("ask", OVERFLOW),
        ask("document.querySelector('aside h2').textContent"),
        width=width,
        scheme=scheme,
    )
    assert [answer for answer in answers if answer is not None] == [0, 0, 0, deep.nodes[60].name]


def test_the_keyboard_is_enough(look):
    graph = import_graph(ensemble())
    answers = look(
        draw(graph, "html"),
        "html",
        ("click", "#collapse"),
        ask("document.querySelector('#stage-1 > summary').focus()"),
        ("press", "Enter"),
        ask(VISIBLE, "g[id]"),
        ("press", "Tab"),
        ask("document.activeElement.getAttribute('aria-label')"),
        ("press", "Enter"),
        ask("document.activeElement.getAttribute('aria-label')"),
        ask("document.querySelector('aside h2').textContent"),
    )
    told = [answer for answer in answers if answer is not None]
    assert told == [5, "from features", "gather features, f32[?,5]", "features"]


def test_links_of_the_panel_and_the_map_lead_on(look):
    graph = import_graph(detector())
    answers = look(
        draw(graph, "html"),
        "html",
        ("click", "#collapse"),
        ("click", "nav [data-stage='2']"),
        ask(VISIBLE, ".figure g[id]"),
        ("click", "#stage-2 g[id]"),
        ask("document.querySelector('aside h2').textContent"),
        ("click", "aside li button"),
        ask("document.querySelector('aside h2').textContent"),
        ask(VISIBLE, ".chosen"),
    )
    told = [answer for answer in answers if answer is not None]
    decoder = next(node for node in graph.nodes if node.op.mnemonic() == "decode_boxes")
    assert told == [1, decoder.name, decoder.inputs[0].node.name, 1]


@pytest.mark.parametrize("form", ["html", "svg"])
def test_hostile_names_do_nothing(look, form):
    graph = small_graph(HOSTILE, HOSTILE, HOSTILE)
    (hacked, outside) = look(draw(graph, form), form, ask("typeof window.hacked"), ("ask", TEXTS_OUTSIDE))
    assert hacked == "undefined"
    assert outside == []


def test_the_panel_shows_hostile_names_as_text(look):
    graph = small_graph(HOSTILE, HOSTILE, HOSTILE)
    answers = look(
        draw(graph, "html"),
        "html",
        ("click", "#node-1"),
        ask("document.querySelector('aside h2').textContent"),
        ask("typeof window.hacked"),
        ("ask", OVERFLOW),
    )
    assert answers[1:] == [HOSTILE, "undefined", 0]


@pytest.mark.parametrize("make", [ensemble, detector])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_of_the_image_fit(look, make, scheme):
    (outside, boxes) = look(
        draw(import_graph(make()), "svg"), "svg", ("ask", TEXTS_OUTSIDE), ask(COUNT, "g"), scheme=scheme
    )
    assert outside == []
    assert boxes > 10
