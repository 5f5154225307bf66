"""The settings of models, under the path and in the form that clients of the published package use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sensenet import settings

__all__ = ["Settings", "ensure_settings"]


class Settings(settings.Settings):
    """Settings from a mapping, `Settings({"max_objects": 3})`, which can be changed by assignment.

    Both raise SettingsError for an unknown name or a wrong value. `sensenet.Settings` has the same
    attributes, but takes keyword arguments and is frozen.
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, amap: Mapping[str, Any]) -> None:
        super().__init__(**settings.ensure_settings(amap).given())  # type: ignore[arg-type]

    def __setattr__(self, name: str, value: Any) -> None:
        checked = settings.ensure_settings({**self.given(), name: value})
        object.__setattr__(self, name, getattr(checked, name))

    def __repr__(self) -> str:
        return f"Settings({self.given()!r})"

    def override(self, others: settings.Settings) -> settings.Settings:
        return settings.ensure_settings(self.given()).override(others)


def ensure_settings(avalue: settings.Settings | Mapping[str, Any] | None) -> settings.Settings:
    """Return Settings from None, a mapping or Settings; raise SettingsError for an invalid name or value."""
    return avalue if isinstance(avalue, settings.Settings) else Settings({} if avalue is None else avalue)
