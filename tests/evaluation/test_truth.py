"""True values: classes and numbers in every form, missing ones, and those that cannot be read."""

from __future__ import annotations

import pyarrow as pa
import pytest
from support.evaluations import only
from support.resources import KIND, category, classify, number, whole

import sensenet
from sensenet.errors import InputError
from sensenet.evaluation import evaluate


def test_true_numbers_may_be_texts_and_may_be_missing(prices):
    table = pa.table({"a": ["1", "2", "3"], "price": ["4.5", "", "nan"]})
    report = evaluate(prices, table)
    assert (report.rows, report.rows_without_truth) == (3, 2)
    assert only(report).truth_mean == 4.5


def test_true_classes_that_are_numbers():
    numbered = {"type": "categorical", "values": ["1", "2", "3"]}
    objective = {**KIND, "summary": {"categories": [["1", 5], ["2", 5], ["3", 5]], "missing_count": 0}}
    model = sensenet.create_model(
        whole([number("a")], lambda n: {**classify(n), "output_exposition": numbered}, objective)
    )
    for cells in ([1, 2, 3], [1.0, 2.0, 3.0], ["1", "2", "3"], ["1.0", "2", "3"]):
        result = only(evaluate(model, pa.table({"a": [1, 2, 3], "kind": cells})))
        assert result.class_names == ("1", "2", "3")
        assert [each.instances for each in result.model.per_class_statistics] == [1, 1, 1]


def test_true_classes_that_are_booleans_or_tokens_of_missing_values():
    values = {"type": "categorical", "values": ["NA", "false", "true"]}
    objective = category("kind", "true", "false", "NA")
    model = sensenet.create_model(
        whole([number("a")], lambda n: {**classify(n), "output_exposition": values}, objective)
    )
    report = evaluate(model, pa.table({"a": [1, 2, 3], "kind": [True, False, None]}))
    assert [each.instances for each in only(report).model.per_class_statistics] == [0, 1, 1]
    report = evaluate(model, pa.table({"a": [1, 2, 3], "kind": ["NA", "N/A", "true"]}))
    assert [each.instances for each in only(report).model.per_class_statistics] == [1, 0, 1]
    assert report.rows_without_truth == 1


@pytest.mark.parametrize("kind", ["categories of pandas", "categories of Polars", "dictionaries"])
def test_true_classes_that_are_coded(iris, flowers, kind):
    match kind:
        case "categories of pandas":
            pandas = pytest.importorskip("pandas")
            rows = pandas.DataFrame(flowers.to_pydict()).astype({"species": "category"})
        case "categories of Polars":
            polars = pytest.importorskip("polars")
            rows = polars.DataFrame(flowers.to_pydict()).cast({"species": polars.Categorical})
        case _:
            rows = flowers.set_column(4, "species", flowers["species"].dictionary_encode())
    assert only(evaluate(iris, rows)).model.accuracy == 0.96


def test_true_numbers_of_other_types(prices):
    for cells in (pa.array([1, 2], pa.decimal128(21, 2)), [True, False], pa.array([1, 2], pa.uint8())):
        assert only(evaluate(prices, pa.table({"a": [1, 2], "price": cells}))).rows == 2
    with pytest.raises(InputError, match=r"expected a number .*, found datetime.date"):
        evaluate(prices, pa.table({"a": [1, 2], "price": pa.array([1, 2], pa.date32())}))


def test_a_class_that_the_model_does_not_know(iris, flowers):
    species = ["tulip"] * 5 + flowers["species"].to_pylist()[5:]
    report = evaluate(iris, flowers.set_column(4, "species", pa.array(species)))
    assert only(report).class_names == (*iris.classes, "tulip")
    assert only(report).model.accuracy <= 0.9
    assert report.notes == ("the model does not know 'tulip' as classes: their rows count as wrong answers",)


def test_a_column_of_other_texts_is_not_taken_for_classes(iris, flowers):
    ids = pa.array([f"id {number}" for number in range(50 * 3)])
    table = pa.concat_tables([flowers] * 3).append_column("id", ids)
    with pytest.raises(InputError, match=r"more than 100 values that are not classes .*such as 'id 0'"):
        evaluate(iris, table, truth="id", ignore=["species"])


def test_a_truth_that_is_no_name(iris):
    table = pa.table({"sepal length": [1.0], "species": pa.array([["a"]])})
    with pytest.raises(InputError, match=r"row 0: column 'species': expected the name of a class, found"):
        evaluate(iris, table)
    with pytest.raises(InputError, match="no true value in any of 1 rows"):
        evaluate(iris, table, on_error="null")


def test_a_truth_that_is_no_number(prices):
    table = pa.table({"a": [1, 2], "price": ["3", "three"]})
    with pytest.raises(InputError, match=r"row 1: column 'price': expected a number .*, found 'three'"):
        evaluate(prices, table)
    report = evaluate(prices, table, on_error="null")
    assert (report.rows, report.rows_without_truth, only(report).rows) == (2, 1, 1)
    with pytest.raises(InputError, match=r"expected a number .*, found inf"):
        evaluate(prices, pa.table({"a": [1], "price": [float("inf")]}))
    with pytest.raises(InputError, match=r"expected a number .*, found 1e\+300"):
        evaluate(prices, pa.table({"a": [1], "price": [1e300]}))
