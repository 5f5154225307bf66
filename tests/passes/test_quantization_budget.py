"""Quantizing within a budget: which layers stay float32, and what the graph then answers."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.lowered import graph_of
from support.op_cases import floats, weights
from support.seeds import SEEDS, seeded

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Graph, apply, same_graph
from sensenet.ir.ops.dense import Dense
from sensenet.ir.static_shapes import fix_batch
from sensenet.ir.types import Tensor, f32
from sensenet.passes.quantization import budget as module
from sensenet.passes.quantization.answers import agreement, has_decisions, largest_difference
from sensenet.passes.quantization.budget import Budget, quantize_within
from sensenet.passes.quantization.rewriting import quantize_graph
from sensenet.progress import ignore_progress
from sensenet.signature import BOXES, CLASSES, NUMERIC_INPUT, PIXEL_INPUT, PREDICTIONS, SCORES, VALID

UNITS = 6
ROWS = 40


def layer(kernel, last=False) -> Dense:
    function = ActivationFunction.SOFTMAX if last else ActivationFunction.RELU
    return Dense(kernel=Tensor.float32(kernel), bias=weights(UNITS), activation=function)


def network(kernels) -> Graph:
    """A layer for each kernel, one after the other, that read numbers of one magnitude and name a class."""

    def outputs(x):
        for kernel in kernels:
            x = apply(layer(kernel, last=kernel is kernels[-1]), x).value
        return {PREDICTIONS: x}

    graph = graph_of({PIXEL_INPUT: f32(None, UNITS)}, outputs)
    signature = attrs.evolve(graph.signature, classes=tuple("abcdef"))
    return Graph.create(graph.inputs, graph.outputs, signature)


def kernels_of(seed, count=4):
    return [seeded(seed + number, UNITS, UNITS) for number in range(count)]


def feed_of(graph, rows=ROWS):
    return {PIXEL_INPUT: floats(rows, UNITS, scale=2.0)}


def choose(graph, feeds, **bounds):
    return quantize_within(graph, feeds, Budget(**bounds), ignore_progress)


def schemes(choice):
    return [each.scheme for each in choice.layers]


@settings(max_examples=25)
@given(SEEDS, st.floats(1e-4, 0.2), st.floats(0.5, 1))
def test_what_is_chosen_is_within_the_budget(seed, difference, share):
    graph = network(kernels_of(seed))
    feeds = [feed_of(graph), feed_of(graph, rows=7)]
    expected = [evaluate(graph, feed) for feed in feeds]
    near = choose(graph, feeds, max_difference=difference)
    assert largest_difference([evaluate(near.graph, feed) for feed in feeds], expected) <= difference
    alike = choose(graph, feeds, min_agreement=share)
    assert agreement([evaluate(alike.graph, feed) for feed in feeds], expected) >= share


def test_a_large_budget_quantizes_all_and_a_tiny_one_nothing():
    graph = network(kernels_of(0))
    feeds = [feed_of(graph)]
    all_layers, no_layers = (choose(graph, feeds, max_difference=each) for each in (1.0, 1e-12))
    assert same_graph(all_layers.graph, quantize_graph(graph, feeds))
    assert schemes(all_layers) == ["int8"] * 4
    assert no_layers.graph is graph
    assert schemes(no_layers) == ["float32"] * 4


def test_the_layer_with_the_largest_effect_stays_float_first():
    """One column of a kernel is a thousand times larger, and multiplied with 0: its scale is too coarse."""
    kernels = kernels_of(3)
    kernels[1] = kernels[1] * np.float32([[1], [1], [1], [1], [1], [0]])
    kernels[1][5] = 500.0
    kernels[0][:, 5] = -100.0
    graph = network(kernels)
    feeds = [{PIXEL_INPUT: np.abs(floats(ROWS, UNITS, scale=2.0))}]
    measured = choose(graph, feeds, max_difference=1.0)
    effects = [each.difference for each in measured.layers]
    worst = int(np.argmax(effects))
    assert worst == 1
    chosen = choose(graph, feeds, max_difference=sorted(effects)[-2] * 3)
    assert chosen.layers[worst].scheme == "float32"
    assert schemes(chosen).count("int8") == 3
    assert [each.difference for each in chosen.layers] == effects


def test_sizes_are_those_of_kernel_bias_and_scales():
    graph = network(kernels_of(0))
    choice = choose(graph, [feed_of(graph)], max_difference=1.0)
    floats32 = choose(graph, [feed_of(graph)], max_difference=1e-12)
    assert {each.size for each in choice.layers} == {UNITS * UNITS + 2 * 4 * UNITS}
    assert {each.size for each in floats32.layers} == {4 * UNITS * UNITS + 4 * UNITS}


def test_layers_that_no_kernel_takes_have_no_effect():
    kernels = kernels_of(0)
    graph = network(kernels)
    feed = feed_of(graph)
    feed[PIXEL_INPUT][0, 0] = np.inf
    choice = choose(graph, [feed], max_difference=1.0)
    assert choice.graph is graph
    assert {(each.scheme, each.difference) for each in choice.layers} == {("float32", None)}


def test_columns_are_no_layers_to_choose():
    graph = graph_of({NUMERIC_INPUT: f32(None, UNITS)}, lambda x: {"y": apply(layer(np.eye(UNITS)), x).value})
    choice = choose(graph, [{NUMERIC_INPUT: floats(4, UNITS)}], max_difference=1.0)
    assert (choice.graph, choice.layers) == (graph, ())


def test_runs_are_as_many_as_layers_and_halvings(monkeypatch):
    graph = network(kernels_of(5, count=9))
    rows = []

    def prepare(variant):
        def run(feed):
            rows.append(len(feed[PIXEL_INPUT]))
            return evaluate(variant, feed)

        return run

    monkeypatch.setattr(module, "prepare", prepare)
    monkeypatch.setattr(module, "MOST_ROWS", 16)
    choose(graph, [feed_of(graph)], max_difference=0.01)
    assert rows.count(16) == 1 + 9  # the float32 graph, and each layer
    assert 2 <= rows.count(ROWS) <= 1 + 5  # the same, and halvings of nine
    assert set(rows) == {16, ROWS}


def test_progress_counts_layers():
    shown = []
    graph = network(kernels_of(0))
    quantize_within(graph, [feed_of(graph)], Budget(max_difference=1.0), lambda *each: shown.append(each))
    assert shown == [(0, 4), (1, 4), (2, 4), (3, 4)]


@given(st.integers(0, 40), st.data())
def test_halving_finds_the_least_allowed(most, data):
    least = data.draw(st.integers(0, most))
    tried = []

    def is_allowed(number):
        tried.append(number)
        return number >= least

    assert module._find_least(is_allowed, most) == least
    assert len(tried) <= 1 + np.ceil(np.log2(most + 1))
    assert most == 0 or tried[0] == 0
    assert most not in tried or most == 0


@pytest.mark.parametrize("sizes", [(3, 5, 200), (100,), (1, 1, 1, 50), (2,)])
def test_rows_are_spread_over_all_feeds(monkeypatch, sizes):
    monkeypatch.setattr(module, "MOST_ROWS", 16)
    numbers = np.split(np.arange(sum(sizes), dtype=np.float32), np.cumsum(sizes)[:-1])
    feeds = [{PIXEL_INPUT: np.repeat(each[:, None], UNITS, axis=1)} for each in numbers]
    chosen = module._choose_rows(network(kernels_of(0)), feeds)
    places = np.concatenate([feed[PIXEL_INPUT][:, 0] for feed in chosen])
    assert len(places) == min(16, sum(sizes))
    assert places[0] == 0
    assert np.ptp(np.diff(places)) <= 1


def test_batches_of_a_fixed_size_are_chosen_whole(monkeypatch):
    monkeypatch.setattr(module, "MOST_ROWS", 16)
    graph = fix_batch(network(kernels_of(0)), 5)
    feeds = [feed_of(graph, rows=5) for _ in range(9)]
    chosen = module._choose_rows(graph, feeds)
    assert [id(each) for each in chosen] == [id(feeds[place]) for place in (0, 3, 6)]
    choose(graph, feeds, max_difference=0.1)


# Differences and decisions.


def detections(scores, classes, valid):
    outputs = {SCORES: np.float32(scores), CLASSES: np.int32(classes), VALID: np.int32(valid)}
    return {BOXES: np.zeros((*outputs[SCORES].shape, 4), np.float32), **outputs}


def test_differences_are_of_all_numbers_and_infinite_for_one_nan():
    one, other = {"y": np.float32([[1, 2], [3, np.nan]])}, {"y": np.float32([[1, 2.5], [3, np.nan]])}
    assert largest_difference([one], [other]) == 0.5
    assert largest_difference([one], [{"y": np.float32([[1, 2], [np.nan, np.nan]])}]) == np.inf
    limits = {"y": np.float32([np.inf, -np.inf])}
    assert largest_difference([limits], [limits]) == 0
    assert largest_difference([limits], [{"y": np.float32([np.inf, np.inf])}]) == np.inf
    assert largest_difference([], []) == 0


def test_the_difference_of_detectors_is_that_of_scores_in_a_class():
    found = detections([[0.5, 0.75, 0.6], [0, 0, 0.9]], [[2, 1, 2], [0, 0, 0]], [3, 0])
    expected = detections([[0.7, 0.5, 0.65], [0, 0, 0]], [[1, 2, 2], [0, 0, 0]], [3, 0])
    assert largest_difference([found], [expected]) == pytest.approx(0.05)


def test_a_box_that_one_detector_misses_counts_with_its_score():
    found = detections([[0.9, 0.8]], [[1, 1]], [2])
    for expected in (detections([[0.9, 0]], [[1, 0]], [1]), detections([[0.9, 0.1]], [[1, 2]], [2])):
        assert largest_difference([found], [expected]) == pytest.approx(0.8)
        assert largest_difference([expected], [found]) == pytest.approx(0.8)
    nothing = detections(np.zeros((1, 0)), np.zeros((1, 0)), [0])
    assert largest_difference([nothing], [nothing]) == 0


def test_decisions_are_best_classes_or_the_classes_of_boxes():
    one = {PREDICTIONS: np.float32([[0.4, 0.6], [0.9, 0.1], [0.2, 0.8], [1, 0]])}
    other = {PREDICTIONS: np.float32([[0.1, 0.9], [0.4, 0.6], [0.3, 0.7], [1, 0]])}
    assert agreement([one], [other]) == 0.75
    assert agreement([one, one], [other, one]) == 0.875
    assert agreement([], []) == 1.0
    found = detections([[0.5, 0.4]] * 4, [[2, 1], [1, 1], [1, 7], [0, 7]], [2, 2, 1, 0])
    expected = detections([[0.5, 0.4]] * 4, [[1, 2], [1, 2], [1, 0], [0, 0]], [2, 2, 1, 1])
    assert agreement([found], [expected]) == 0.5  # the same in another order; what is beyond `valid`


def test_answers_that_name_no_class_have_no_decision():
    graph = network(kernels_of(0))
    assert has_decisions(graph)
    assert not has_decisions(graph_of({"x": f32(None, 2)}, lambda x: {PREDICTIONS: x}))
    assert not has_decisions(Graph.create(graph.inputs, {"y": graph.outputs[PREDICTIONS]}, graph.signature))
