"""The settings of a model (SPEC §8)."""

from __future__ import annotations

import os
import typing
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

import attrs
from attrs import field

from sensenet.errors import SettingsError
from sensenet.records import frozen
from sensenet.suggestions import suggest

COLOR_SPACES = ("rgb", "rgba", "bgr", "bgra", "RGB", "RGBA", "BGR", "BGRA")
RESCALE_TYPES = ("warp", "pad", "crop")
SMALLEST_THRESHOLD = 1e-8
DEFAULT_THRESHOLD = 0.5
DEFAULT_MAX_OBJECTS = 32

Value = str | int | float | bool

DEFAULTS: Mapping[str, Value] = {
    "bounding_box_threshold": DEFAULT_THRESHOLD,
    "iou_threshold": DEFAULT_THRESHOLD,
    "max_objects": DEFAULT_MAX_OBJECTS,
    "output_unfiltered_boxes": False,
    "pad_bounding_box_output": False,
    "color_space": "rgb",
    "extract_image_features": False,
    "load_pretrained_weights": False,
    "regression_normalize": False,
}
"""The defaults of the settings that do not depend on the document."""


def _refuse(name: str, value: object, expected: str) -> SettingsError:
    return SettingsError(f"the setting {name!r} is {value!r}; expected {expected}")


def _choice(choices: tuple[str, ...]) -> Any:
    def check(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if value is not None and (not isinstance(value, str) or value not in choices):
            raise _refuse(attribute.name, value, f"one of {', '.join(choices)}")

    return check


def _boolean(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None and not isinstance(value, bool):
        raise _refuse(attribute.name, value, "true or false")


def _text(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None and not isinstance(value, str):
        raise _refuse(attribute.name, value, "a string or a path")


def _as_text(value: object) -> object:
    """Return a path object as text, and anything else unchanged."""
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _as_number(value: object) -> object:
    """Return a number of NumPy as one of Python, which JSON needs, and anything else unchanged."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return value
    try:
        return int(value) if isinstance(value, Integral) else float(value)
    except OverflowError:
        return value  # which is out of range


def _threshold(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    if value is not None and not (numeric and SMALLEST_THRESHOLD <= value <= 1):  # type: ignore[operator]
        raise _refuse(attribute.name, value, f"a number from {SMALLEST_THRESHOLD} to 1")


def _count(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    integer = isinstance(value, int) and not isinstance(value, bool)
    if value is not None and not (integer and value >= 0):  # type: ignore[operator]
        raise _refuse(attribute.name, value, "a positive integer (0 means the default)")


@frozen(kw_only=True)
class Settings:
    """Options of a model, by keyword: `Settings(max_objects=3)`; None means the default.

    Raises SettingsError for an invalid value. The text below each is a line of docs/api.md.
    """

    bounding_box_threshold: float | None = field(default=None, converter=_as_number, validator=_threshold)
    """Detectors: the score above which a box is kept; a number from 1e-8 to 1. Default: 0.5."""

    iou_threshold: float | None = field(default=None, converter=_as_number, validator=_threshold)
    """Detectors: the intersection over union of two boxes from which the one with the lower score is dropped;
    a number from 1e-8 to 1. Default: 0.5."""

    max_objects: int | None = field(default=None, converter=_as_number, validator=_count)
    """Detectors: the most boxes per image. Default: 32; 0 also means 32."""

    output_unfiltered_boxes: bool | None = field(default=None, validator=_boolean)
    """Detectors: return arrays of all boxes, without threshold or suppression. Default: false."""

    pad_bounding_box_output: bool | None = field(default=None, validator=_boolean)
    """Detectors: return arrays of `max_objects` boxes, and the number of valid ones. Default: false."""

    color_space: str | None = field(default=None, validator=_choice(COLOR_SPACES))
    """Images: the order of the channels of pixels, and whether there is an alpha channel: rgb, rgba, bgr or
    bgra, all in lower or all in upper case. Default: rgb."""

    rescale_type: str | None = field(default=None, validator=_choice(RESCALE_TYPES))
    """Images: how images are rescaled to the network's size: warp, pad or crop. Default: the document's, else
    warp; for detectors pad."""

    image_path_prefix: str | None = field(default=None, converter=_as_text, validator=_text)
    """Images: the directory of relative image paths. Default: the working directory."""

    extract_image_features: bool | None = field(default=None, validator=_boolean)
    """Images: return the image network's features instead of the prediction. Default: false."""

    load_pretrained_weights: bool | None = field(default=None, validator=_boolean)
    """Images: fill a pretrained image network without weights with the pretrained weights. Default: false;
    true for a network given by name."""

    regression_normalize: bool | None = field(default=None, validator=_boolean)
    """Regressions: return standard deviations from the objective's mean. Default: false."""

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in self.given().items())})"

    def given(self) -> dict[str, Value]:
        """Return the settings that are not None, by name."""
        return attrs.asdict(self, filter=lambda _, value: value is not None)

    def override(self, others: Settings) -> Settings:
        """Return these settings, overridden by those that are given in `others`."""
        return Settings(**{**self.given(), **others.given()})  # type: ignore[arg-type]


def ensure_settings(settings: Settings | Mapping[str, Any] | None) -> Settings:
    """Return Settings from None, a mapping or Settings; raise SettingsError for an invalid name or value."""
    if isinstance(settings, Settings):
        return settings
    if settings is None:
        return Settings()
    if not isinstance(settings, Mapping):
        raise SettingsError(f"expected settings as a dict, Settings or None; found {type(settings).__name__}")
    for name in settings:
        _require_name(name)
    return Settings(**settings)


def parse_setting(text: str) -> tuple[str, Value]:
    """Return name and value of `name=value` from a command line; raise SettingsError if invalid."""
    name, equals, value = text.partition("=")
    if not equals:
        raise SettingsError(f"expected a setting as name=value, found {text!r}")
    _require_name(name)
    kind = next(iter(typing.get_args(typing.get_type_hints(Settings)[name])))
    try:
        return name, _READERS[kind](value)
    except (KeyError, ValueError):
        raise _refuse(name, value, _EXPECTED[kind]) from None


_BOOLEANS = {"true": True, "false": False}
_READERS: Mapping[type, Callable[[str], Value]] = {
    bool: lambda text: _BOOLEANS[text.lower()],
    int: int,
    float: float,
    str: str,
}
_EXPECTED: Mapping[type, str] = {bool: "true or false", int: "an integer", float: "a number"}


def _require_name(name: object) -> None:
    names = [attribute.name for attribute in attrs.fields(Settings)]
    if name not in names:
        raise SettingsError(
            f"unknown setting {name!r}; {suggest(name, names)}expected one of: {', '.join(names)}"
        )
