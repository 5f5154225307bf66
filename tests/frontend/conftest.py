"""Fixtures of the tests of reading documents."""

from __future__ import annotations

import pytest

from sensenet.frontend.json import reader, standard_parser


@pytest.fixture(scope="module", params=["simdjson_parser", "standard_parser"])
def parser(request):
    """Read documents by this parser, the first of which needs simdjson."""
    if request.param == "standard_parser":
        found = standard_parser
    else:
        pytest.importorskip("simdjson")
        from sensenet.frontend.json import simdjson_parser as found
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "parser", found)
        yield found
