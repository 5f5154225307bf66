"""Explanations as one HTML page: no scripts, no requests, light and dark."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from sensenet.drawing.page import escape_text, write_page
from sensenet.drawing.report import Key, figure, read_report_style
from sensenet.explanation.attribution import Contributions
from sensenet.explanation.curve_plot import plot_curve
from sensenet.explanation.curves import Curve
from sensenet.explanation.heat_image import as_png, draw_image, draw_map
from sensenet.explanation.importance import Importance
from sensenet.explanation.occlusion import OcclusionMap
from sensenet.explanation.report import Report
from sensenet.explanation.wording import (
    MAP_COLORS,
    Entry,
    describe_background,
    describe_importance,
    describe_map,
    describe_method,
    format_value,
    list_entries,
    shorten,
    unit,
)
from sensenet.plain_numbers import format_alike, format_number

STYLE = read_report_style(Path(__file__).parent / "page.css")

MOST_FIELDS = 30
"""The fields that a chart shows; it sums up the others."""

LONGEST_NAME, LONGEST_TITLE = 60, 100
WIDTH, HEIGHT = 1000, 40
"""The box of a bar, which is stretched to its cell."""


def report_page(report: Report) -> str:
    """Return the HTML document of a report; texts of the model are escaped."""
    figures = [*_answer_figures(report), *(_curve_figure(report, each) for each in report.curves)]
    if report.importance:
        figures.append(_importance_figure(report.importance))
    return _write_document(report.title, _header(report), figures)


def image_page(title: str, found: OcclusionMap) -> str:
    """Return the HTML document of an occlusion map: the image, and the map over it."""
    name, score = escape_text(shorten(found.output, LONGEST_NAME)), format_number(found.score)
    subject = "the object" if found.box else "the image"
    header = f"{_eyebrow(title)}\n<h1>Why {subject} is {name} with score {score}</h1>"
    images = {"the image": draw_image(found), "the map over the image": draw_map(found)}
    drawn = "".join(
        f'<img src="data:image/png;base64,{b64encode(as_png(image)).decode()}" alt="{alt}" '
        f'width="{image.width}" height="{image.height}">'
        for alt, image in images.items()
    )
    caption = f"{describe_map(found)} {MAP_COLORS}"
    shown = figure("What the score depends on", caption, f'<div class="images">{drawn}</div>', level=2)
    return _write_document(title, header, [shown])


def _write_document(title: str, header: str, figures: Iterable[str]) -> str:
    body = [f"<header>\n{header}\n</header>", "<main>", *figures, "</main>"]
    return write_page(f"Explanation of {shorten(title, LONGEST_TITLE)}", STYLE, body)


def _eyebrow(title: str) -> str:
    return f'<p class="eyebrow">{escape_text(shorten(title, LONGEST_TITLE))}</p>'


def _header(report: Report) -> str:
    found, model = report.contributions, report.model
    eyebrow = _eyebrow(report.title)
    if found is None:
        return f"{eyebrow}\n<h1>Which fields matter</h1>"
    output = report.output
    objective = model.signature.objective
    subject = escape_text(shorten(objective.name, LONGEST_NAME)) if objective else "the prediction"
    answer, typical = format_number(found.answer[output]), format_number(found.expectation[output])
    if model.classes:
        best = escape_text(shorten(found.outputs[output], LONGEST_NAME))
        heading = f"Why {subject} is {best} with probability {answer}"
        if output != found.predicted:
            heading = f"Why {subject} would be {best} with probability {answer}"
    else:
        heading = f"Why {subject} is {answer}"
    text = f"On average for the background it is {typical}. Each field moves the {unit(model)} from there."
    return f"{eyebrow}\n<h1>{heading}</h1>\n<p>{text}</p>"


def _answer_figures(report: Report) -> Iterator[str]:
    found = report.contributions
    if found is None:
        return
    table = _waterfall(found, report.output, unit(report.model))
    details = "".join((_all_outputs(found), _background_table(found)))
    caption = f"{describe_method(found)} {describe_background(found)}"
    yield figure("Contributions", caption, f"{table}\n{details}", level=2)


def _waterfall(found: Contributions, output: int, unit: str) -> str:
    """Return a table with a bar a field, each of which begins where the one above it ends."""
    entries = list_entries(found, output, MOST_FIELDS, LONGEST_NAME)
    sizes = [entry.size for entry in entries]
    start, answer = float(found.expectation[output]), float(found.answer[output])
    ends = np.cumsum([start, *sizes]).tolist()
    scale = _scale([*ends, answer])
    rows = [_end_row("on average", start, scale)]
    changes = zip(entries, format_alike(sizes, sign=True), pairwise(ends), strict=True)
    for entry, change, (before, after) in changes:
        error = f" <small>{entry.error}</small>" if entry.error else ""
        rows.append(_bar_row(_name_cell(entry), f"{change}{error}", _step(before, after, scale)))
    rows.append(_end_row("this row", answer, scale))
    return _bar_table(("Field", f"From average to answer ({unit})", "Contribution"), rows)


def _name_cell(entry: Entry) -> str:
    name = escape_text(entry.name)
    return name if entry.value is None else f'{name} <span class="value">{escape_text(entry.value)}</span>'


def _bar_table(heads: Sequence[str], rows: Iterable[str]) -> str:
    columns = "".join(f'<th scope="col">{escape_text(head)}</th>' for head in heads)
    return f'<table class="bars"><thead><tr>{columns}</tr></thead><tbody>\n{"".join(rows)}</tbody></table>'


def _bar_row(name: str, number: str, drawing: str, kind: str = "") -> str:
    return (
        f'<tr{kind}><th scope="row">{name}</th><td class="bar"><svg viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'preserveAspectRatio="none" aria-hidden="true">{drawing}</svg></td>'
        f'<td class="number">{number}</td></tr>\n'
    )


def _scale(numbers: Sequence[float]) -> tuple[float, float]:
    """Return the least and the greatest of some numbers, which differ; NaN is left out."""
    finite = [number for number in numbers if np.isfinite(number)] or [0.0]
    least, greatest = min(finite), max(finite)
    return (least, greatest) if least < greatest else (least - 1, greatest + 1)


def _place(number: float, scale: tuple[float, float]) -> float:
    """Return the position of a number in the box of a bar; NaN is at its left end."""
    share = (number - scale[0]) / (scale[1] - scale[0])
    return round(WIDTH * (share if np.isfinite(share) else 0.0), 1)


def _end_row(name: str, number: float, scale: tuple[float, float]) -> str:
    place = _place(number, scale)
    mark = f'<rect class="rest" x="{max(place - 5, 0)}" y="5" width="10" height="30"/>'
    return _bar_row(name, format_number(number), mark, ' class="end"')


def _step(before: float, after: float, scale: tuple[float, float]) -> str:
    left, right = sorted((_place(before, scale), _place(after, scale)))
    kind = "more" if after >= before else "less"
    width = max(right - left, 2)
    line = _place(after, scale)
    return (
        f'<line class="step" x1="{line}" y1="32" x2="{line}" y2="48"/>'
        f'<rect class="{kind}" x="{left}" y="8" width="{round(width, 1)}" height="24"/>'
    )


def _all_outputs(found: Contributions) -> str:
    """Return a table of the contributions to all outputs, if there are several."""
    if len(found.outputs) < 2:
        return ""
    heads = "".join(
        f'<th scope="col">{escape_text(shorten(name, LONGEST_NAME))}</th>' for name in found.outputs
    )
    names = ["on average", *found.fields, "this row"]
    numbers = np.vstack([found.expectation, found.contributions, found.answer])
    columns = [format_alike(column.tolist()) for column in numbers.T]
    body = "".join(
        _named_row(name, "".join(f"<td>{cell}</td>" for cell in cells))
        for name, cells in zip(names, zip(*columns, strict=True), strict=True)
    )
    table = f'<table><thead><tr><th scope="col">Field</th>{heads}</tr></thead><tbody>\n{body}</tbody></table>'
    return _details("Contributions to all classes", table)


def _background_table(found: Contributions) -> str:
    """Return a table of where the values of typical rows come from, if rows were made."""
    if not found.background.fields:
        return ""
    body = "".join(
        _named_row(name, f"<td>{escape_text(shorten(source, 200))}</td>")
        for name, source in found.background.fields.items()
    )
    return _details("Values of the typical rows", f"<table><tbody>\n{body}</tbody></table>")


def _capitalize(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _named_row(name: str, cells: str) -> str:
    return f'<tr><th scope="row">{escape_text(shorten(name, LONGEST_NAME))}</th>{cells}</tr>\n'


def _details(title: str, content: str) -> str:
    region = f'<div class="wide" tabindex="0" role="region" aria-label="{title}">{content}</div>'
    return f"<details><summary>{title}</summary>{region}</details>\n"


def _curve_figure(report: Report, curve: Curve) -> str:
    name = shorten(curve.field, LONGEST_NAME)
    output = shorten(curve.outputs[report.output], LONGEST_NAME)
    kind = _capitalize(unit(report.model))
    text = f"{kind} of {output}" if report.model.classes else output
    if curve.numeric:
        drawing = plot_curve(curve, report.output, kind)
    else:
        drawing = _category_table(curve, report.output)
    legend = [Key("curve s0", "this row"), Key("curve average", "the background on average")]
    return figure(
        f"What if {name} were another",
        f"{text}; the row has {format_value(curve.given)}.",
        drawing,
        legend if curve.numeric else (),
        level=2,
    )


def _category_table(curve: Curve, output: int) -> str:
    answers, average = curve.answers[:, output].tolist(), curve.average[:, output].tolist()
    scale = _scale([0.0, *answers, *average])
    points = zip(curve.values, answers, average, format_alike(answers), strict=True)
    rows = []
    for value, answer, mean, number in points:
        own = ' <span class="value">this row</span>' if value == curve.given else ""
        line = _place(mean, scale)
        dashes = f'<line class="error" stroke-dasharray="4 3" x1="{line}" y1="2" x2="{line}" y2="38"/>'
        rows.append(
            _bar_row(f"{escape_text(format_value(value))}{own}", number, _bar(answer, scale) + dashes)
        )
    heads = (shorten(curve.field, LONGEST_NAME), "Answer; dashed: the background on average", "Answer")
    return _bar_table(heads, rows)


def _bar(number: float, scale: tuple[float, float]) -> str:
    """Return a bar from zero to a number."""
    left, right = sorted((_place(0.0, scale), _place(number, scale)))
    kind = "more" if number >= 0 else "less"
    return f'<rect class="{kind}" x="{left}" y="8" width="{max(round(right - left, 1), 2)}" height="24"/>'


def _importance_figure(found: Importance) -> str:
    ranked = found.ranked()[:MOST_FIELDS]
    sizes = found.importance[ranked]
    errors = 2 * np.nan_to_num(found.standard_error[ranked])
    scale = _scale([0.0, *(sizes - errors).tolist(), *(sizes + errors).tolist()])
    written = format_alike([*sizes.tolist(), *errors.tolist()])
    rows = []
    for place, number in enumerate(ranked):
        left, right = (_place(sizes[place] + sign * errors[place], scale) for sign in (-1, 1))
        whisker = f'<line class="error" x1="{left}" y1="20" x2="{right}" y2="20"/>'
        text = f"{written[place]} <small>± {written[len(ranked) + place]}</small>"
        name = escape_text(shorten(found.fields[number], LONGEST_NAME))
        rows.append(_bar_row(name, text, _bar(float(sizes[place]), scale) + whisker))
    table = _bar_table(("Field", _capitalize(found.measure), "Importance"), rows)
    return figure("Importance of fields", describe_importance(found), table, level=2)
