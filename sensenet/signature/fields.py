"""The fields of a resource, and how a value given by field name is encoded as cells of a row.

| encoding | value | cells |
|---|---|---|
| none | anything | the value itself |
| `Terms` | text | the count of each term in it |
| `Items` | text, items between separators | the count of each item in it |
| `Number` | a number, maybe with a prefix and a suffix | the number, and maybe whether it is missing |
| `Booleans` | True or False | the category that means it |

These are the rules of BigML's own bindings. `sensenet.runtime` applies them; this module declares their data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from sensenet.records import frozen
from sensenet.signature.summaries import Summary, read_summary
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
            raise TypeError(f"the form {form!r} refers to {position!r}, expected the position of a term")
        if not 0 <= position < len(terms.terms):
            raise ValueError(f"the form {form!r} refers to term {position} of {len(terms.terms)}")


@frozen(kw_only=True)
class Terms:
    """One cell per term. `forms` maps other words that count as a term to the term's position.

    `token_mode` determines what is counted: the words of a text (`tokens_only`), the whole text
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
    """One cell per item. Items are separated by `separator`, or by matches of `separator_regexp`, if any."""

    items: tuple[str, ...] = attrs.field(converter=_as_texts, validator=each(is_a(str)))
    separator: str = attrs.field(default=" ", validator=is_a(str))
    separator_regexp: str | None = attrs.field(default=None, validator=is_a(str, type(None)))

    def cell_names(self, field: str) -> tuple[str, ...]:
        return tuple(f"{field} {item}" for item in self.items)


@frozen(kw_only=True)
class Number:
    """A number. `default` replaces a missing one, unless the column does so itself.

    With `flags_missing` there are two cells: the number, or 0 if it is missing; and 1 if it is missing, else
    0.
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
    """The categories of a field with two, for True and False; any other value is unchanged."""

    true: str = attrs.field(validator=is_a(str))
    false: str = attrs.field(validator=is_a(str))

    def cell_names(self, field: str) -> tuple[str, ...]:
        return (field,)


Encoding = Terms | Items | Number | Booleans

ENCODINGS: Mapping[str, type[Any]] = {"terms": Terms, "items": Items, "number": Number, "booleans": Booleans}
"""The encodings by their tag in JSON."""

CELL_TYPES: Mapping[type[Any], str] = {
    Terms: "numeric",
    Items: "numeric",
    Number: "numeric",
    Booleans: "categorical",
}
"""The type of the cells of an encoding."""


@frozen(kw_only=True)
class Field:
    """A field of the resource: its id (`000001`), its name, its type there, and its encoding.

    `summary` is what the document says of the training rows, `description` what it says for people, if any.
    """

    id: str = attrs.field(validator=is_a(str))
    name: str = attrs.field(validator=is_a(str))
    optype: str = attrs.field(validator=is_a(str))
    encoding: Encoding | None = attrs.field(
        default=None, validator=is_a(Terms, Items, Number, Booleans, type(None))
    )
    summary: Summary | None = attrs.field(default=None, validator=is_a(Summary, type(None)))
    description: str = attrs.field(default="", validator=is_a(str))

    @property
    def cell_names(self) -> tuple[str, ...]:
        """The names of the field's cells."""
        return self.encoding.cell_names(self.name) if self.encoding else (self.name,)

    @property
    def cell_type(self) -> str:
        """The type of its cells: `numeric`, `categorical`, `image`, or another type of field."""
        return CELL_TYPES[type(self.encoding)] if self.encoding else self.optype

    def to_json(self) -> dict[str, Any]:
        """Return the field as a JSON object, the inverse of `read_field`."""
        record: dict[str, Any] = {"id": self.id, "name": self.name, "optype": self.optype}
        if self.encoding:
            tags = {kind: tag for tag, kind in ENCODINGS.items()}
            record["encoding"] = {"type": tags[type(self.encoding)], **attrs.asdict(self.encoding)}
        if self.summary:
            record["summary"] = self.summary.to_json()
        if self.description:
            record["description"] = self.description
        return record


def read_field(record: Any) -> Field:
    """Return the field of a JSON object; raise KeyError, TypeError or ValueError for an invalid one."""
    encoding, summary = record.get("encoding"), record.get("summary")
    read = {
        "encoding": None if encoding is None else _read_encoding(encoding),
        "summary": None if summary is None else read_summary(summary),
    }
    return Field(**{**record, **read})


def _read_encoding(record: Any) -> Encoding:
    parameters = {name: value for name, value in record.items() if name != "type"}
    for name in ("terms", "items"):
        if name in parameters:
            parameters[name] = as_items(parameters[name])
    encoding: Encoding = ENCODINGS[record["type"]](**parameters)
    return encoding
