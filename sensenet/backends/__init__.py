"""The targets: one literal table of modules, each of which is imported when its target is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from sensenet.backends.target import Target
from sensenet.errors import UnknownTargetError
from sensenet.forks import delay_forks
from sensenet.records import frozen
from sensenet.suggestions import suggest

MODULES: Mapping[str, str] = {
    "ir": "sensenet.backends.interpreter.ir",
    "numpy": "sensenet.backends.interpreter.numpy",
    "keras": "sensenet.backends.keras",
    "savedmodel": "sensenet.backends.savedmodel",
    "smbundle": "sensenet.backends.smbundle",
    "tflite": "sensenet.backends.tflite",
    "tfjs": "sensenet.backends.tfjs",
    "onnx": "sensenet.backends.onnx",
    "c": "sensenet.backends.c",
    "native": "sensenet.backends.native",
    "wasm": "sensenet.backends.wasm",
    "web": "sensenet.backends.web",
    "h5": "sensenet.backends.keras.h5",
}
"""The module of each target, which holds it as `TARGET`. Importing one imports no optional package."""

DEFAULT_TARGET = "keras"
"""What is made if nothing says otherwise."""


def import_target(module: str) -> Target[Any]:
    """Return the target that a module holds."""
    with delay_forks():
        target: Target[Any] = importlib.import_module(module).TARGET
    return target


@frozen(eq=False)
class Targets(Mapping[str, Target[Any]]):
    """The targets of `MODULES`, by name: all, or those that a function chooses."""

    chooses: Callable[[Target[Any]], bool] | None = None

    def __getitem__(self, name: str) -> Target[Any]:
        target = import_target(MODULES[name])
        if self.chooses and not self.chooses(target):
            raise KeyError(name)
        return target

    def __iter__(self) -> Iterator[str]:
        chooses = self.chooses
        return iter(MODULES) if chooses is None else (name for name in MODULES if chooses(TARGETS[name]))

    def __len__(self) -> int:
        return sum(1 for _ in self)


TARGETS: Mapping[str, Target[Any]] = Targets()
"""Every target by its name: what it makes (`description`), how names of its files end (`suffix`), its
`options`, and the functions that make, recognize and run its artifacts."""


def get_target(name: str) -> Target[Any]:
    """Return the target of a name; raises UnknownTargetError. Importing it imports no optional package."""
    require_target_name("target", name, MODULES)
    return TARGETS[name]


def require_target_name(what: str, name: object, known: Collection[str]) -> None:
    """Raise UnknownTargetError, which suggests the nearest, for anything but one of the known names."""
    if not isinstance(name, str) or name not in known:
        raise UnknownTargetError(
            f"unknown {what} {name!r:.60}; {suggest(name, known)}expected one of: {', '.join(known)}"
        )
