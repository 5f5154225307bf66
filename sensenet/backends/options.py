"""The options of targets: frozen classes whose fields have a type, a default and a docstring."""

from __future__ import annotations

import ast
import inspect
import math
import re
import textwrap
import typing
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, Literal, NewType, TypeVar

import attrs

from sensenet.errors import UnknownTargetError
from sensenet.records import frozen
from sensenet.suggestions import suggest

ONE_OF = "one of "

ImageSizeText = NewType("ImageSizeText", str)
"""A height and a width, such as `224x224`."""

Positive = NewType("Positive", float)
"""A number above 0."""

Share = NewType("Share", float)
"""A number above 0, at most 1."""

Prefix = NewType("Prefix", str)
"""What names of C begin with: none is reserved then, and C99 tells all of them apart."""

ProcessorName = NewType("ProcessorName", str)
"""The name of a processor or a system, as compilers write it."""

DirectoryAddress = NewType("DirectoryAddress", str)
"""The address of a directory on the web, absolute or relative; `{package}` and `{version}` are filled in."""

PROCESSOR_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,79}", re.ASCII)
PREFIX = re.compile(r"(?=.{1,40}\Z)[A-Za-z](_?[A-Za-z0-9])*", re.ASCII)
_SEGMENT = r"(?:[A-Za-z0-9._~+=:@-]|%[0-9A-Fa-f]{2}|\{package\}|\{version\})"
DIRECTORY_ADDRESS = re.compile(
    rf"(?!.*/\.{{1,2}}(?:/|\Z))https?://[A-Za-z0-9.-]+(?::[0-9]{{1,5}})?(?:/{_SEGMENT}+)*/?"
    rf"|(?![^/]*:)/?{_SEGMENT}+(?:/{_SEGMENT}+)*/?|/",
    re.ASCII,
)
"""No user, query or dots in absolute ones, and nothing that a policy or an attribute could take for more."""
IMAGE_SIZE = re.compile(r"[1-9]\d{0,8}x[1-9]\d{0,8}", re.ASCII)


def _is_positive(value: object) -> bool:
    return type(value) is int and value > 0


def _is_positive_number(value: object) -> bool:
    return type(value) in (int, float) and 0 < value < math.inf  # type: ignore[operator]


def _is_share(value: object) -> bool:
    return _is_positive_number(value) and value <= 1  # type: ignore[operator]


def _fits(form: re.Pattern[str]) -> Callable[[object], bool]:
    """Return the function that says whether a value is None, or a text of a form."""
    return lambda value: value is None or (isinstance(value, str) and form.fullmatch(value) is not None)


KINDS: Mapping[Any, tuple[Callable[[object], bool], str]] = {
    bool: (lambda value: isinstance(value, bool), "true or false"),
    int: (_is_positive, "a positive integer"),
    int | None: (lambda value: value is None or _is_positive(value), "a positive integer"),
    Positive | None: (lambda value: value is None or _is_positive_number(value), "a number above 0"),
    Share | None: (lambda value: value is None or _is_share(value), "a number above 0, at most 1"),
    ImageSizeText | None: (_fits(IMAGE_SIZE), "HEIGHTxWIDTH"),
    Prefix | None: (_fits(PREFIX), "a letter, then letters, digits and single _, at most 40"),
    DirectoryAddress | None: (
        _fits(DIRECTORY_ADDRESS),
        "an address as https://example.com/lib/ or ../lib/, without user, query, quotes or spaces",
    ),
    ProcessorName | None: (_fits(PROCESSOR_NAME), "letters, digits and - _ . +, at most 80"),
}
"""For the type of an option, whether a value is allowed, and what is expected."""


@frozen(kw_only=True)
class Options:
    """The options of a target that has none; the options of other targets derive from this.

    A field is a `Literal` of allowed values, of a type in `KINDS`, or anything else, which is not checked.
    Raises UnknownTargetError for a value that is not allowed.
    """

    def __attrs_post_init__(self) -> None:
        for name, kind in _kinds(type(self)).items():
            _require(name, getattr(self, name), kind)

    @property
    def rounding(self) -> float:
        """Return the tolerance of answers beyond float32 rounding, relative to the largest answer."""
        return 0.0

    @property
    def needs_calibration(self) -> bool:
        """Return whether the target must have calibration rows."""
        return False


AnyOptions = TypeVar("AnyOptions", bound=Options)


def read_options(target: str, options: type[AnyOptions], given: Mapping[str, Any]) -> AnyOptions:
    """Return the options of a target from their names and values.

    Raises UnknownTargetError, which suggests the nearest, for a name or a value that is not allowed.
    """
    known = [field.name for field in attrs.fields(options)]
    for name in given:
        if name not in known:
            expected = f"expected one of: {', '.join(known)}" if known else "it has none"
            raise UnknownTargetError(
                f"the target {target} has no option {name!r}; {suggest(name, known)}{expected}"
            )
    return options(**given)


@frozen(kw_only=True)
class Description:
    """An option as people read it."""

    name: str
    values: str
    default: str
    meaning: str


def describe_options(options: type[Options]) -> list[Description]:
    """Return a description of each option, in the order of the fields."""
    kinds, meanings = _kinds(options), _docstrings(options)
    return [
        Description(
            name=field.name,
            values=_expected(kinds[field.name]).removeprefix(ONE_OF),
            default=_written(field.default),
            meaning=meanings.get(field.name, ""),
        )
        for field in attrs.fields(options)
    ]


def _kinds(options: type[Options]) -> dict[str, Any]:
    hints = typing.get_type_hints(options)
    return {field.name: hints[field.name] for field in attrs.fields(options)}


def _docstrings(options: type[Options]) -> dict[str, str]:
    """Return the string below each field, also of bases, in one line; none if the source is unavailable."""
    found: dict[str, str] = {}
    for base in options.__bases__:
        if issubclass(base, Options):
            found |= _docstrings(base)
    try:
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(options))).body
    except OSError:
        return found
    for statement, following in pairwise(getattr(definition, "body", ())):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = " ".join(text.split())
    return found


def _require(name: str, value: object, kind: Any) -> None:
    """Raise UnknownTargetError for a value that is not of an option's kind."""
    choices: tuple[object, ...] = ()
    if typing.get_origin(kind) is Literal:
        choices = typing.get_args(kind)
        right = any(type(value) is type(choice) and value == choice for choice in choices)
    else:
        right = kind not in KINDS or KINDS[kind][0](value)
    if not right:
        hint = suggest(value, [choice for choice in choices if isinstance(choice, str)])
        raise UnknownTargetError(f"the option {name} is {value!r}; {hint}expected {_expected(kind)}")


def _expected(kind: Any) -> str:
    if typing.get_origin(kind) is Literal:
        return f"{ONE_OF}{', '.join(map(str, typing.get_args(kind)))}"
    return KINDS[kind][1] if kind in KINDS else "a sequence"


def _written(default: object) -> str:
    """Return a default as the command line takes it; nothing for an empty sequence, or none at all."""
    if default in ((), None):
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)
