"""Reads the fields of a resource, and how their values become cells, by the rules of BigML's bindings.

Answers to rows of cells do not depend on fields. So an invalid description of a field is ignored, and a model
that lacks a field only rejects rows by field name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from sensenet.records import frozen
from sensenet.signature import (
    ALL,
    TOKEN_MODES,
    TOKENS_ONLY,
    Booleans,
    Encoding,
    Field,
    Items,
    Number,
    Summary,
    Terms,
)

MISSING_TOKENS = (
    *("", "NaN", "NULL", "null", "N/A", "n/a", "#N/A", "NA", "na", "NIL", "nil", "-", "?"),
    *("#DIV/0", "#REF!", "#NAME?", "#VALUE!", "#NULL!", "#NUM!"),
)
"""The texts that mean missing values, if a resource names none."""

BOOLEAN_WORDS = ({"true": True, "false": False}, {"1": True, "0": False})
"""The pairs of categories that mean True and False."""

Json = Mapping[str, Any]


@frozen(kw_only=True)
class Conventions:
    """The settings of a resource that apply to all its fields."""

    missing_numerics: bool
    """Whether numbers that are missing in training have a second cell that flags missing values."""
    default_number: str | None
    """The name of the statistic that replaces missing numbers."""
    missing_tokens: tuple[str, ...]


def read_conventions(resource: Json, model: Json) -> Conventions:
    """Return the conventions of a resource and of the model in it."""

    def find(key: str, kind: type) -> Any:
        found = member(model, key, kind)
        return member(resource, key, kind) if found is None else found

    tokens = find("missing_tokens", list)
    return Conventions(
        missing_numerics=find("missing_numerics", bool) or False,
        default_number=find("default_numeric_value", str),
        missing_tokens=MISSING_TOKENS if tokens is None else tuple(filter(is_text, tokens)),
    )


def read_field(fields: Json, id_: Any, conventions: Conventions | None = None) -> Field | None:
    """Return the field with this id, and with its encoding if conventions are given; None if invalid."""
    record = member(fields, id_, dict) if is_text(id_) else None
    name, optype = (member(record or {}, key, str) for key in ("name", "optype"))
    if name is None or optype is None:
        return None
    field = Field(
        id=id_,
        name=name,
        optype=optype,
        summary=_describe_training(record or {}, optype),
        description=member(record or {}, "description", str) or "",
    )
    if conventions is None or optype not in ENCODERS:
        return field
    try:
        return attrs.evolve(field, encoding=ENCODERS[optype](record or {}, conventions))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def read_objective(fields: Json, id_: Any) -> Field | None:
    """Return the objective with this id, or None if invalid; a number has its prefix and suffix alone."""
    field = read_field(fields, id_)
    if field is None or field.optype != "numeric":
        return field
    prefix, suffix = (member(fields[id_], name, str) or "" for name in ("prefix", "suffix"))
    return attrs.evolve(field, encoding=Number(prefix=prefix, suffix=suffix)) if prefix or suffix else field


def read_categories(fields: Json, id_: Any) -> tuple[str, ...]:
    """Return the categories of the field with this id in their order, the most frequent first; () if
    invalid."""
    record = member(fields, id_, dict) if is_text(id_) else None
    summary = member(record or {}, "summary", dict) or {}
    try:
        categories = tuple(category for category, _ in summary["categories"])
    except (KeyError, TypeError, ValueError):
        return ()
    return categories if all(map(is_text, categories)) else ()


def member(record: Json, key: str, kind: type) -> Any:
    """Return a member if it has this type, else None; text that files cannot contain counts as missing."""
    value = record.get(key)
    return value if isinstance(value, kind) and (kind is not str or is_text(value)) else None


def is_text(value: object) -> bool:
    """Return whether a value is text without lone surrogates, which files cannot contain."""
    return isinstance(value, str) and value == value.encode(errors="ignore").decode()


def _texts(entries: Any) -> tuple[str, ...]:
    """Return the texts of a list of pairs [text, count]; raises TypeError or ValueError for other entries."""
    texts = tuple(text for text, _ in entries)
    if not all(map(is_text, texts)):
        raise TypeError("expected texts")
    return texts


def _summary(record: Json) -> Json:
    return member(record, "summary", dict) or {}


STATISTICS = ("minimum", "maximum", "mean", "median", "standard_deviation")

COUNTS: Mapping[str, tuple[str, ...]] = {"numeric": ("counts", "bins"), "categorical": ("categories",)}
"""The members of a summary that have counts of values, by type of field."""


def _describe_training(record: Json, optype: str) -> Summary | None:
    """Return what the field's summary says of the training rows; None if nothing, or if it is invalid."""
    summary = _summary(record)
    statistics = {name: summary[name] for name in STATISTICS if name in summary and optype == "numeric"}
    counts = next((summary[name] for name in COUNTS.get(optype, ()) if summary.get(name)), ())
    try:
        found = Summary(**statistics, counts=counts, missing=summary.get("missing_count", 0))
    except (TypeError, ValueError):
        return None
    if not all(is_text(value) is (optype == "categorical") for value, _ in found.counts):
        return None
    return None if found == Summary() else found


def _terms(record: Json, _: Conventions) -> Terms | None:
    """Return the encoding of a text as terms; None without a tag cloud, because the text is then one cell."""
    summary = _summary(record)
    terms = _texts(summary.get("tag_cloud") or ())
    analysis = member(record, "term_analysis", dict) or {}
    mode = analysis.get("token_mode", ALL)
    if not terms:
        return None
    return Terms(
        terms=terms,
        forms=_forms(summary.get("term_forms") or {}, terms),
        case_sensitive=bool(analysis.get("case_sensitive", True)),
        token_mode=mode if mode in TOKEN_MODES else TOKENS_ONLY,
    )


def _forms(term_forms: Mapping[str, list[str]], terms: tuple[str, ...]) -> dict[str, int]:
    """Return the position of the term of each other form of a word; later terms override earlier ones."""
    positions = {term: position for position, term in reversed(list(enumerate(terms)))}
    owners: dict[str, str] = {}
    for term, forms in term_forms.items():
        owners |= {form: term for form in forms if is_text(form)} | {term: term}
    return {
        form: positions[term] for form, term in owners.items() if term in positions and form not in positions
    }


def _items(record: Json, _: Conventions) -> Items | None:
    """Return the encoding of a value as items; None without items, because the value is then one cell."""
    items = _texts(_summary(record).get("items") or ())
    analysis = member(record, "item_analysis", dict) or {}
    if not items:
        return None
    return Items(
        items=items,
        separator=" " if analysis.get("separator") is None else analysis["separator"],
        separator_regexp=analysis.get("separator_regexp"),
    )


def _number(record: Json, conventions: Conventions) -> Number | None:
    summary = _summary(record)
    default = conventions.default_number
    number = Number(
        prefix=record.get("prefix") or "",
        suffix=record.get("suffix") or "",
        default=None if default is None else summary.get(default, 0),
        flags_missing=conventions.missing_numerics and summary.get("missing_count", 0) > 0,
    )
    return None if number == Number() else number


def _booleans(record: Json, _: Conventions) -> Booleans | None:
    """Return the encoding of two categories that are read as booleans, else None."""
    categories = _texts(_summary(record).get("categories") or ())
    for words in BOOLEAN_WORDS:
        meanings = {words[category.lower()]: category for category in categories if category.lower() in words}
        if len(meanings) == len(categories) == 2:
            return Booleans(true=meanings[True], false=meanings[False])
    return None


ENCODERS: Mapping[str, Callable[[Json, Conventions], Encoding | None]] = {
    "text": _terms,
    "items": _items,
    "numeric": _number,
    "categorical": _booleans,
}
"""The function that reads the encoding of a field, by its type.

It raises KeyError, TypeError, ValueError or AttributeError for an invalid record.
"""
