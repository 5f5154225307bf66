"""Curves from counts of scores: scikit-learn's areas, and the bound on the error of coarse counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sensenet.evaluation.curves import make_curves, thin
from sensenet.evaluation.overview import RANKINGS
from sensenet.evaluation.score_counts import ScoreCounts, most_scores, order_scores, restore_scores

metrics = pytest.importorskip("sklearn.metrics")
stats = pytest.importorskip("scipy.stats")

UNIT = st.floats(0, 1, width=32)

TIED = st.sampled_from([0.0, 0.25, 0.5, 0.5000001, 0.75, 1.0])

SCORED = st.lists(st.tuples(st.one_of(UNIT, TIED), st.booleans()), min_size=1, max_size=60)


def count(rows, most=65_536, at_once=7):
    counts = ScoreCounts(most)
    scores, positive = np.array([score for score, _ in rows], np.float32), np.array([p for _, p in rows])
    for start in range(0, len(rows), at_once):
        counts.add(scores[start : start + at_once], positive[start : start + at_once])
    return counts, scores, positive


@given(st.lists(UNIT, min_size=1))
@example([0.0, 1.0, 0.5, np.float32(1e-45).item(), np.nextafter(np.float32(1), np.float32(0)).item()])
def test_keys_keep_scores_and_their_order(scores):
    scores = np.array(scores, np.float32)
    keys = order_scores(scores)
    np.testing.assert_array_equal(restore_scores(keys), scores)
    np.testing.assert_array_equal(np.argsort(keys, kind="stable"), np.argsort(scores, kind="stable"))


def test_scores_beyond_the_range_count_as_its_ends():
    keys = order_scores(np.float32([-0.5, -0.0, 0, 1, 1.5]))
    np.testing.assert_array_equal(restore_scores(keys), np.float32([0, 0, 0, 1, 1]))


@given(SCORED)
def test_areas_are_those_of_scikit_learn(rows):
    counts, scores, positive = count(rows)
    curves = make_curves(counts)
    assert (curves.roc_error, curves.pr_error) == (0, 0)
    if not positive.any():
        assert curves.area_under_pr_curve is None
    else:
        wanted = metrics.average_precision_score(positive, scores)
        assert curves.area_under_pr_curve == pytest.approx(wanted, abs=1e-12)
    if not positive.any() or positive.all():
        assert {getattr(curves, name) for name in RANKINGS if name != "area_under_pr_curve"} == {None}
        return
    assert curves.area_under_roc_curve == pytest.approx(metrics.roc_auc_score(positive, scores), abs=1e-12)
    x, y, thresholds = metrics.roc_curve(positive, scores, drop_intermediate=False)
    np.testing.assert_allclose(curves.roc(), (x, y))
    np.testing.assert_array_equal(curves.thresholds, thresholds[1:])
    assert curves.ks_statistic[0] == pytest.approx(max(y[1:] - x[1:]))
    phi = [metrics.matthews_corrcoef(positive, scores >= threshold) for threshold in curves.thresholds]
    assert curves.max_phi[0] == pytest.approx(max(phi), abs=1e-12)
    precision, recall, _ = metrics.precision_recall_curve(positive, scores)
    np.testing.assert_allclose(curves.precision_recall(), (recall[-2::-1], precision[-2::-1]))


@pytest.mark.filterwarnings("ignore:An input array is constant")
@given(SCORED)
@example([(0.25, True), (0.25, False)])
@example([(0.25, True), (0.5, False)])
def test_rank_correlations_are_those_of_scipy(rows):
    counts, scores, positive = count(rows)
    curves = make_curves(counts)
    if not positive.any() or positive.all():
        return
    for found, wanted in (
        (curves.kendalls_tau_b, stats.kendalltau(scores, positive, variant="b").statistic),
        (curves.spearmans_rho, stats.spearmanr(scores, positive).statistic),
    ):
        assert found == pytest.approx(np.nan_to_num(wanted), abs=1e-12)  # of equal scores, SciPy's are NaN


def test_gain_and_lift_by_hand():
    rows = [(0.75, True), (0.5, True), (0.5, False), (0.25, False), (0.125, False)]
    curves = make_curves(count(rows)[0])
    np.testing.assert_allclose(curves.gain(), ([0, 0.2, 0.6, 0.8, 1], [0, 0.5, 1, 1, 1]))
    np.testing.assert_allclose(curves.negative_cdf(), ([0, 0.2, 0.6, 0.8, 1], [0, 0, 1 / 3, 2 / 3, 1]))
    np.testing.assert_allclose(curves.lift(), ([0.2, 0.6, 0.8, 1], [2.5, 5 / 3, 1.25, 1]))


@given(SCORED)
def test_gain_and_lift_are_those_of_the_rows_so_far(rows):
    counts, scores, positive = count(rows)
    curves = make_curves(counts)
    for name, chosen in (("gain", positive), ("negative_cdf", ~positive)):
        shares, found = getattr(curves, name)()
        if not chosen.any():
            assert not len(shares)
            continue
        assert (shares[0], found[0]) == (0, 0)
        above = scores >= curves.thresholds[:, None]
        np.testing.assert_allclose(shares[1:], above.mean(axis=1))
        np.testing.assert_allclose(found[1:], (above & chosen).sum(axis=1) / chosen.sum())
    if positive.any():
        shares, lift = curves.lift()
        np.testing.assert_allclose(lift, curves.gain()[1][1:] / shares)


@given(SCORED, st.integers(2, 20))
def test_coarse_counts_have_bounds_that_hold(rows, most):
    counts, _, _ = count(rows, most)
    assert len(counts.keys) <= most
    assert counts.counts.sum() == len(rows)
    coarse, exact = make_curves(counts), make_curves(count(rows)[0])
    for name, error in RANKINGS.items():
        found, wanted = (getattr(curves, name) for curves in (coarse, exact))
        if wanted is None:
            assert found is None
            continue
        if isinstance(found, tuple):
            found, wanted = found[0], wanted[0]
        assert abs(found - wanted) <= getattr(coarse, error) + 1e-12
        assert getattr(exact, error) == 0


@given(SCORED, st.randoms(use_true_random=False), st.integers(1, 9))
def test_counts_do_not_depend_on_the_order_of_rows(rows, random, at_once):
    shuffled = list(rows)
    random.shuffle(shuffled)
    one, other = count(rows, 5, at_once)[0], count(shuffled, 5, 3)[0]
    assert one.dropped_bits == other.dropped_bits
    np.testing.assert_array_equal(one.keys, other.keys)
    np.testing.assert_array_equal(one.counts, other.counts)


@pytest.mark.parametrize("seed", range(3))
def test_many_scores_are_counted_as_a_thousand_and_areas_hardly_change(seed):
    random = np.random.default_rng(seed)
    counts = ScoreCounts(1000)
    scores = random.random(20_000, np.float32)
    positive = random.random(20_000) < scores
    counts.add(scores, positive)
    curves = make_curves(counts)
    assert len(counts.keys) <= 1000
    assert 0 < curves.roc_error < 2e-3
    assert curves.area_under_roc_curve == pytest.approx(
        metrics.roc_auc_score(positive, scores), abs=curves.roc_error
    )


@pytest.mark.parametrize(
    ("classes", "roc_bound", "pr_bound", "bound"),
    [(3, 2e-5, 1e-4, 1e-4), (1000, 2.2e-3, 1.1e-2, 8.2e-3)],
    ids=["3", "1000"],
)
@pytest.mark.parametrize(("mean", "deviation"), [(0, 4), (-7, 4), (-7, 1), (None, None)])
def test_a_million_rows_have_the_bounds_of_the_documentation(
    classes, roc_bound, pr_bound, bound, mean, deviation
):
    random = np.random.default_rng(0)
    counts = ScoreCounts(most_scores(classes))
    for _ in range(16):
        if mean is None:
            scores = random.random(62_500)
        else:
            scores = 1 / (1 + np.exp(-random.normal(mean, deviation, 62_500)))
        counts.add(scores.astype(np.float32), random.random(62_500) < scores)
    curves = make_curves(counts)
    assert 0 < curves.roc_error < roc_bound
    assert 0 < curves.pr_error < pr_bound
    assert 0 < curves.ks_error < bound
    assert 0 <= curves.phi_error < bound
    assert 0 < curves.tau_error < bound
    assert 0 < curves.rho_error < bound


def test_all_classes_together_keep_a_million_scores():
    assert [most_scores(classes) for classes in (1, 2, 16, 1024, 100_000)] == [
        65_536,
        65_536,
        65_536,
        1024,
        256,
    ]


def test_points_that_fall_together_are_drawn_once():
    x = np.array([0.0, 0.001, 0.002, 0.5, 0.5, 1.0])
    assert thin(x, x, 10).tolist() == [0, 3, 5]
    assert thin(x, 30 * x, 10).tolist() == [0, 3, 5]
    assert thin(np.zeros(0), np.zeros(0)).tolist() == []
