"""The one way to test a pass: `check_pass`."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable

import numpy as np

from sensenet import passes
from sensenet.backends.tflite.emit import LEGAL
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Graph, same_graph
from sensenet.ir.parser import parse_graph
from sensenet.ir.printer import print_graph, weights
from sensenet.ir.types import Array, DType, TensorType
from sensenet.ir.verify import verify
from sensenet.passes import ALL_PASSES, PIPELINES
from sensenet.passes.infrastructure.manager import run_passes
from sensenet.passes.infrastructure.rules import Pass
from sensenet.passes.look_up_categories import look_up_categories
from sensenet.passes.lowering.legalize import legalize
from sensenet.passes.lowering.simplify_lowered import simplify_lowered

ROWS = 40
STRANGE = (np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-45, -0.0)
"""What rows may hold where a pass answers exactly as before."""

EXACT = {each.name for each in PIPELINES[1]} | {"merge-forests", "flatten-before-scaling"}
"""The passes that change no bit of any answer."""

BASIC = LEGAL
"""What the target tflite takes, which has the fewest ops: every lowering rule is there for it."""

PASSES = {
    **ALL_PASSES,
    "legalize": legalize(BASIC),
    "simplify-lowered": simplify_lowered(BASIC),
    "look-up-categories": look_up_categories(3, 4),
}
"""As in the pipelines, but for columns of a few categories, so that golden files are small."""

DOORS = {"manager", "selection"}
"""Old paths of names, which are no passes."""

PASS_FILES = sorted({info.name for info in pkgutil.iter_modules(passes.__path__) if not info.ispkg} - DOORS)
"""The modules that should each hold a pass, whether the pipeline has it or not."""


def assert_near(before: dict[str, Array], after: dict[str, Array]) -> None:
    """Within what -O2 promises."""
    assert list(before) == list(after)
    for name, array in before.items():
        np.testing.assert_allclose(after[name], array, atol=1e-6, rtol=1e-5, strict=True)


def assert_near_for_images(before: dict[str, Array], after: dict[str, Array]) -> None:
    """Within what -O2 promises of image networks: beside the largest number of an output."""
    assert list(before) == list(after)
    for name, array in before.items():
        scale = np.max(np.abs(array), initial=0.0)
        np.testing.assert_allclose(after[name], array, atol=1e-6 + 1e-5 * scale, rtol=0, strict=True)


Near = Callable[[dict[str, Array], dict[str, Array]], None]


def check_pass(
    graph: Graph, current: Pass, inputs: dict[str, Array] | None = None, near: Near = assert_near
) -> Graph:
    """The graph after the pass, having checked all that holds for every pass.

    The graph is valid before and after, and keeps its interface; its text form is read back; a second run
    finds nothing to do; the answers to the inputs, or to random ones, are the same: exactly, and for any
    numbers, or within the tolerance of -O2.
    """
    after, (record,) = run_passes(graph, (current,))
    assert record.changed is (after is not graph)
    assert record.nodes_after == len(after.nodes)
    if after is not graph:
        assert_round_trip(after)
        assert current.run(after) is after, f"{current.name} does not come to rest"
        assert_same_answers(graph, after, exact=current.name in EXACT, inputs=inputs, near=near)
    return after


def assert_same_answers(
    before: Graph,
    after: Graph,
    exact: bool,
    inputs: dict[str, Array] | None,
    near: Near = assert_near,
) -> None:
    """Exactly, on strange numbers too, or within what -O2 promises."""
    chosen = inputs or random_inputs(before, seed=0)
    if not exact:
        near(evaluate(before, chosen), evaluate(after, chosen))
        return
    for tried in (chosen, with_strange_cells(chosen)):
        assert_equal(evaluate(before, tried), evaluate(after, tried))


def assert_round_trip(graph: Graph) -> None:
    verify(graph)
    assert same_graph(parse_graph(print_graph(graph), weights(graph)), graph)


def random_inputs(graph: Graph, seed: int) -> dict[str, Array]:
    """Normal numbers, and whole ones, which are category codes and meet thresholds exactly."""
    rng = np.random.default_rng(seed)
    return {node.name: _random_array(rng, node.types[0]) for node in graph.inputs}


def _random_array(rng: np.random.Generator, declared: TensorType) -> Array:
    assert declared.dtype is DType.FLOAT32
    shape = tuple(ROWS if size is None else size for size in declared.shape)
    array = np.where(rng.random(shape) < 0.5, rng.normal(size=shape), rng.integers(-1, 4, size=shape))
    return array.astype(np.float32)


def with_strange_cells(inputs: dict[str, Array]) -> dict[str, Array]:
    """The inputs with NaN, infinities and other ends of float32 here and there."""
    rng = np.random.default_rng(1)
    return {
        name: np.where(rng.random(x.shape) < 0.15, rng.choice(np.float32(STRANGE), size=x.shape), x)
        for name, x in inputs.items()
    }


def assert_equal(before: dict[str, Array], after: dict[str, Array]) -> None:
    """Bit for bit the same, but for the bits of NaN and the sign of zero, which no answer depends on."""
    assert list(before) == list(after)
    for name, array in before.items():
        np.testing.assert_array_equal(after[name], array, strict=True)
