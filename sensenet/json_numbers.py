"""Numbers that JSON does not have."""

from __future__ import annotations

import math
from typing import Any


def as_json(value: Any) -> Any:
    """Return the value with None for each number that JSON cannot represent: NaN and infinities."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case list():
            return [as_json(entry) for entry in value]
        case dict():
            return {name: as_json(member) for name, member in value.items()}
    return value
