"""A compiler for BigML deepnets: JSON in; predictions, Keras models and files for other runtimes out.

    import sensenet

    model = sensenet.create_model("deepnet.json")  # predicts, without TensorFlow
    model([5.1, 3.5, 1.4, 0.2])
    sensenet.compile("deepnet.json", target="tflite").save("deepnet.tflite")

Importing the package imports nothing else: the module of each name is imported at its first use.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sensenet.artifact import Artifact
    from sensenet.compiler.decompile import decompile
    from sensenet.compiler.driver import compile  # so is the module sensenet.compile, and decompile
    from sensenet.errors import SensenetError
    from sensenet.inspection import inspect
    from sensenet.models.create import create_image_feature_extractor, create_model
    from sensenet.settings import Settings

    __version__: str

__all__ = [
    "Artifact",
    "SensenetError",
    "Settings",
    "__version__",
    "compile",
    "create_image_feature_extractor",
    "create_model",
    "decompile",
    "inspect",
]

_HOMES = {
    "Artifact": "sensenet.artifact",
    "SensenetError": "sensenet.errors",
    "Settings": "sensenet.settings",
    "create_image_feature_extractor": "sensenet.models.create",
    "create_model": "sensenet.models.create",
    "inspect": "sensenet.inspection",
}
"""The module of each public name."""


def __getattr__(name: str) -> Any:
    if name in ("compile", "decompile"):
        return _import_module(f"sensenet.{name}")
    if name == "__version__":
        value: Any = _import_module("sensenet.distribution").read_version()
    elif name in _HOMES:
        value = getattr(_import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def _import_module(name: str) -> Any:
    """Import a module of sensenet while no thread forks: a child would wait for an unfinished import."""
    with importlib.import_module("sensenet.forks").delay_forks():
        return importlib.import_module(name)


def __dir__() -> list[str]:
    """Return what completion offers: the public names, and the modules that are imported."""
    modules = {name for name in globals() if f"{__name__}.{name}" in sys.modules}
    return sorted({*__all__, *modules})
