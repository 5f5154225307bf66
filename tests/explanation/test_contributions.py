"""Contributions: what Shapley values must be, on random documents, and the same as by their definition."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import resources
from support.documents import ROW, dense, ensemble, image, network
from support.profiles import examples
from support.strategies import documents, rows

import sensenet
from sensenet.errors import ArtifactError, InputError, SettingsError
from sensenet.explanation import contributions, make_background
from sensenet.explanation.players import Game, Player, find_players
from sensenet.explanation.shapley import exact_values, sampled_values
from sensenet.signature import NUMERIC_INPUT, ImageColumn, NumericColumn, Signature

METHODS = {"exact": exact_values, "sampled": lambda game: sampled_values(game, 7)}
IRIS = "examples/iris.json"
FLOWER = {"petal length": 1.4, "petal width": 0.2}


class Formula:
    """Answers rows by a function of their numbers."""

    def __init__(self, function):
        self._function = function

    def answer_inputs(self, inputs):
        return np.stack([self._function(row) for row in inputs[NUMERIC_INPUT]])


def game_of(function, row, background):
    players = [
        Player(name=str(number), field=None, cell=number, cells=1, columns=(number,), images=())
        for number in range(len(row))
    ]
    return Game(
        model=Formula(function),
        players=tuple(players),
        row={NUMERIC_INPUT: np.array([row], np.float32)},
        background={NUMERIC_INPUT: np.array(background, np.float32)},
    )


def by_definition(function, row, background):
    """The mean over all orders, and all background rows, of what adding a field changes."""
    total = np.zeros((len(row), len(function(row))))
    orders = list(itertools.permutations(range(len(row))))
    for other in background:
        for order in orders:
            mixed = list(other)
            for field in order:
                before = function(mixed)
                mixed[field] = row[field]
                total[field] += np.array(function(mixed), float) - before
    return total / len(orders) / len(background)


NUMBERS = st.integers(-8, 8).map(float)


@st.composite
def games(draw, least=1, most=5):
    """A function of products and thresholds of a row's numbers, a row, and background rows."""
    count = draw(st.integers(least, most))
    numbers = st.lists(NUMBERS, min_size=count, max_size=count)
    weights = [draw(numbers), draw(numbers)]
    pair = draw(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)))
    threshold = draw(NUMBERS)

    def function(row):
        sums = [sum(w * x for w, x in zip(each, row, strict=True)) for each in weights]
        return np.array([sums[0] + row[pair[0]] * row[pair[1]], float(sums[1] > threshold)])

    return function, draw(numbers), draw(st.lists(numbers, min_size=1, max_size=4))


@examples(60)
@given(games())
def test_exact_contributions_are_those_of_the_definition(case):
    function, row, background = case
    found = exact_values(game_of(function, row, background))
    np.testing.assert_allclose(found.contributions, by_definition(function, row, background), atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
@examples(30)
@given(case=games(least=2))
def test_contributions_add_up(method, case):
    function, row, background = case
    found = METHODS[method](game_of(function, row, background))
    answer, expectation = function(row), np.mean([function(each) for each in background], axis=0)
    np.testing.assert_allclose(found.answer, answer, atol=1e-9)
    np.testing.assert_allclose(found.expectation, expectation, atol=1e-9)
    np.testing.assert_allclose(found.contributions.sum(axis=0), answer - expectation, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
@examples(20)
@given(case=games(least=2), data=st.data())
def test_a_field_that_changes_nothing_contributes_nothing(method, case, data):
    function, row, background = case
    number = data.draw(st.integers(0, len(row) - 1))

    def ignoring(numbers):
        return function([0.0 if place == number else each for place, each in enumerate(numbers)])

    found = METHODS[method](game_of(ignoring, row, background))
    assert not found.contributions[number].any()
    assert found.standard_error is None or not found.standard_error[number].any()


@examples(20)
@given(games(least=2))
def test_fields_that_do_the_same_contribute_the_same(case):
    function, row, background = case
    row[1] = row[0]
    background = [[each[0], each[0], *each[2:]] for each in background]

    def symmetric(numbers):
        swapped = [numbers[1], numbers[0], *numbers[2:]]
        return function(numbers) + function(swapped)

    found = exact_values(game_of(symmetric, row, background)).contributions
    np.testing.assert_allclose(found[0], found[1], atol=1e-9)


def test_sampled_contributions_are_near_the_exact_ones():
    """Their standard error says how near: of 60 normal deviates, one beyond 5 would be one in 30,000."""
    values = random.Random(3)
    background = [[values.gauss(0, 1) for _ in range(6)] for _ in range(20)]

    def function(row):
        return np.array([math.prod(row), float(sum(row) > 0), math.tanh(row[0] * row[1] + row[2]) * max(row)])

    for seed in range(3):
        game = game_of(function, [1.5, -0.5, 1.0, 2.0, 0.3, -1.2], background)
        exact, sampled = exact_values(game), sampled_values(game, seed)
        assert sampled.standard_error.min() > 0
        deviation = (sampled.contributions - exact.contributions) / sampled.standard_error
        assert np.abs(deviation).max() < 5
        assert 0.5 < np.sqrt(np.mean(deviation**2)) < 2


def test_orders_do_not_matter_if_contributions_are_independent():
    game = game_of(
        lambda row: np.array([3 * row[0] - row[1] + row[2] ** 2]), [1, 2, 3], [[0, 0, 0], [1, 1, 1]]
    )
    sampled = sampled_values(game, 0)
    np.testing.assert_allclose(sampled.contributions[:, 0], [1.5, -1.5, 8.5], atol=1e-9)
    assert sampled.standard_error.max() < 1e-9


@examples(40)
@given(documents(), st.data())
def test_contributions_of_any_document_add_up(document, data):
    """Of networks, ensembles and trees; of fields by name and of cells."""
    model = sensenet.create_model(document, engine="numpy")
    table = data.draw(rows(document))
    background = data.draw(rows(document))
    if not isinstance(background[0][0], list):
        background = [*background, background[0]]
    row, *others = table
    found = contributions(model, [row], [list(each) for each in (others or background)])
    answer = model([row])[0].astype(float)
    expectation = model([*(others or background)]).astype(float).mean(axis=0)
    allowed = 1e-5 * (1 + np.abs(answer) + np.abs(expectation))
    assert np.all(np.abs(found.answer - answer) <= allowed)
    assert np.all(np.abs(found.contributions.sum(axis=0) - (answer - expectation)) <= allowed)
    assert np.all(np.abs(found.expectation - expectation) <= allowed)
    assert len(found.fields) == len(found.values) == len(found.contributions)


def test_more_fields_are_sampled():
    columns = [{"type": "numeric", "index": number, "mean": 0.0, "stdev": 1.0} for number in range(30)]
    document = network([dense(30, 4), dense(4, 2, "softmax")], preprocess=columns)
    model = sensenet.create_model(document, engine="numpy")
    row = [math.sin(number) for number in range(30)]
    found = contributions(model, row, seed=5)
    again = contributions(model, row, seed=5)
    assert found.method == "sampled"
    assert found.evaluations == 64 * 4 * 2 * 31
    assert found.fields[3] == "column 3"
    assert found.values[3] == math.sin(3)
    np.testing.assert_array_equal(found.contributions, again.contributions)
    assert (found.contributions != contributions(model, row, seed=6).contributions).any()
    np.testing.assert_allclose(found.answer, model(row)[0], atol=1e-6)
    np.testing.assert_allclose(found.contributions.sum(axis=0), found.answer - found.expectation, atol=1e-9)


def test_the_fields_of_a_flower():
    model = sensenet.create_model(IRIS)
    found = contributions(model, FLOWER)
    assert (found.method, found.evaluations, found.standard_error) == ("exact", 2**4 * 64, None)
    assert found.outputs == model.classes
    assert found.values == (None, None, 1.4, 0.2)
    assert found.predicted == found.find_output("setosa") == 0
    assert [found.fields[number] for number in found.ranked(0)][:2] == ["petal length", "petal width"]
    record = found.to_json()
    assert record["fields"][2]["field"] == "petal length"
    assert record["background"]["rows"] == 64
    assert record["background"]["fields"]["sepal width"] == (
        "a normal distribution of mean 3.087 and standard deviation 0.418008, between 2 and 4.4"
    )


def test_artifacts_have_the_same_contributions(tmp_path):
    wanted = contributions(sensenet.create_model(IRIS), FLOWER).contributions
    for target in ("numpy", "ir"):
        path = sensenet.compile(IRIS, target=target).save(tmp_path / f"iris.{target}")
        found = contributions(sensenet.create_model(path), FLOWER)
        np.testing.assert_allclose(found.contributions, wanted, atol=1e-6)


def test_trees_have_contributions():
    found = contributions(sensenet.create_model(ensemble(), engine="numpy"), ROW)
    assert found.fields == ("width", "colour", "switch")
    assert found.outputs == ("price",)
    assert found.values == (2.5, "green", None)
    np.testing.assert_allclose(found.contributions.sum(axis=0), found.answer - found.expectation, atol=1e-6)


def test_text_items_and_flags_are_one_field_each():
    fields = [
        resources.text("message", "free", "call"),
        resources.items("tags", "a", "b", "c"),
        resources.number("age", missing_count=3),
    ]
    document = resources.whole(fields, resources.classify, resources.KIND, missing_numerics=True)
    model = sensenet.create_model(document, engine="numpy")
    given = [{"message": "call", "tags": "a b", "age": 4}, {"age": 1}]
    found = contributions(model, {"message": "free call free", "tags": "c", "age": None}, given)
    assert found.fields == ("message", "tags", "age")
    assert [len(player.columns) for player in find_players(model.signature)] == [2, 3, 2]
    assert found.values == ("free call free", "c", None)
    assert found.contributions.any(axis=1).all()
    made = make_background(model)
    assert made.fields["message"] == made.fields["tags"] == "missing"


def test_an_image_of_a_row_is_one_field():
    model = sensenet.create_model(image(), engine="numpy")
    pixels = np.random.default_rng(0)

    def row():
        return [pixels.integers(0, 255, (8, 6, 3), dtype=np.uint8), 1.0 + pixels.random()]

    assert [player.images for player in find_players(model.signature)] == [(0,), ()]
    with pytest.raises(InputError, match="give rows as the background"):
        contributions(model, row())
    found = contributions(model, [row()], [row(), row()])
    np.testing.assert_allclose(found.contributions.sum(axis=0), found.answer - found.expectation, atol=1e-6)
    assert found.contributions.any(axis=1).all()


def test_long_backgrounds_are_drawn_from():
    model = sensenet.create_model(IRIS)
    table = [[5 + number / 1000, 3, 4, 1] for number in range(1000)]
    background = make_background(model, table, seed=1)
    assert (background.rows, background.source) == (256, "256 of 1000 given rows, drawn at random")
    again = contributions(model, FLOWER, table, seed=1)
    np.testing.assert_array_equal(contributions(model, FLOWER, background).contributions, again.contributions)


def test_what_cannot_be_explained_is_refused():
    model = sensenet.create_model(IRIS)
    two = [[5, 3, 4, 1], [5, 3, 4, 1]]
    with pytest.raises(InputError, match="expected one row to explain, found 2"):
        contributions(model, two)
    with pytest.raises(InputError, match="unknown field 'petal'"):
        contributions(model, {"petal": 1})
    with pytest.raises(InputError, match="empty"):
        contributions(model, FLOWER, [])
    with pytest.raises(InputError, match="no rows"):
        contributions(model, FLOWER, np.zeros((0, 4)))
    for seed in (-1, 1 << 32, True, "0", None):
        with pytest.raises(SettingsError, match="expected a seed"):
            contributions(model, FLOWER, seed=seed)
    with pytest.raises(ArtifactError, match="made with another model"):
        contributions(model, FLOWER, make_background(sensenet.create_model("examples/diabetes.json")))
    with pytest.raises(ArtifactError, match="expected a model"):
        contributions("iris.json", FLOWER)
    with pytest.raises(SettingsError, match="did you mean 'setosa'"):
        contributions(model, FLOWER).find_output("setosas")


def test_two_images_of_a_row_are_two_fields_or_one():
    """If both are of one cell, they are one field."""
    for second, images in ((2, [(0,), (), (1,)]), (0, [(0, 1), ()])):
        columns = [ImageColumn(index=0), NumericColumn(index=1), ImageColumn(index=second)]
        assert [player.images for player in find_players(Signature(columns=columns))] == images


def test_fields_of_several_cells_in_a_list_are_not_missing():
    fields = [resources.text("message", "free", "call"), resources.number("age")]
    document = resources.whole(fields, resources.classify, resources.KIND)
    found = contributions(sensenet.create_model(document, engine="numpy"), [1, 0, 30])
    assert found.values == ("2 cells", 30)
