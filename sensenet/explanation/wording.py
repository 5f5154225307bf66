"""The words of an explanation, which its text and its page share."""

from __future__ import annotations

from typing import Any

from sensenet.explanation.attribution import EXACT, Contributions
from sensenet.explanation.importance import Importance
from sensenet.explanation.occlusion import OcclusionMap
from sensenet.models.deepnet import Deepnet
from sensenet.plain_numbers import format_count, format_number
from sensenet.plain_text import cut, one_line
from sensenet.records import frozen

LONGEST_VALUE = 32


@frozen(kw_only=True)
class Entry:
    """A line of a table of contributions: of a field, with its value if the row's is known, or of several."""

    name: str
    value: str | None
    size: float
    error: str


def list_entries(found: Contributions, output: int, most: int, longest_name: int) -> list[Entry]:
    """Return contributions to one output, the greatest first; after `most` of them, the sum of the others."""
    ranked = found.ranked(output)
    shown, others = ranked[:most], ranked[most:]
    entries = [
        Entry(
            name=shorten(found.fields[number], longest_name),
            value=None if found.values is None else format_value(found.values[number]),
            size=float(found.contributions[number, output]),
            error="" if found.standard_error is None else format_error(found.standard_error[number, output]),
        )
        for number in shown
    ]
    if others:
        size = float(found.contributions[others, output].sum())
        entries.append(Entry(name=f"{len(others)} other fields", value=None, size=size, error=""))
    return entries


def format_error(error: float) -> str:
    """Return a standard error with two digits."""
    return f"± {error:.2g}"


def format_value(value: Any) -> str:
    """Return a value of a field: a number, a text that is not too long, or the word missing."""
    if value is None:
        return "missing"
    if isinstance(value, float):
        return format_number(value)
    return shorten(str(value), LONGEST_VALUE)


def shorten(text: str, length: int) -> str:
    """Return a text in one line, cut to so many columns."""
    return cut(one_line(text), length)


def unit(model: Deepnet) -> str:
    """Return what answers are: a probability, or a number."""
    return "probability" if model.classes else "prediction"


def describe_answer(model: Deepnet, found: Contributions, output: int) -> str:
    """Return a sentence on the answer, and on that for the background."""
    name = found.outputs[output]
    answer, typical = format_number(found.answer[output]), format_number(found.expectation[output])
    return f"{name}: {unit(model)} {answer}, and {typical} on average for the background"


def describe_method(found: Contributions) -> str:
    """Return a sentence on how contributions were computed."""
    answers = f"{found.evaluations:,} answers of the model"
    if found.method == EXACT:
        return f"Exact Shapley values, from {answers}."
    return f"Shapley values estimated from random orders of the fields, from {answers}; ± one standard error."


def describe_background(found: Contributions) -> str:
    """Return a sentence on the background."""
    return f"Background: {found.background.source}."


def describe_importance(found: Importance) -> str:
    """Return a sentence on what importance measures."""
    if found.score is None:
        return (
            f"Mean absolute contribution of each field over {format_count(found.rows, 'row')}; ± two "
            "standard errors over the rows."
        )
    return (
        f"How much {found.measure} falls from {format_number(found.score)} if a field's values are shuffled, "
        f"over {format_count(found.rows, 'row')}; mean of {found.repeats} repeats, ± two standard errors."
    )


MAP_COLORS = "Red where covering the image lowers the score, blue where that raises it."


def describe_map(found: OcclusionMap) -> str:
    """Return a sentence on how an occlusion map was made."""
    side, places = found.patch, found.drops.size
    return (
        f"A patch of {side} × {side} pixels in the image's mean color was put in {places:,} places; the "
        f"score falls by up to {format_number(float(found.drops.max()))}."
    )
