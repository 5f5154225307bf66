"""A client of BigML's bindings, in a process of its own: they set environment variables and turn off logging.

    python client.py jobs.json answers.json

A job is {"kind", "resource", "rows", …}; its answer is a list with one entry for each row.
"""

from __future__ import annotations

import json
import sys

from bigml import deepnet as deepnets
from bigml.deepnet import Deepnet
from bigml.supervised import SupervisedModel


def plain(value):
    return value.item() if hasattr(value, "item") else str(value)


def predict(job):
    """Predictions, and the cells that the network read."""
    model = Deepnet(job["resource"])
    assert not model.using_laminar, "the bindings could not use sensenet"
    return [
        {"cells": cells_of(model, row), "prediction": model.predict(row, full=True)} for row in job["rows"]
    ]


def answer_calls(job):
    """What each call of a method answers: `[name, row, arguments]`."""
    model = Deepnet(job["resource"])
    return [getattr(model, name)(row, **arguments) for name, row, arguments in job["rows"]]


def predict_batch(job):
    """What a batch of rows answers to each set of arguments; `SupervisedModel` wants to be online."""
    model = SupervisedModel.__new__(SupervisedModel)
    model.local_model = Deepnet(job["resource"])
    return [model.batch_predict(rows, **arguments) for rows, arguments in job["rows"]]


def cells_of(model, row):
    values = model.filter_input_data(row)
    deepnets.cast(values, model.fields)
    terms = model.get_unique_terms(values)
    return model.fill_array(values, terms)


def predict_with_numpy(job):
    """Predictions of the bindings' own NumPy path."""
    deepnets.LAMINAR_VERSION = True
    try:
        model = Deepnet(job["resource"])
    finally:
        deepnets.LAMINAR_VERSION = False
    assert model.using_laminar
    return [{"prediction": model.predict(row, full=True)} for row in job["rows"]]


def detect(job):
    model = Deepnet(job["resource"], operation_settings=job["settings"])
    assert not model.using_laminar
    return [model.predict(path)["prediction"] for path in job["rows"]]


def featurize(job):
    """The features of images, as fields that were made of them."""
    from bigml.images.featurizers import ImageFeaturizer

    featurizer = ImageFeaturizer(job["fields"], list(job["fields"]))
    return [featurizer.extend_input(row) for row in job["rows"]]


KINDS = {
    "predict": predict,
    "calls": answer_calls,
    "batch": predict_batch,
    "numpy": predict_with_numpy,
    "detect": detect,
    "featurize": featurize,
}


def main(jobs_path, answers_path):
    with open(jobs_path, encoding="utf-8") as stream:
        jobs = json.load(stream)
    answers = {name: KINDS[job["kind"]](job) for name, job in jobs.items()}
    with open(answers_path, "w", encoding="utf-8") as stream:
        json.dump(answers, stream, default=plain)


if __name__ == "__main__":
    main(*sys.argv[1:])
