"""Files that are recognized, and refused as what they are."""

from __future__ import annotations

from pathlib import Path

import sensenet
from sensenet.errors import SensenetError


def require_refusal(path: Path, expected: str | None) -> None:
    """Raise AssertionError unless a file is refused with the expected words.

    With None, open it as whatever it is.
    """
    try:
        sensenet.create_model(path)
    except SensenetError as error:
        if expected is None:
            raise
        if expected not in str(error):
            raise AssertionError(f"{path.name} was refused as something else: {error}") from error
    else:
        assert expected is None, f"{path.name} was opened"
