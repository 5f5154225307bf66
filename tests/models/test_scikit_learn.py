"""scikit-learn takes models for fitted classifiers and regressors, on arrays and data frames."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
from support.documents import dense, image
from support.resources import MIXED_ROWS, PRICE, RESOURCES, TABULAR, category, predict_number, whole

from sensenet.errors import ArtifactError, MissingPackageError
from sensenet.models.wrappers import create_image_feature_extractor, create_model

sklearn_base = pytest.importorskip("sklearn.base")

NAMES = ["width", "color", "height"]


@pytest.fixture(scope="module")
def classifier():
    return create_model(RESOURCES["tabular"]())


@pytest.fixture(scope="module")
def regressor():
    return create_model(whole(TABULAR, predict_number, PRICE))


@pytest.fixture(scope="module")
def frame():
    generator = np.random.default_rng(4)
    columns = (generator.normal(size=90), generator.choice(["red", "green", "blue"], 90), np.arange(90.0))
    table = pd.DataFrame(dict(zip(NAMES, columns, strict=True)))
    table.loc[3, "height"] = np.nan
    return table


@pytest.fixture(scope="module")
def kinds(frame):
    return np.random.default_rng(5).choice(["ham", "other", "spam"], len(frame))


def test_labels_are_the_most_probable_classes(classifier, frame):
    expected = [classifier.classes[number] for number in classifier(frame).argmax(axis=1)]
    assert classifier.predict(frame).tolist() == expected
    assert classifier.predict(frame.to_numpy()).tolist() == expected
    np.testing.assert_array_equal(classifier.predict_proba(frame), classifier(frame))
    assert len(set(expected)) > 1


def test_classes_are_sorted_and_so_are_their_probabilities():
    document = RESOURCES["tabular"]()
    network = document["object"]["deepnet"]["network"]
    network["output_exposition"] = {"type": "categorical", "values": ["spam", "ham", "other"]}
    model = create_model(document)
    rows = [{"width": 1, "color": "red"}, {"width": -3}]
    assert model.classes == ("spam", "ham", "other")
    assert model.classes_.tolist() == ["ham", "other", "spam"]
    np.testing.assert_array_equal(model.predict_proba(rows), model(rows)[:, [1, 2, 0]])
    assert model.predict(rows).tolist() == [model.classes[each] for each in model(rows).argmax(axis=1)]
    assert model.predict(rows[0], full=True)["distribution"][2]["category"] == "spam"
    assert model.predict(rows[0], full=True)["prediction"] == model.predict(rows)[0]


def test_features_are_the_fields(classifier, regressor):
    for model in (classifier, regressor):
        assert model.feature_names_in_.tolist() == NAMES
        assert model.n_features_in_ == 3
    mixed = create_model(RESOURCES["mixed"]())
    assert mixed.n_features_in_ == len(mixed.feature_names_in_) == 10


def test_features_without_names():
    document = RESOURCES["tabular"]()["object"]["deepnet"]["network"]
    model = create_model(document)
    assert not hasattr(model, "feature_names_in_")
    assert model.n_features_in_ == 3


def test_a_name_of_several_fields_is_replaced_by_their_ids():
    document = RESOURCES["tabular"]()
    document["object"]["deepnet"]["fields"]["000002"]["name"] = "width"
    names = create_model(document).feature_names_in_.tolist()
    assert names == ["000000", "color", "000002"]


def test_a_regression_has_no_classes(regressor, frame):
    assert not hasattr(regressor, "predict_proba")
    assert not hasattr(regressor, "classes_")
    with pytest.raises(AttributeError, match="not a classifier, so it has no predict_proba"):
        regressor.predict_proba  # noqa: B018
    np.testing.assert_array_equal(regressor.predict(frame), regressor(frame)[:, 0])


def test_scikit_learn_knows_what_it_is(classifier, regressor):
    assert sklearn_base.is_classifier(classifier)
    assert not sklearn_base.is_regressor(classifier)
    assert sklearn_base.is_regressor(regressor)
    assert sklearn_base.clone(classifier) is classifier
    extractor = create_image_feature_extractor(image())
    assert not sklearn_base.is_classifier(extractor)
    assert not sklearn_base.is_regressor(extractor)
    assert not hasattr(extractor, "predict_proba")
    with pytest.raises(ArtifactError, match="call it for the features"):
        extractor.predict(np.zeros((1, 20, 24, 3)))


@pytest.mark.parametrize("as_array", [False, True])
def test_scores_are_those_of_scikit_learn(classifier, regressor, frame, kinds, as_array):
    metrics = pytest.importorskip("sklearn.metrics")
    x = frame.to_numpy() if as_array else frame
    weights = np.arange(len(frame))
    truth = frame["height"].fillna(0).to_numpy()
    assert classifier.score(x, kinds) == metrics.accuracy_score(kinds, classifier.predict(frame))
    assert regressor.score(x, truth, weights) == metrics.r2_score(
        truth, regressor.predict(frame), sample_weight=weights
    )


def test_classes_are_compared_as_text(classifier, frame):
    with pytest.raises((TypeError, ValueError)):
        classifier.score(frame, np.zeros(len(frame), int))


def test_scoring_without_scikit_learn_says_what_to_install(classifier, frame, kinds, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingPackageError, match=r"sensenet-compiler\[sklearn\]"):
        classifier.score(frame, kinds)


@pytest.mark.parametrize("as_array", [False, True])
def test_permutation_importance(classifier, regressor, frame, kinds, as_array):
    inspection = pytest.importorskip("sklearn.inspection")
    x = frame.to_numpy() if as_array else frame
    constant = x.copy()
    if as_array:
        constant[:, 0] = 1.5
    else:
        constant["width"] = 1.5
    predicted = classifier.predict(constant)
    found = inspection.permutation_importance(classifier, constant, predicted, n_repeats=3, random_state=0)
    assert found.importances_mean[0] == 0
    assert found.importances_mean[1:].max() > 0
    numbers = regressor.predict(x)
    assert inspection.permutation_importance(regressor, x, numbers, random_state=0).importances_mean.max() > 0


@pytest.mark.parametrize("scoring", [None, "neg_log_loss", "roc_auc_ovr", "f1_macro"])
def test_cross_validation_scores_the_same_model_on_each_part(classifier, frame, kinds, scoring):
    selection = pytest.importorskip("sklearn.model_selection")
    folds = selection.KFold(3)
    found = selection.cross_val_score(classifier, frame, kinds, cv=folds, scoring=scoring)
    assert np.isfinite(found).all()
    if scoring is None:
        parts = [test for _, test in folds.split(frame)]
        assert found.tolist() == [classifier.score(frame.iloc[part], kinds[part]) for part in parts]


def test_cross_validation_of_a_regression(regressor, frame):
    selection = pytest.importorskip("sklearn.model_selection")
    truth = regressor.predict(frame)
    found = selection.cross_val_score(regressor, frame.to_numpy(), truth, cv=3)
    np.testing.assert_array_equal(found, 1)


def choose(features):
    exposition = {"type": "categorical", "values": ["no", "yes"]}
    return {"layers": [dense(features, 2, "softmax")], "output_exposition": exposition}


def test_two_classes_in_pipelines_and_displays(frame):
    pytest.importorskip("matplotlib").use("agg")
    calibration = pytest.importorskip("sklearn.calibration")
    pipeline = pytest.importorskip("sklearn.pipeline")
    model = create_model(whole(TABULAR, choose, category("kind", "yes", "no")))
    truth = np.random.default_rng(1).choice(["no", "yes"], len(frame))
    for each in (model, pipeline.make_pipeline("passthrough", model)):
        display = calibration.CalibrationDisplay.from_estimator(each, frame, truth, n_bins=3)
        np.testing.assert_array_equal(display.y_prob, model.predict_proba(frame)[:, 1])


def test_one_row_as_a_list_has_an_array_of_one(classifier):
    row = [1.5, "red", None]
    assert classifier.predict(row).tolist() == classifier.predict([row]).tolist()
    assert classifier.predict(dict(zip(NAMES, row, strict=True))) == classifier.predict(row)[0]


def test_a_model_of_texts_reads_frames_of_fields():
    model = create_model(RESOURCES["mixed"]())
    frame = pd.DataFrame([{"Message": "free call"}, {"Message": None}])
    np.testing.assert_array_equal(model.predict_proba(frame), model(frame))
    assert model.predict(list(MIXED_ROWS)[:2]).shape == (2,)
