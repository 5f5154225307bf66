"""Functions for pools of processes, which find them by the name of an importable module only."""

from __future__ import annotations


def raise_error(kind, arguments):
    error = kind(*arguments)
    error.add_note("a note")
    error.extra = {"place": 7}
    raise error


def predict(model, rows):
    return model(rows), model.engine
