"""Reading saved artifacts whose names no file can have."""

from __future__ import annotations

import pytest

from sensenet.errors import ArtifactError
from sensenet.files.reading import read_file, read_head


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_a_name_that_no_file_can_have_is_refused(tmp_path, name):
    path = tmp_path / name
    assert read_head(path) == b""
    with pytest.raises(ArtifactError, match="cannot be read") as caught:
        read_file(path)
    assert str(caught.value).encode()
