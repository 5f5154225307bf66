"""Typical values of one field, from what the document says of it.

| the document has | values |
|---|---|
| counts of categories, of numbers or of their bins | in proportion to the counts, also that of missing ones |
| mean and standard deviation | quantiles of the normal distribution, between minimum and maximum |
| minimum and maximum | evenly between them |
| the values that mean 0 and 1 | both equally often |
| one statistic | that |
| categories without counts | all equally often |
| nothing, or text, items and images | missing |
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from sensenet.records import frozen
from sensenet.signature import CategoricalColumn, Column, Field, Items, NumericColumn, Summary, Terms


@frozen(kw_only=True, eq=False)
class Marginal:
    """The distribution of a field: `quantile` returns its value at a probability from 0 to 1, both excluded.

    `source` describes it, for people.
    """

    quantile: Callable[[float], Any]
    source: str

    def values(self, count: int) -> list[Any]:
        """Return so many values at the middles of as many equal parts of the distribution."""
        return [self.quantile((number + 0.5) / count) for number in range(count)]


MISSING = Marginal(quantile=lambda _: None, source="missing")


def find_marginal(field: Field | None, columns: Sequence[Column]) -> Marginal:
    """Return the distribution of a field that fills these columns; the field is None if it is unknown."""
    summary = (field.summary if field else None) or Summary()
    if field and isinstance(field.encoding, Terms | Items):
        return MISSING
    match columns[0]:
        case CategoricalColumn():
            values = [value for value in dict.fromkeys(columns[0].values) if value is not None]
            return _categories(values, summary)
        case NumericColumn():
            return _numbers(columns[0], summary)
    return MISSING


def _categories(values: Sequence[str], summary: Summary) -> Marginal:
    counted = _counted(summary, str, "categories by their counts in training")
    if counted:
        return counted
    if not values:
        return MISSING
    return Marginal(quantile=lambda p: values[int(p * len(values))], source="categories equally often")


def _numbers(column: NumericColumn, summary: Summary) -> Marginal:
    counted = _counted(summary, float, "values by their counts in training")
    if counted:
        return counted
    known = column.statistics
    mean = summary.mean if summary.mean is not None else known.get("mean")
    deviation = summary.standard_deviation
    deviation = deviation if deviation is not None else known.get("stdev")
    least, greatest = summary.minimum, summary.maximum
    if mean is not None and deviation is not None and deviation > 0:
        return _normal(mean, deviation, least, greatest)
    if least is not None and greatest is not None and least < greatest:
        return Marginal(
            quantile=lambda p: least + p * (greatest - least), source=f"evenly from {least:g} to {greatest:g}"
        )
    zero, one = known.get("zero_value"), known.get("one_value")
    if zero is not None and one is not None:
        return Marginal(
            quantile=lambda p: zero if p < 0.5 else one, source=f"{zero:g} and {one:g} equally often"
        )
    for name, value in (("median", summary.median), ("mean", mean), ("minimum", least)):
        if value is not None:
            return Marginal(quantile=partial(_constant, value), source=f"the {name}, {value:g}")
    return MISSING


def _constant(value: float, _: float) -> float:
    return value


def _normal(mean: float, deviation: float, least: float | None, greatest: float | None) -> Marginal:
    normal = statistics.NormalDist(mean, deviation)
    source = f"a normal distribution of mean {mean:g} and standard deviation {deviation:g}"
    lower, upper = -np.inf if least is None else least, np.inf if greatest is None else greatest
    if lower > -np.inf or upper < np.inf:
        source += f", between {lower:g} and {upper:g}"
    return Marginal(
        quantile=lambda p: float(min(max(normal.inv_cdf(p), lower), upper)),
        source=source,
    )


def _counted(summary: Summary, kind: type, source: str) -> Marginal | None:
    """Return the distribution of values with counts, in their order, the missing ones last.

    None if nothing was counted, or values that are not of the kind, as only a stranger's file has them.
    """
    counted = [(value, count) for value, count in summary.counts if isinstance(value, str) is (kind is str)]
    values: list[Any] = [value for value, _ in counted]
    counts = [count for _, count in counted]
    if not sum(counts):
        return None
    if summary.missing:
        values.append(None)
        counts.append(summary.missing)
        source += ", also missing ones"
    ends = np.cumsum(counts) / sum(counts)
    return Marginal(quantile=lambda p: values[int(np.searchsorted(ends, p, side="right"))], source=source)
