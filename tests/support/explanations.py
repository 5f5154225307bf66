"""A report on a model whose names are those of a stranger who means harm."""

from __future__ import annotations

import sensenet
from sensenet.explanation import contributions, permutation_importance, what_if
from sensenet.explanation.report import Report
from support import resources

HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "\x1b[31mred\u202e&amp;")


def hostile_report():
    """A report whose names, classes and values are those of a stranger who means harm."""
    fields = [resources.category(HOSTILE[0], *HOSTILE), resources.number(HOSTILE[1])]
    objective = {**resources.category(HOSTILE[2], *HOSTILE), "name": HOSTILE[0]}
    classes = {"type": "categorical", "values": sorted(HOSTILE)}

    def make_network(features):
        return {**resources.classify(features), "output_exposition": classes}

    model = sensenet.create_model(resources.whole(fields, make_network, objective), engine="numpy")
    row = {HOSTILE[0]: HOSTILE[2], HOSTILE[1]: "3"}
    rows = [{HOSTILE[0]: HOSTILE[number % 3], HOSTILE[1]: number} for number in range(6)]
    return Report(
        model=model,
        title=HOSTILE[2],
        output=1,
        contributions=contributions(model, row),
        curves=tuple(what_if(model, row, name) for name in HOSTILE[:2]),
        importance=permutation_importance(model, rows, [HOSTILE[number % 2] for number in range(6)]),
    )
