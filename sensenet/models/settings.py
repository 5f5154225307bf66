"""The settings of models, at the path where clients import them from."""

from sensenet.settings import Settings, ensure_settings

__all__ = ["Settings", "ensure_settings"]
