"""The models of a server, by name and version."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from attrs import field

from sensenet.errors import InputError, SettingsError
from sensenet.models.deepnet import Deepnet, ObjectDetector
from sensenet.records import frozen
from sensenet.serve.answers import answer_tensors, predict
from sensenet.serve.interface import Interface, make_interface

ELEMENT_BYTES = 100
"""The memory of one number of an answer: in arrays, as a Python object, in lists and in JSON."""

USUAL_ELEMENTS = 1024
"""The numbers of an answer whose size is unknown, and the least of a detector's."""

CELL_BYTES = 32
"""The memory of one cell that a request leaves out."""

FIRST_VERSION = "1"


@frozen(eq=False)
class Served:
    """A model under a name and version; made by `serve_model`."""

    name: str
    version: str
    model: Deepnet | ObjectDetector
    interface: Interface
    row_bytes: int
    """The memory that one row and its answer take, beyond what the request has of it."""

    @property
    def reads_images(self) -> bool:
        """Whether rows have images."""
        return bool(self.interface.images)

    def metadata(self, versions: Iterable[str]) -> dict[str, Any]:
        """Return the model's metadata, as the protocol has it."""
        return {
            "name": self.name,
            "versions": list(versions),
            "platform": "sensenet",
            "inputs": [each.to_json() for each in self.interface.inputs],
            "outputs": [each.to_json() for each in self.interface.outputs],
        }


def serve_model(model: Deepnet | ObjectDetector, name: str, version: str = FIRST_VERSION) -> Served:
    """Return a model under a name, after a first row, for which an engine may have to be prepared.

    Raises what a call of the model raises, unless it cannot answer a row without any values.
    """
    interface = make_interface(model)
    elements = USUAL_ELEMENTS
    with contextlib.suppress(InputError):
        tensors = answer_tensors(model.signature, predict(model, _blank(interface)))
        found = sum(tensor.array.size for tensor in tensors)
        elements = found if isinstance(model, Deepnet) else max(found, USUAL_ELEMENTS)
    size = CELL_BYTES * model.signature.row_width + ELEMENT_BYTES * elements
    return Served(name, version, model, interface, size)


def _blank(interface: Interface) -> Any:
    """Return one row whose values are missing."""
    if interface.layout.refusal:
        return np.full((1, max(interface.layout.width, 1)), None, object)
    return np.full(1, None, np.dtype([(interface.layout.fields[0].id, object)]))


def _in_order(served: Served) -> tuple[bool, int, str]:
    """Return the key by which versions are sorted: numbers after other texts."""
    number = served.version.isascii() and served.version.isdigit()
    return number, int(served.version) if number else 0, served.version


@frozen(eq=False)
class Catalog:
    """All models: by name, then by version, the newest last. Made by `make_catalog`."""

    models: Mapping[str, Mapping[str, Served]] = field()

    def find(self, name: str, version: str | None = None) -> Served | None:
        """Return a model, in its newest version without one; None if there is no such model."""
        versions = self.models.get(name, {})
        if version is None:
            version = next(reversed([*versions]), "")
        return versions.get(version)

    def all(self) -> list[Served]:
        """Return every version of every model."""
        return [served for versions in self.models.values() for served in versions.values()]


def make_catalog(models: Iterable[Served]) -> Catalog:
    """Return the catalog of models; raise SettingsError if two have one name and version, or if none are."""
    found: dict[str, dict[str, Served]] = {}
    for served in sorted(models, key=_in_order):
        versions = found.setdefault(served.name, {})
        if served.version in versions:
            raise SettingsError(
                f"two models are named {served.name}:{served.version}: give each its own name or version, "
                "as NAME:VERSION=MODEL"
            )
        versions[served.version] = served
    if not found:
        raise SettingsError("there is no model to serve")
    return Catalog(found)
