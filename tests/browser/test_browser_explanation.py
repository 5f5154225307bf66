"""Chromium, headless, on pages of explanations: they fit, can be read, and ask for nothing."""

from __future__ import annotations

import pytest
from support import browser
from support.explanations import hostile_report

from sensenet.explanation.html import report_page

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

FAINT = """
  (() => {
    const read = (color) => color.match(/[\\d.]+/g).map(Number);
    const light = (color) => read(color).slice(0, 3).map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
      .reduce((sum, part, number) => sum + part * [0.2126, 0.7152, 0.0722][number], 0);
    const below = (element) => {
      const color = getComputedStyle(element).backgroundColor;
      return read(color)[3] === 0 ? below(element.parentElement) : color;
    };
    const texts = [...document.querySelectorAll('h1, h2, p, th, td, span, small, summary, .plot text')];
    return texts.filter((element) => element.textContent.trim()).filter((element) => {
      const style = getComputedStyle(element);
      const ink = light(element instanceof SVGElement ? style.fill : style.color);
      const paper = light(below(element));
      return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05) < 4.5;
    }).map((element) => element.textContent);
  })()
"""
"""The texts whose contrast is below that of WCAG, level AA."""


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
def test_a_page_fits_and_can_be_read(chromium, tmp_path, width, scheme):
    page = tmp_path / "page.html"
    page.write_text(report_page(hostile_report()), "utf-8")
    steps = [
        ("click", "summary"),
        ("ask", "document.querySelectorAll('details[open] td').length"),
        ("ask", OVERFLOW),
        ("ask", FAINT),
        ("image", str(tmp_path / f"page-{width}-{scheme}.png")),
    ]
    _, cells, overflow, faint, _ = browser.look(chromium, page.as_uri(), steps, width=width, scheme=scheme)
    assert cells > 0
    assert overflow <= 0
    assert faint == []
