"""The lines of the tables in docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.published.measure import Result

HEADER = (
    "| work | ours | memory | times faster | aim | share of memory | limit |\n|---|---|---|---|---|---|---|"
)
COLUMNS = HEADER.split("\n", 1)[0].count(" | ") + 1

MISSING = "–"


def describe(result: Result) -> str:
    """A line of the table."""
    cells = [
        result.work.name,
        _time(result),
        _size(result.megabytes),
        _optional(result.faster, ",.2f"),
        _aims(result),
        _optional(result.memory, ".2f"),
        MISSING if result.share is None else f"{result.limit}: {result.share:.0%}",
    ]
    return f"| {' | '.join(cells)} |"


def _time(result: Result) -> str:
    seconds = f"{result.seconds * 1e3:,.3g} ms" if result.seconds < 1 else f"{result.seconds:,.1f} s"
    rate = f" ({result.rate:,.0f}{result.work.unit}/s)" if result.work.amount > 1 else ""
    return seconds + rate


def _size(megabytes: float) -> str:
    return f"{megabytes:,.0f} MB" if megabytes >= 1000 else f"{megabytes:.3g} MB"


def _aims(result: Result) -> str:
    work = result.work
    aims = [_optional(work.faster, ",.2f")]
    aims += [f"memory {work.memory}"] if work.memory else []
    aims += [f"{work.rate:,.0f}{work.unit}/s"] if work.rate else []
    aims += [f"{work.share:.0%} of the limit"] if work.share else []
    return ", ".join(aims)


def _optional(number: float | None, form: str) -> str:
    return MISSING if number is None else format(number, form)


def work_of(line: str) -> str | None:
    """The name of the work in a line of a table; None for any other line."""
    cells = line.split(" | ")
    return cells[0].removeprefix("| ") if len(cells) == COLUMNS else None


def replace_lines(page: str, lines: Sequence[str]) -> str:
    """The page with these lines instead of those of the same works; raises ValueError if one has none."""
    new = {work_of(line): line for line in lines}
    found = [new.pop(work_of(line), line) for line in page.split("\n")]
    if new:
        raise ValueError(f"no line of the page is of {', '.join(map(str, new))}")
    return "\n".join(found)
