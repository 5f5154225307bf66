"""The fields of a resource, and how a value given under a field's name becomes cells of a row.

| encoding | value | cells |
|---|---|---|
| none | anything | the value itself |
| `Terms` | text | how often each term occurs in it |
| `Items` | text, items between separators | how often each item occurs in it |
| `Number` | a number, maybe between a prefix and a suffix | the number, and maybe whether it is missing |
| `Booleans` | True or False | the category that means it |

These are the rules of BigML's own bindings. `sensenet.runtime` follows them; here is only what they need.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs
from attrs import frozen

from sensenet.validators import FLOAT32_MAX, as_items, each, is_a, one_of, within

ALL = "all"
TOKENS_ONLY = "tokens_only"
FULL_TERMS_ONLY = "full_terms_only"
TOKEN_MODES = (ALL, TOKENS_ONLY, FULL_TERMS_ONLY)


def _as_texts(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(texts)


def _as_forms(forms: Mapping[str, int]) -> dict[str, int]:
    return dict(forms)


def _within_terms(terms: Terms, _: object, forms: Mapping[str, int]) -> None:
    for form, position in forms.items():
        if isinstance(position, bool) or not isinstance(position, int):
            raise TypeError(f"the form {form!r} stands for {position!r}, expected the position of a term")
        if not 0 <= position < len(terms.terms):
            raise ValueError(f"the form {form!r} stands for the term {position} of {len(terms.terms)}")


@frozen(kw_only=True)
class Terms:
    """One cell a term. `forms` are other words that count as a term, by the term's position.

    `token_mode` says what is counted: the words of a text (`tokens_only`), the text as a whole
    (`full_terms_only`), or both (`all`).
    """

    terms: tuple[str, ...] = attrs.field(converter=_as_texts, validator=each(is_a(str)))
    forms: Mapping[str, int] = attrs.field(
        factory=dict, converter=_as_forms, validator=[each(is_a(str)), _within_terms]
    )
    case_sensitive: bool = attrs.field(default=True, validator=is_a(bool))
    token_mode: str = attrs.field(default=ALL, validator=[is_a(str), one_of(*TOKEN_MODES)])

    def cell_names(self, field: str) -> tuple[str, ...]:
        return tuple(f"{field} {term}" for term in self.terms)


@frozen(kw_only=True)
class Items:
    """One cell an item. Items stand between separators, or between matches of `separator_regexp`, if any."""

    items: tuple[str, ...] = attrs.field(converter=_as_texts, validator=each(is_a(str)))
    separator: str = attrs.field(default=" ", validator=is_a(str))
    separator_regexp: str | None = attrs.field(default=None, validator=is_a(str, type(None)))

    def cell_names(self, field: str) -> tuple[str, ...]:
        return tuple(f"{field} {item}" for item in self.items)


@frozen(kw_only=True)
class Number:
    """A number. `default` stands for a missing one, where it is not the column's own business.

    With `flags_missing` there are two cells: the number, 0 where it is missing, and 1 where it is, else 0.
    """

    prefix: str = attrs.field(default="", validator=is_a(str))
    suffix: str = attrs.field(default="", validator=is_a(str))
    default: float | None = attrs.field(
        default=None, validator=[is_a(float, int, type(None)), within(-FLOAT32_MAX, FLOAT32_MAX)]
    )
    flags_missing: bool = attrs.field(default=False, validator=is_a(bool))

    def cell_names(self, field: str) -> tuple[str, ...]:
        return (field, f"{field} is missing") if self.flags_missing else (field,)


@frozen(kw_only=True)
class Booleans:
    """The categories of a field that has two, for True and False; a value that is neither stays as it is."""

    true: str = attrs.field(validator=is_a(str))
    false: str = attrs.field(validator=is_a(str))

    def cell_names(self, field: str) -> tuple[str, ...]:
        return (field,)


Encoding = Terms | Items | Number | Booleans

ENCODINGS: Mapping[str, type[Any]] = {"terms": Terms, "items": Items, "number": Number, "booleans": Booleans}
"""By the tag of the JSON form."""

CELL_TYPES: Mapping[type[Any], str] = {
    Terms: "numeric",
    Items: "numeric",
    Number: "numeric",
    Booleans: "categorical",
}
"""What the cells of an encoding are."""


@frozen(kw_only=True)
class Field:
    """A field of the resource: its id (`000001`), the name people know, its type there, and its encoding."""

    id: str = attrs.field(validator=is_a(str))
    name: str = attrs.field(validator=is_a(str))
    optype: str = attrs.field(validator=is_a(str))
    encoding: Encoding | None = attrs.field(
        default=None, validator=is_a(Terms, Items, Number, Booleans, type(None))
    )

    @property
    def cell_names(self) -> tuple[str, ...]:
        """Names of the cells that the field stands for."""
        return self.encoding.cell_names(self.name) if self.encoding else (self.name,)

    @property
    def cell_type(self) -> str:
        """What its cells are: `numeric`, `categorical`, `image`, or another type of field."""
        return CELL_TYPES[type(self.encoding)] if self.encoding else self.optype

    def to_json(self) -> dict[str, Any]:
        """A JSON object; `read_field` gives the field back."""
        record: dict[str, Any] = {"id": self.id, "name": self.name, "optype": self.optype}
        if self.encoding:
            tags = {kind: tag for tag, kind in ENCODINGS.items()}
            record["encoding"] = {"type": tags[type(self.encoding)], **attrs.asdict(self.encoding)}
        return record


def read_field(record: Any) -> Field:
    """The field of a JSON object; raises KeyError, TypeError or ValueError for another."""
    encoding = record.get("encoding")
    return Field(**{**record, "encoding": None if encoding is None else _read_encoding(encoding)})


def _read_encoding(record: Any) -> Encoding:
    parameters = {name: value for name, value in record.items() if name != "type"}
    for name in ("terms", "items"):
        if name in parameters:
            parameters[name] = as_items(parameters[name])
    encoding: Encoding = ENCODINGS[record["type"]](**parameters)
    return encoding
