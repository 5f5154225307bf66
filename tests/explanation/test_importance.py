"""Importance of fields: by shuffling, and by contributions."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from support.documents import dense, ensemble, network
from support.resources import category, classify, number, whole

import sensenet
from sensenet.errors import ArtifactError, InputError, SettingsError
from sensenet.explanation import contributions, mean_contributions, permutation_importance
from sensenet.explanation.importance import EXPLAINED_ROWS

IRIS = Path("examples/iris.json")


@pytest.fixture(scope="module")
def flowers():
    with Path("examples/iris.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [{k: v for k, v in row.items() if k != "species"} for row in rows], [r["species"] for r in rows]


def linear(*weights):
    """A model of the sum of its cells times weights."""
    columns = [
        {"type": "numeric", "index": number, "mean": 0.0, "stdev": 1.0} for number in range(len(weights))
    ]
    layer = dense(len(weights), 1, None)
    layer["weights"], layer["offset"] = [[weight] for weight in weights], [0.0]
    exposition = {"type": "numeric", "mean": 0.0, "stdev": 1.0}
    return sensenet.create_model(
        network([layer], preprocess=columns, output_exposition=exposition), engine="numpy"
    )


def test_shuffling_what_a_model_reads_costs_accuracy(flowers):
    rows, truth = flowers
    model = sensenet.create_model(IRIS)
    found = permutation_importance(model, rows, truth)
    assert (found.measure, found.rows, found.repeats) == ("accuracy", len(rows), 10)
    assert found.score == pytest.approx(model.score(rows, truth))
    assert [found.fields[number] for number in found.ranked()][:2] == ["petal length", "petal width"]
    assert (found.importance >= -1).all()
    assert found.to_json()["fields"][0]["field"] == "petal length"
    again = permutation_importance(model, rows, truth)
    np.testing.assert_array_equal(again.importance, found.importance)
    other = permutation_importance(model, rows, truth, seed=1)
    assert (other.importance != found.importance).any()


def test_importance_is_that_of_scikit_learn(flowers):
    inspection = pytest.importorskip("sklearn.inspection")
    pandas = pytest.importorskip("pandas")
    rows, truth = flowers
    model = sensenet.create_model(IRIS)
    frame = pandas.DataFrame(rows)[model.feature_names_in_].astype(float)
    theirs = inspection.permutation_importance(model, frame, truth, n_repeats=50, random_state=0)
    ours = permutation_importance(model, rows, truth, repeats=50)
    error = np.hypot(ours.standard_error, theirs.importances.std(axis=1, ddof=1) / math.sqrt(50))
    assert (np.abs(ours.importance - theirs.importances_mean) <= 4 * error).all()


def test_importance_of_a_linear_model_is_known():
    """Shuffling x adds 2·w²·variance to the squared error of w·x; R² divides it by the variance of y."""
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(4000, 3))
    found = permutation_importance(linear(2.0, 1.0, 0.0), rows.tolist(), 2 * rows[:, 0] + rows[:, 1])
    assert found.measure == "R²"
    assert found.score == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(found.importance, [2 * 4 / 5, 2 * 1 / 5, 0], atol=0.08)
    assert found.importance[2] == 0
    assert found.standard_error[2] == 0


@pytest.mark.parametrize("cells", [[1, 2, 3], [1.0, 2.0, 3.0], ["1.0", "2", "3"]])
def test_true_classes_are_read_as_in_evaluations(cells):
    numbered = {"type": "categorical", "values": ["1", "2", "3"]}
    document = whole(
        [number("a")], lambda n: {**classify(n), "output_exposition": numbered}, category("k", "1", "2", "3")
    )
    model = sensenet.create_model(document)
    wanted = permutation_importance(model, [[1.0], [2.0], [3.0]], ["1", "2", "3"])
    assert permutation_importance(model, [[1.0], [2.0], [3.0]], cells).score == wanted.score
    with pytest.raises(InputError, match=r"row 1: expected the name of a true class, found \[\]"):
        permutation_importance(model, [[1.0], [2.0], [3.0]], ["1", [], "3"])


def test_mean_contributions_of_a_linear_model_are_known():
    generator = np.random.default_rng(1)
    rows = generator.normal(size=(60, 3)).tolist()
    found = mean_contributions(linear(2.0, -1.0, 0.0), rows, rows)
    centered = np.abs(np.array(rows) - np.mean(rows, axis=0)).mean(axis=0)
    np.testing.assert_allclose(found.importance, centered * [2, 1, 0], atol=1e-5)
    assert (found.score, found.rows, found.measure) == (None, 60, "mean |contribution|")


def test_mean_contributions_are_means_of_contributions(flowers):
    rows, _ = flowers
    model = sensenet.create_model(IRIS)
    each = [np.abs(contributions(model, row).contributions) for row in rows[:5]]
    np.testing.assert_allclose(
        mean_contributions(model, rows[:5]).importance, np.mean(each, axis=(0, 2)), atol=1e-9
    )
    setosa = mean_contributions(model, rows[:5], output=0)
    np.testing.assert_allclose(setosa.importance, np.mean(each, axis=0)[:, 0], atol=1e-9)
    assert setosa.measure == "mean |contribution| to setosa"
    assert mean_contributions(model, rows * 3).rows == EXPLAINED_ROWS
    assert np.isnan(mean_contributions(model, rows[:1]).standard_error).all()


def test_trees_have_importance():
    model = sensenet.create_model(ensemble(), engine="numpy")
    rows = [[number / 7, "green" if number % 2 else "red", number % 3] for number in range(40)]
    found = permutation_importance(model, rows, model(rows)[:, 0])
    assert found.fields == ("width", "colour", "switch")
    assert found.score == pytest.approx(1)


def test_wrong_rows_and_truths_are_refused(flowers):
    rows, truth = flowers
    model = sensenet.create_model(IRIS)
    with pytest.raises(InputError, match="expected a true value for each of 50 rows, found 1"):
        permutation_importance(model, rows, truth[:1])
    for wrong in (None, 3, "setosa", {"setosa": 1}):
        with pytest.raises(InputError, match="expected a list of true values, found"):
            permutation_importance(model, rows, wrong)
    with pytest.raises(InputError, match="the true value 'rose' is not a class"):
        permutation_importance(model, rows, ["rose"] * len(rows))
    with pytest.raises(InputError, match="row 3: expected a true class, found none"):
        permutation_importance(model, rows, [*truth[:3], None, *truth[4:]])
    with pytest.raises(SettingsError, match="two repeats or more, found 1"):
        permutation_importance(model, rows, truth, repeats=1)
    with pytest.raises(SettingsError, match="expected a seed"):
        mean_contributions(model, rows, seed=-1)
    with pytest.raises(InputError, match="none"):
        mean_contributions(model, np.zeros((0, 4)))
    numbers = linear(1.0)
    for wrong in (None, "a", math.nan, math.inf, [1], "1" * 400):
        with pytest.raises(InputError, match="row 1: expected a true number"):
            permutation_importance(numbers, [[1.0], [2.0]], [1, wrong])
    with pytest.raises(InputError, match="the same number"):
        permutation_importance(numbers, [[1.0], [2.0]], [1, 1])
    with pytest.raises(ArtifactError, match="expected a model"):
        permutation_importance(None, rows, truth)
