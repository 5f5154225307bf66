"""What axe finds on every kind of page, light and dark, on a phone and a desktop: nothing.

Skipped, and says so, where Chromium, Node or npm is missing, or npm cannot download TensorFlow.js.
"""

from __future__ import annotations

import pytest
from support import browser
from support.explanations import hostile_report
from support.server import serving
from support.web_pages import EXAMPLES, hostile, save_image_page, save_page

import sensenet
from sensenet.evaluation import evaluate
from sensenet.explanation.html import report_page

VIEWS = [(1280, "light"), (1280, "dark"), (360, "light"), (360, "dark")]


def look(executable, page, *parts):
    """Fail for what axe finds after each part, a list of steps, in any view; requests are not judged."""
    steps = []
    for part in parts:
        steps += part
        for view in VIEWS:
            steps += [("view", *view), ("axe",)]
    seen = browser.look_at_all(executable, page, steps)
    found = [answer for step, answer in zip(steps, seen["answers"], strict=True) if step == ("axe",)]
    assert found == [[] for _ in found]
    assert len(found) == len(parts) * len(VIEWS)


def test_axe_finds_what_is_wrong(chromium, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<!doctype html><title>no language</title><main><h1>x</h1><input></main>")
    seen = browser.look_at_all(chromium, page.as_uri(), [("axe",)])
    assert {each.split(":")[0] for each in seen["answers"][0]} == {"html-has-lang", "label"}


@pytest.mark.slow
def test_pages_of_rows(chromium, tmp_path):
    pytest.importorskip("llvmlite")
    rows = tmp_path / "rows.csv"
    rows.write_text("sepal length,mine,petal length\n1,2,3\n4,5,6\n")
    faulty = tmp_path / "faulty.csv"
    faulty.write_text("petal length\nx\n")
    look(
        chromium,
        save_page(EXAMPLES / "iris.json", tmp_path / "page.html"),
        [],
        [("fill", "#field-0", "long"), ("fill", "#field-1", "99")],
        [("click", "#many-tab")],
        [("choose", "#file", str(rows)), ("wait", "#download")],
        [("choose", "#file", str(faulty)), ("wait", "#refusal")],
    )


@pytest.mark.slow
def test_pages_of_all_kinds_of_fields(chromium, tmp_path):
    pytest.importorskip("llvmlite")
    look(chromium, save_page(hostile(), tmp_path / "page.html"), [], [("click", "#many-tab")])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits", "shapes"])
def test_pages_of_images(chromium, tmp_path, name):
    page = save_image_page(EXAMPLES / f"{name}.json.gz", tmp_path / "page.html").as_uri()
    look(
        chromium,
        page,
        [("until", "document.body.dataset.ready")],
        [("choose", "#file", str(EXAMPLES / "shapes.png")), ("wait", "#explain")],
        [
            ("click", "#explain"),
            ("until", "document.querySelector('#map').checkVisibility()"),
            ("click", "details summary"),
        ],
        [("choose", "#file", __file__), ("wait", "#refusal")],
    )


@pytest.mark.slow
def test_pages_of_a_server(chromium):
    pytest.importorskip("llvmlite")
    with serving({"flowers": str(EXAMPLES / "iris.json")}) as port:
        for path in ("/", "/models/flowers"):
            look(chromium, f"http://127.0.0.1:{port}{path}", [])


@pytest.mark.slow
def test_reports(chromium, tmp_path):
    page = tmp_path / "page.html"
    found = evaluate(sensenet.create_model(EXAMPLES / "iris.json"), EXAMPLES / "iris.csv")
    opened = ("ask", "document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    for html in (found.to_html(), report_page(hostile_report())):
        page.write_text(html, "utf-8")
        look(chromium, page.as_uri(), [], [opened])
