"""Explanations as text and as a page: what they show, and that names from documents stay text."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import attrs
import numpy as np
from support.explanations import HOSTILE, hostile_report

import sensenet
from sensenet.explanation import contributions
from sensenet.explanation.html import report_page
from sensenet.explanation.text import ASCII, UNICODE, contribution_lines, curve_lines, importance_lines
from sensenet.explanation.wording import format_value

VOID = {"meta", "link"}


class Page(HTMLParser):
    """The tags of a page, which must be closed in order, its attributes, and its text."""

    def __init__(self, content):
        super().__init__()
        self.tags, self.attributes, self.text, self._open = [], [], [], []
        self.feed(content)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_names_of_documents_stay_text():
    content = report_page(hostile_report())
    page = Page(content)
    assert set(page.tags).isdisjoint({"script", "img", "iframe", "object", "a"})
    links = [(name, value) for name, value in page.attributes if name in ("src", "href")]
    assert links == [("href", "data:,")]
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "".join(page.text).count(HOSTILE[0]) > 3
    assert "\x1b" not in content
    assert "\u202e" not in content
    assert r"\u202e" in content


def test_a_page_asks_for_nothing():
    content = report_page(hostile_report())
    assert not re.search(r"url\(|@import|https?:", content)
    assert "default-src 'none'" in content
    assert "prefers-color-scheme: dark" in content


def test_numbers_that_are_not_finite_make_a_page():
    report = hostile_report()
    for part in (
        report.contributions.contributions,
        report.contributions.answer,
        *(c.answers for c in report.curves),
    ):
        part[:] = np.nan
    report.importance.importance[:] = np.inf
    report = attrs.evolve(report, importance=attrs.evolve(report.importance, score=np.nan))
    page = Page(report_page(report))
    assert "nan" in "".join(page.text)
    assert not [value for _, value in page.attributes if value and re.search(r"\bnan\b|\binf\b", value)]
    assert list(contribution_lines(report.model, report.contributions, 0, UNICODE))
    assert list(importance_lines(report.importance, ASCII))
    assert json.dumps(report.to_json(), allow_nan=False).count("null") > 5


def test_text_has_no_control_characters_and_ascii_bars():
    report = hostile_report()
    lines = [
        *contribution_lines(report.model, report.contributions, 0, ASCII),
        *curve_lines(report.curves[1], 0, ASCII),
        *importance_lines(report.importance, ASCII),
    ]
    assert all(line.isprintable() for line in lines)
    assert any("#" in line for line in lines)
    assert not any(character in line for line in lines for character in "█▌▐│")


def test_bars_are_as_long_as_contributions():
    found = contributions(sensenet.create_model("examples/diabetes.json"), {"age": 60, "body mass index": 32})
    lines = list(contribution_lines(sensenet.create_model("examples/diabetes.json"), found, 0, UNICODE))
    assert lines[0].startswith("progression: prediction ")
    bars = [line.count("█") + line.count("▌") / 2 + line.count("▐") / 2 for line in lines]
    sizes = np.abs(found.contributions[found.ranked(0), 0])
    spread = max(found.contributions[:, 0].max(), 0) - min(found.contributions[:, 0].min(), 0)
    np.testing.assert_allclose(bars[2 : 2 + len(sizes)], 40 * sizes / spread, atol=0.26)


def test_values_are_short():
    assert format_value(None) == "missing"
    assert format_value(12345.6) == "12,346"
    assert format_value("x" * 50) == "x" * 31 + "…"
