"""What tests of the modules of a page share."""

from __future__ import annotations

import pytest
from support.web_pages import WebNode


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    """A process of Node that has the modules of the target web."""
    process = WebNode(tmp_path_factory.mktemp("modules"))
    yield process
    process.close()
