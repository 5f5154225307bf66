"""Random values for fields of every type."""

from __future__ import annotations

import random

WORDS = (
    *(
        "free",
        "FREE",
        "Call",
        "calls",
        "calling",
        "went",
        "don't",
        "dont",
        "ü",
        "Ü",
        "50",
        "a",
        "entry",
        "NA",
        "",
    ),
    *("free_call", "call-free", "a.b", "_a_", "!!!", "free!", "日本", "\u00a0", "ﬁ", "İ"),
)
MARKS = (" ", " ", "  ", ", ", ";", "\n", "\t", "_", "-", ".", " and ")
VALUES = {
    "numeric": (0, 1, -2.5, 3.25, "4", " 1e1 ", "$2.5 each", "7 each", "-0.125", None, "N/A", "?"),
    "categorical": ("red", "green", "NA", "true", "false", "Red", "", None, True, False, 3),
    "items": ("a", "a;b c; d ;a", "x,y;z z|x", "x and y", "b c", "", None, "-", "X", "a b"),
}


def draw_text(generator):
    parts = [
        generator.choice(WORDS) + generator.choice(MARKS)
        for _ in range(generator.choice((0, 1, 1, 2, 5, 20)))
    ]
    return generator.choice((None, "", "N/A", 12, "free", "Call ", "".join(parts), "".join(parts).strip()))


def draw_row(resource, generator):
    """A row of some of the fields, by name or id."""
    row = {}
    for id_, field in resource["object"]["deepnet"]["fields"].items():
        if generator.random() < 0.75:
            key = generator.choice((id_, field["name"]))
            row[key] = draw_value(field, generator)
    return row


def draw_value(field, generator):
    if field["optype"] == "text":
        return draw_text(generator)
    value = generator.choice(VALUES[field["optype"]])
    has_boolean_words = {"true", "false"} == {value for value, _ in field["summary"].get("categories", ())}
    if isinstance(value, bool) and not has_boolean_words and len(field["summary"]["categories"]) == 2:
        return None  # the bindings refuse it
    if isinstance(value, str) and "each" in value and "suffix" not in field:
        return None
    return value


def draw_rows(resource, count):
    generator = random.Random(count)
    return [draw_row(resource, generator) for _ in range(count)]


def draw_words(words, count):
    """Texts of some words, in any case, with anything between them."""
    generator = random.Random(count)
    change = (str, str.upper, str.capitalize)
    return [
        "".join(
            generator.choice(change)(generator.choice(words)) + generator.choice(MARKS)
            for _ in range(generator.randint(0, 30))
        )
        for _ in range(count)
    ]
