"""How many examples hypothesis tries: HYPOTHESIS_PROFILE=nightly for many more than usual, quick for less."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings

QUICK = 10
USUAL = 100
NIGHTLY = 5000

SLOW_EXAMPLES = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)


def register() -> None:
    """The profiles. `default` and `quick` try the same examples each time, `nightly` others each night."""
    settings.register_profile("quick", max_examples=QUICK, deadline=None, derandomize=True)
    settings.register_profile("default", max_examples=USUAL, deadline=None, derandomize=True)
    settings.register_profile(
        "nightly",
        max_examples=NIGHTLY,
        deadline=None,
        print_blob=True,
        suppress_health_check=SLOW_EXAMPLES,
    )


def examples(count: int, **others: Any) -> Callable[[Any], Any]:
    """For a test whose examples cost more: so many by default, and as many times more in other profiles."""
    scaled = max(1, count * settings.default.max_examples // USUAL)
    return settings(max_examples=scaled, **others)
