"""Adds predictions to rows by field name: a list of dicts, or a data frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sensenet.errors import InputTypeError, SettingsError
from sensenet.models.answers import PREDICTION, Answer
from sensenet.runtime.cells import describe
from sensenet.suggestions import suggest

OUTPUTS = (PREDICTION, "probability", "confidence", "distribution", "unused_fields")
"""What an answer may have."""

OUTPUT_FIELDS, OUTPUT_HEADERS = "output_fields", "output_headers"
"""The members of the outputs of a batch."""

Rows = Sequence[Mapping[Any, Any]]


def answer_batch(
    answer: Callable[[Rows], list[Answer]],
    rows: Any,
    outputs: Mapping[str, Sequence[str]] | None,
    all_fields: bool,
) -> Any:
    """Return the rows with outputs of their answers, in the form that they have.

    Outputs that the model's answers lack, such as the probability of a number, are left out. Raises
    InputTypeError for rows of another form, SettingsError for invalid outputs.
    """
    headers = read_outputs(outputs)
    if isinstance(rows, list | tuple):
        for number, row in enumerate(rows):
            if not isinstance(row, Mapping):
                raise InputTypeError(f"row {number}: expected a dict by field name, found {describe(row)}")
        return [
            {
                **(row if all_fields else {}),
                **{header: found[name] for name, header in headers if name in found},
            }
            for row, found in zip(rows, answer(rows), strict=True)
        ]
    return _answer_frame(answer, rows, headers, all_fields)


def read_outputs(outputs: Mapping[str, Sequence[str]] | None) -> list[tuple[str, str]]:
    """Return the outputs of a batch, each with its header; raise SettingsError for unknown ones."""
    given = outputs or {}
    if not isinstance(given, Mapping):
        raise SettingsError(f"expected outputs as a dict of lists of names, found {describe(given)}")
    unknown = [name for name in given if name not in (OUTPUT_FIELDS, OUTPUT_HEADERS)]
    if unknown:
        raise SettingsError(f"unknown outputs {unknown[0]!r}; expected {OUTPUT_FIELDS} and {OUTPUT_HEADERS}")
    names = _read_names(given, OUTPUT_FIELDS, (PREDICTION, "probability"))
    headers = _read_names(given, OUTPUT_HEADERS, names)
    for name in names:
        if name not in OUTPUTS:
            raise SettingsError(
                f"unknown output {name!r}; {suggest(name, OUTPUTS)}expected some of: {', '.join(OUTPUTS)}"
            )
    if len(headers) > len(names):
        raise SettingsError(f"expected at most {len(names)} {OUTPUT_HEADERS}, found {len(headers)}")
    return list(zip(names, [*headers, *names[len(headers) :]], strict=True))


def _read_names(given: Mapping[str, Any], member: str, default: Sequence[str]) -> Sequence[str]:
    names = given.get(member, default)
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise SettingsError(f"{member}: expected a list of names, found {describe(names)}")
    return names


def _answer_frame(
    answer: Callable[[Rows], list[Answer]], x: Any, headers: Sequence[tuple[str, str]], all_fields: bool
) -> Any:
    """Return a data frame of the same library, with the same index."""
    import narwhals as nw

    try:
        frame = nw.from_native(x, eager_only=True)
        rows = frame.rows(named=True)
    except Exception as error:  # anything that the frame's library raises
        reason = " ".join(str(error).split())[:100]
        raise InputTypeError(
            f"expected rows as a list of dicts or a data frame, found {describe(x)}: {reason}"
        ) from error
    answers = answer(rows)
    found = [(name, header) for name, header in headers if not answers or name in answers[0]]
    added = [
        nw.new_series(header, [each[name] for each in answers], backend=frame.implementation)
        for name, header in found
    ]
    whole = frame.with_columns(*added)
    return (whole if all_fields else whole.select(*(header for _, header in found))).to_native()
