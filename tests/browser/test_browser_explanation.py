"""Chromium, headless, on pages of explanations: they fit, can be read, and ask for nothing."""

from __future__ import annotations

import pytest
from support import browser
from support.accessibility import POOR_CONTRAST, TOO_WIDE
from support.explanations import hostile_report

from sensenet.explanation.html import report_page


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
def test_a_page_fits_and_can_be_read(chromium, tmp_path, width, scheme):
    page = tmp_path / "page.html"
    page.write_text(report_page(hostile_report()), "utf-8")
    steps = [
        ("click", "summary"),
        ("ask", "document.querySelectorAll('details[open] td').length"),
        ("ask", "document.querySelectorAll('details').forEach((each) => { each.open = true; })"),
        ("ask", TOO_WIDE),
        ("ask", POOR_CONTRAST),
        ("image", str(tmp_path / f"page-{width}-{scheme}.png")),
    ]
    _, cells, _, overflow, faint, _ = browser.look(chromium, page.as_uri(), steps, width=width, scheme=scheme)
    assert cells > 0
    assert overflow == []
    assert faint == []
