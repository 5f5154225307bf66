"""Measures of classifiers: by hand in small cases, and by scikit-learn in random ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.profiles import examples

from sensenet.evaluation.classification import ClassificationTally

metrics = pytest.importorskip("sklearn.metrics")

NAMES = ("a", "b", "c", "d")


@st.composite
def answered(draw):
    """True classes and probabilities, of which some tie."""
    classes = draw(st.integers(2, 4))
    rows = draw(st.integers(1, 40))
    truth = np.array(draw(st.lists(st.integers(0, classes - 1), min_size=rows, max_size=rows)))
    counts = st.lists(st.integers(0, 4), min_size=classes, max_size=classes).filter(any)
    numbers = np.array(draw(st.lists(counts, min_size=rows, max_size=rows)), np.float32)
    return truth, numbers / numbers.sum(axis=1, keepdims=True)


def tally(truth, probabilities, at_once=7, unknown=()):
    counted = ClassificationTally(NAMES[: probabilities.shape[1]])
    for start in range(0, len(truth), at_once):
        counted.add(truth[start : start + at_once], probabilities[start : start + at_once])
    return counted.result(unknown)


@pytest.mark.filterwarnings("ignore:A single label was found")
@examples(50)
@given(answered())
def test_measures_are_those_of_scikit_learn(drawn):
    truth, probabilities = drawn
    classes = range(probabilities.shape[1])
    predicted = probabilities.argmax(axis=1)
    result = tally(truth, probabilities)
    np.testing.assert_array_equal(
        result.model.confusion_matrix, metrics.confusion_matrix(truth, predicted, labels=list(classes))
    )
    assert result.model.accuracy == pytest.approx(metrics.accuracy_score(truth, predicted))
    for name, average in (("precision", 0), ("recall", 1), ("f_measure", 2)):
        by_class = metrics.precision_recall_fscore_support(
            truth, predicted, labels=list(classes), zero_division=0
        )[average]
        found = [getattr(each, name) for each in result.model.per_class_statistics]
        np.testing.assert_allclose(found, by_class, atol=1e-12)
        macro = metrics.precision_recall_fscore_support(truth, predicted, average="macro", zero_division=0)
        assert getattr(result.model, f"average_{name}") == pytest.approx(macro[average])
    for number, statistics in enumerate(result.model.per_class_statistics):
        phi = metrics.matthews_corrcoef(truth == number, predicted == number)
        assert statistics.phi_coefficient == pytest.approx(phi, abs=1e-12)
        accuracy = metrics.accuracy_score(truth == number, predicted == number)
        assert statistics.accuracy == pytest.approx(accuracy)
        assert statistics.present_in_test_data == (number in truth)
    loss = metrics.log_loss(truth, probabilities, labels=list(classes))
    assert result.log_loss == pytest.approx(loss, rel=1e-5, abs=1e-6)  # scikit-learn adds in float32
    squares = np.sum((probabilities.astype(float) - np.eye(len(classes))[truth]) ** 2, axis=1).mean()
    assert result.brier_score == pytest.approx(squares, abs=1e-6)


@given(answered())
def test_the_baselines_are_those_of_dummies(drawn):
    truth, probabilities = drawn
    classes = probabilities.shape[1]
    result = tally(truth, probabilities)
    mode = np.bincount(truth, minlength=classes).argmax()
    assert result.mode.accuracy == pytest.approx(np.mean(truth == mode))
    f_measure = metrics.f1_score(truth, np.full(len(truth), mode), average="macro", zero_division=0)
    assert result.mode.average_f_measure == pytest.approx(f_measure)
    assert result.random.accuracy == pytest.approx(1 / classes)
    assert result.random.average_phi == 0
    np.testing.assert_allclose(
        result.random.confusion_matrix.sum(axis=1), np.bincount(truth, minlength=classes)
    )


def test_a_small_case_by_hand():
    truth = np.array([0, 0, 0, 1, 1])
    probabilities = np.float32([[0.75, 0.25], [0.75, 0.25], [0.25, 0.75], [0.25, 0.75], [0.5, 0.5]])
    result = tally(truth, probabilities)
    assert result.model.confusion_matrix.tolist() == [[2, 1], [1, 1]]  # of equal ones, the first is predicted
    assert result.model.accuracy == pytest.approx(3 / 5)
    first, second = result.model.per_class_statistics
    assert (first.precision, first.recall, first.f_measure) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert (second.precision, second.recall, second.f_measure) == pytest.approx((1 / 2, 1 / 2, 1 / 2))
    assert first.phi_coefficient == second.phi_coefficient == pytest.approx((2 * 1 - 1 * 1) / 6)
    # pairs of the first class: 0.75, 0.75 and 0.25 against 0.25 and 0.5: 2 + 2 + 0.5
    assert first.curves.area_under_roc_curve == pytest.approx(4.5 / 6)
    loss = -(3 * math.log(0.75) + math.log(0.25) + math.log(0.5)) / 5
    assert result.log_loss == pytest.approx(loss)
    assert (result.mode.accuracy, result.mode.average_recall) == pytest.approx((3 / 5, 1 / 2))


def test_calibration_by_hand():
    probabilities = np.float32([[0.9, 0.1]] * 10 + [[0.6, 0.4]] * 5)
    truth = np.array([0] * 8 + [1] * 2 + [0] * 1 + [1] * 4)
    calibration = tally(truth, probabilities).calibration
    filled = calibration.rows > 0
    np.testing.assert_array_equal(calibration.rows[filled], [5, 10])
    np.testing.assert_allclose(calibration.accuracy[filled], [0.2, 0.8])
    np.testing.assert_allclose(calibration.mean_probability[filled], [0.6, 0.9], rtol=1e-6)
    assert calibration.expected_error == pytest.approx((5 * 0.4 + 10 * 0.1) / 15, rel=1e-6)
    assert calibration.maximum_error == pytest.approx(0.4, rel=1e-6)


def test_a_true_class_that_the_model_does_not_know_counts_as_wrong():
    probabilities = np.float32([[1, 0], [0, 1], [1, 0]])
    result = tally(np.array([0, 1, 2]), probabilities, unknown=["other"])
    assert result.class_names == ("a", "b", "other")
    assert result.model.confusion_matrix.tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 0]]
    assert result.model.accuracy == pytest.approx(2 / 3)
    unknown = result.model.per_class_statistics[2]
    assert (unknown.precision, unknown.recall, unknown.curves) == (0, 0, None)
    assert result.model.average_recall == pytest.approx(2 / 3)
    assert result.log_loss == pytest.approx(-math.log(np.finfo(np.float32).eps) / 3, rel=1e-5)
    assert result.brier_score == pytest.approx(2 / 3 * 1)  # its row: the 1 of a class that is not true, and 1


def test_averages_leave_out_a_class_that_is_neither_true_nor_predicted():
    probabilities = np.float32([[1, 0, 0], [0, 1, 0]])
    model = tally(np.array([0, 1]), probabilities).model
    assert [each.present_in_test_data for each in model.per_class_statistics] == [True, True, False]
    assert (model.average_recall, model.average_phi) == (1, 1)
