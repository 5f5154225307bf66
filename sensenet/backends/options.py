"""Checking the options that a caller gives to a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sensenet.errors import UnknownTargetError


def check_options(target: str, options: Mapping[str, Any], known: Sequence[str] = ()) -> None:
    """Raise UnknownTargetError for an option that the target does not have; it names those that exist."""
    for name in options:
        if name not in known:
            there_are = f"there are: {', '.join(known)}" if known else "it has none"
            raise UnknownTargetError(f"the target {target} has no option {name!r}; {there_are}")
