"""Fixtures of the tests of reading documents."""

from __future__ import annotations

import pytest

from sensenet.frontend.json import reader, standard_parser


@pytest.fixture(scope="module", params=["simdjson", "standard library", "machine code"])
def parser(request):
    """Read documents by this parser; machine code reads lists, and simdjson the rest."""
    with pytest.MonkeyPatch.context() as patch:
        found = standard_parser
        if request.param != "standard library":
            pytest.importorskip("simdjson")
            from sensenet.frontend.json import simdjson_parser as found
        if request.param == "machine code":
            pytest.importorskip("llvmlite")
            patch.setattr(reader, "BYTES_FOR_MACHINE_CODE", 0)
        patch.setattr(reader, "parser", found)
        yield found
