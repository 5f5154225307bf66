"""Chromium, headless, on reports of evaluations: nothing overflows or is refused, on phones too; texts fit.

Skipped, and says so, where Chromium or Node is missing. Images of what was seen are kept where pytest keeps
temporary files.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from support import browser
from support.accessibility import TOO_WIDE
from support.documents import dense
from support.resources import PRICE, category, number, predict_number, whole

import sensenet
from sensenet.evaluation import evaluate

TEXTS_OUTSIDE = """
  [...document.querySelectorAll('svg.plot')].flatMap((plot) => {
    const {width, height} = plot.viewBox.baseVal;
    const place = (text) => {
      const box = text.getBBox(), matrix = plot.getScreenCTM().inverse().multiply(text.getScreenCTM());
      const corners = [0, 1].flatMap((x) => [0, 1].map((y) =>
        new DOMPoint(box.x + x * box.width, box.y + y * box.height).matrixTransform(matrix)));
      return corners.some(({x, y}) => x < -1 || y < -1 || x > width + 1 || y > height + 1);
    };
    return [...plot.querySelectorAll('text')].filter(place).map((text) => text.textContent);
  })
"""


@pytest.fixture
def look(chromium, tmp_path):
    """A function that opens a report and returns the answers of some expressions; there are no complaints."""

    def run(report, *expressions, width=1280, scheme="light"):
        page = tmp_path / "report.html"
        page.write_text(report.to_html(), "utf-8")
        image = ("image", str(tmp_path / f"report-{width}-{scheme}.png"))
        steps = [*(("ask", expression) for expression in expressions), image]
        return browser.look(chromium, page.as_uri(), steps, width=width, scheme=scheme)[:-1]

    return run


def classifier(classes):
    """A report on classes of long names, of which the last is hostile."""
    names = [f"a rather long name of class {number_}" for number_ in range(classes - 1)] + [
        "<script>alert(1)"
    ]
    values = {"type": "categorical", "values": sorted(names)}
    document = whole(
        [number("a")],
        lambda features: {"layers": [dense(features, classes, "softmax")], "output_exposition": values},
        category("kind", *names),
    )
    table = pa.table({"a": np.arange(4.0 * classes), "kind": names * 4})
    return evaluate(sensenet.create_model(document), table)


def regression():
    model = sensenet.create_model(whole([number("a")], predict_number, PRICE))
    random = np.random.default_rng(1)
    table = pa.table({"a": random.normal(size=300), "price": random.normal(1e7, 1e6, size=300)})
    return evaluate([model, model], table)


REPORTS = {
    "two classes": lambda: classifier(2),
    "forty classes": lambda: classifier(40),
    "regression": regression,
}


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [("two classes", 1280, "light"), ("forty classes", 360, "dark"), ("regression", 360, "dark")],
)
def test_a_report_fits_the_screen(look, name, width, scheme):
    overflow, outside = look(REPORTS[name](), TOO_WIDE, TEXTS_OUTSIDE, width=width, scheme=scheme)
    assert overflow == []
    assert outside == []
