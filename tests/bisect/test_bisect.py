"""Bisecting finds planted faults: the pass, the rewrite, and a small graph that shows it."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from support.documents import detector, ensemble, image, legacy_network, typed

from sensenet.backends import get_target
from sensenet.compiler.bisect.reduction import reduce_graph
from sensenet.compiler.bisect.search import Culprit, find_culprit
from sensenet.compiler.bisect.smallest import find_smallest
from sensenet.compiler.bisect.trial import DIFFERS, Outcome, Trial
from sensenet.errors import InputError, MissingPackageError
from sensenet.frontend import import_graph
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Graph, apply, constant, rebuild
from sensenet.ir.legality import all_of
from sensenet.ir.ops.arithmetic import Add, Greater
from sensenet.ir.ops.control import While
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.dense import Activation, BatchNormalization, Dense
from sensenet.ir.ops.reduction import ReduceAny
from sensenet.ir.ops.table import OP_CLASSES
from sensenet.ir.parser import parse_graph
from sensenet.ir.printer import print_graph, tensors_of, weights
from sensenet.ir.region import Region
from sensenet.ir.types import Tensor, f32
from sensenet.ir.verify import verify
from sensenet.passes import ALL_PASSES, PIPELINES
from sensenet.passes.infrastructure.rules import Pass, rewriting_pass
from sensenet.passes.lowering.legalize import LOWERINGS
from sensenet.signature import NumericColumn, Signature

GOOD = PIPELINES[2]


def make_rule(name, matches, change):
    """A rule of that name that changes ops which match and are not changed yet."""

    def rule(node, _):
        op = change(node.op) if matches(node.op) else node.op
        return None if op == node.op else apply(op, *node.inputs, name=node.name).value

    rule.__name__ = name
    return rule


def is_dense(op):
    return isinstance(op, Dense)


def drop_bias(op):
    return attrs.evolve(op, bias=None)


def turn_to(op, activation):
    return attrs.evolve(op, activation=ActivationFunction(activation))


DROP_BIAS = make_rule("drop_bias", lambda op: is_dense(op) and op.bias is not None, drop_bias)
SIGN_ZEROS = make_rule(  # changes nothing but the sign of zeros in batch normalizations: right
    "sign_zeros",
    lambda op: isinstance(op, BatchNormalization) and op.epsilon == 0.001,
    lambda op: attrs.evolve(op, epsilon=0.0010000001),
)


def bisect(graph, pipeline, **trial):
    made = Trial(**trial)
    culprit = find_culprit(graph, pipeline, made)
    assert isinstance(culprit, Culprit)
    smallest = find_smallest(graph, culprit, made)
    verify(smallest.graph)
    again = find_culprit(smallest.graph, smallest.passes, made)
    assert isinstance(again, Culprit)  # as the command line to reproduce it would
    assert again.outcome.fault == culprit.outcome.fault
    text = print_graph(smallest.graph)
    assert print_graph(parse_graph(text, weights(smallest.graph))) == text
    return culprit, smallest


def ops_of(graph: Graph):
    return [node.op.mnemonic() for node in graph.nodes]


@pytest.mark.parametrize("make", [typed, legacy_network, image, detector])
def test_nothing_differs(make):
    outcome = find_culprit(import_graph(make()), GOOD, Trial())
    assert isinstance(outcome, Outcome)
    assert outcome.difference < 1e-3
    assert outcome.fault == ""


@pytest.mark.parametrize("place", [0, 3, len(GOOD)])
def test_a_wrong_rule_is_found_wherever_its_pass_stands(place):
    wrong = rewriting_pass("wrong", DROP_BIAS)
    pipeline = (*GOOD[:place], wrong, *GOOD[place:])
    culprit, smallest = bisect(import_graph(typed()), pipeline)
    assert culprit.stage == "wrong"
    assert culprit.passes == pipeline[: place + 1]
    assert culprit.outcome.fault == DIFFERS
    assert culprit.rewrite.rule == "drop_bias"
    assert culprit.before.node(culprit.rewrite.node).op.bias is not None
    assert smallest.passes == (wrong,)
    assert ops_of(smallest.graph) == ["input", "dense"]
    assert smallest.rewrite.number == 1
    (_, layer) = smallest.graph.nodes
    assert layer.op.kernel.shape == (1, 1)
    assert layer.op.kernel.array.tolist() == [[0.0]]
    assert layer.op.bias.array.tolist() == [1.0]


def test_the_first_wrong_rewrite_among_right_ones_is_found():
    graph = import_graph(typed())
    active = [
        node.name for node in graph.nodes if is_dense(node.op) and node.op != turn_to(node.op, "linear")
    ]
    victim = active[2]

    def split_activation(node, _):
        """An activation of its own behind a dense layer; a wrong one behind the victim."""
        if not is_dense(node.op) or node.op == turn_to(node.op, "linear"):
            return None
        sums = apply(turn_to(node.op, "linear"), *node.inputs).value
        function = ActivationFunction.EXPONENTIAL if node.name == victim else node.op.activation
        return apply(Activation(function=function), sums, name=node.name).value

    culprit, smallest = bisect(graph, (rewriting_pass("split", split_activation, SIGN_ZEROS),))
    rewrite = culprit.rewrite
    assert (rewrite.rule, rewrite.node) == ("split_activation", victim)
    assert rewrite.number >= 3
    assert ops_of(smallest.graph) == ["input", "dense"]
    assert smallest.rewrite.number == 1


def test_a_wrong_pass_without_rules_is_found():
    def forget_activations(graph):
        return rebuild(graph, lambda node: node.inputs if isinstance(node.op, Activation) else node.values)

    wrong = Pass(name="forget-activations", run=forget_activations)
    culprit, smallest = bisect(import_graph(legacy_network()), (*GOOD[:1], wrong, *GOOD[1:]))
    assert culprit.stage == "forget-activations"
    assert culprit.rewrite is None
    assert ops_of(smallest.graph) == ["input", "activation"]


def test_the_smallest_graph_keeps_what_the_fault_needs():
    """A batch normalization folded without its shift, and only behind a dense layer."""

    def fold_without_shift(node, uses):
        if not isinstance(node.op, BatchNormalization) or not is_dense(node.inputs[0].op):
            return None
        layer, (scale, _) = node.inputs[0].op, node.op.scale_and_shift()
        kernel = Tensor.float32(layer.kernel.float64 * scale)
        return apply(attrs.evolve(layer, kernel=kernel), *node.inputs[0].node.inputs, name=node.name).value

    culprit, smallest = bisect(
        import_graph(typed()), (*GOOD[:2], rewriting_pass("fold", fold_without_shift), *GOOD[2:])
    )
    assert culprit.stage == "fold"
    assert culprit.rewrite.rule == "fold_without_shift"
    assert ops_of(smallest.graph) == ["input", "dense", "batch_normalization"]
    assert max(size or 0 for node in smallest.graph.nodes for size in node.types[0].shape) == 1


def linear_graph(kernel, bias):
    """A dense layer on two numbers."""
    x = apply(Input(type=f32(None, 2)), name="numeric_inputs")
    layer = apply(Dense(kernel=Tensor.float32(kernel), bias=Tensor.float32(bias)), x.value)
    signature = Signature(columns=[NumericColumn(index=0), NumericColumn(index=1)])
    return Graph.create([x], {"predictions": layer.value}, signature)


def test_errors_that_add_up_are_found_where_they_pass_the_tolerance():
    """Each adds 0.6 of the tolerance: no graph between shows a fault of one pass alone."""

    def nudge(graph):
        value = graph.outputs["predictions"]
        layer = attrs.evolve(value.op, bias=Tensor.float32(value.op.bias.float64 + 6e-6))
        return Graph.create(
            graph.inputs, {"predictions": apply(layer, *value.node.inputs).value}, graph.signature
        )

    first, second, third = (Pass(name=f"nudge-{n}", run=nudge) for n in range(3))
    pipeline = (GOOD[0], first, *GOOD[1:3], second, third)
    culprit, smallest = bisect(linear_graph(np.zeros((2, 1)), [0]), pipeline)
    assert culprit.stage == "nudge-1"
    assert smallest.passes == (first, second)


FAULTY = {
    "raises": (lambda graph: {}["gone"], "KeyError"),
    "asserts": (lambda graph: np.linalg.inv(np.zeros((2, 2))), "LinAlgError"),
    "breaks types": (
        lambda graph: Graph.create(
            graph.inputs,
            {
                name: attrs.evolve(value.node, types=(value.type.with_last(99),)).value
                for name, value in graph.outputs.items()
            },
            graph.signature,
        ),
        "VerifyError",
    ),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_pass_that_fails_is_found(name):
    run, error = FAULTY[name]

    def run_on_dense(graph):
        return run(graph) if any(is_dense(node.op) for node in graph.nodes) else graph

    culprit, smallest = bisect(import_graph(typed()), (*GOOD[:5], Pass(name=name, run=run_on_dense)))
    assert culprit.stage == name
    assert culprit.outcome.fault.startswith(error)
    assert culprit.rewrite is None
    assert ops_of(smallest.graph) == ["input", "dense"]


def test_a_rule_that_fails_is_named_with_its_node():
    def fail(node, _):
        return node.inputs[7] if is_dense(node.op) and node.op.units == 2 else None

    culprit, smallest = bisect(import_graph(typed()), (rewriting_pass("failing", SIGN_ZEROS, fail),))
    assert "the rule fail failed at node" in culprit.outcome.message
    assert culprit.outcome.fault == "IndexError in fail"
    assert ops_of(smallest.graph) == ["input", "dense"]


def test_a_rule_that_loops_is_found():
    def flip(node, _):
        flipped = {"relu": "tanh", "tanh": "relu"}
        if not isinstance(node.op, Activation) or node.op.function.value not in flipped:
            return None
        function = ActivationFunction(flipped[node.op.function.value])
        return apply(Activation(function=function), *node.inputs, name=node.name).value

    culprit, smallest = bisect(import_graph(legacy_network()), (rewriting_pass("loop", flip),))
    assert "flip does not terminate" in culprit.outcome.message
    assert ops_of(smallest.graph) == ["input", "activation"]


def put_in_place(monkeypatch, changed):
    """A backend in place of every target's."""
    for module in ("bisect.trial", "bisect.search", "driver"):
        monkeypatch.setattr(f"sensenet.compiler.{module}.get_target", lambda _: changed)


def broken_backend(monkeypatch, breaks):
    """The target numpy, which answers wrongly for graphs that `breaks` holds of."""
    backend = get_target("numpy")

    def load(artifact):
        executable = backend.load(artifact)
        if not breaks(artifact.graph):
            return executable
        return attrs.evolve(executable, run=lambda x: {name: y + 1 for name, y in executable.run(x).items()})

    changed = attrs.evolve(backend, load=load)
    put_in_place(monkeypatch, changed)


def test_a_wrong_target_is_found(monkeypatch):
    broken_backend(monkeypatch, lambda graph: "batch_normalization" in ops_of(graph))
    culprit, smallest = bisect(import_graph(typed()), GOOD, target="numpy")
    assert culprit.stage == "numpy"
    assert culprit.passes == ()
    assert smallest.passes == ()
    assert ops_of(smallest.graph) == ["input", "batch_normalization"]


def test_a_target_that_goes_wrong_after_a_pass_is_found(monkeypatch):
    """The interpreter is right about what the pass leaves, so the smallest graph needs no pass."""
    broken_backend(monkeypatch, lambda graph: "dense" in ops_of(graph) and "dropout" not in ops_of(graph))
    culprit, smallest = bisect(import_graph(typed()), GOOD, target="numpy")
    assert culprit.stage == "remove-identities"
    assert smallest.passes == ()
    assert ops_of(smallest.graph) == ["input", "dense"]


def test_an_artifact_that_cannot_be_built_is_found(monkeypatch):
    backend = get_target("numpy")

    def build(graph, report, options):
        if "activation" in ops_of(graph):
            raise RuntimeError("no such kernel")
        return backend.build(graph, report, options)

    changed = attrs.evolve(backend, build=build)
    put_in_place(monkeypatch, changed)
    culprit, smallest = bisect(import_graph(legacy_network()), (), target="numpy")
    assert (culprit.stage, culprit.outcome.fault) == ("numpy", "RuntimeError in build")
    assert culprit.outcome.message == "no such kernel"
    assert ops_of(smallest.graph) == ["input", "activation"]


def test_an_op_that_a_target_lacks_is_the_fault_of_legalize(monkeypatch):
    legal = all_of(*(op for op in OP_CLASSES if op is not Dense))
    changed = attrs.evolve(get_target("numpy"), legal=lambda: legal)
    put_in_place(monkeypatch, changed)
    culprit, smallest = bisect(import_graph(typed()), GOOD, target="numpy")
    assert culprit.stage == "legalize"
    assert "the target has no op dense" in culprit.outcome.message
    assert ops_of(smallest.graph) == ["input", "dense"]


def test_a_missing_package_is_no_fault_of_a_graph(monkeypatch):
    def build(graph, report, options):
        raise MissingPackageError("tensorflow", "tensorflow", "the target")

    changed = attrs.evolve(get_target("numpy"), build=build)
    put_in_place(monkeypatch, changed)
    with pytest.raises(MissingPackageError):
        find_culprit(import_graph(typed()), GOOD, Trial(target="numpy"))


def test_faults_that_only_given_rows_show_are_found():
    """A wrong answer for numbers that are never generated."""

    class Wrong(Activation):
        def evaluate(self, x):
            return np.where(x > 1e5, 0, x)

    def plant(graph):
        (name, value), *_ = graph.outputs.items()
        odd = apply(Wrong(function=ActivationFunction.LINEAR), value).value
        return Graph.create(graph.inputs, {name: odd}, graph.signature)

    graph, passes = linear_graph([[1], [1]], [1]), (Pass(name="plant", run=plant),)
    assert isinstance(find_culprit(graph, passes, Trial()), Outcome)
    culprit, smallest = bisect(graph, passes, rows=[[1e9, 1]])
    assert culprit.stage == "plant"
    assert len(smallest.graph.nodes) == 1


def test_rows_that_the_model_does_not_take():
    with pytest.raises(InputError, match="row 0"):
        find_culprit(import_graph(typed()), GOOD, Trial(rows=[["x", "green", 1]]))


def test_what_always_holds_leaves_next_to_nothing():
    smallest = reduce_graph(import_graph(typed()), lambda graph: "one_hot" in ops_of(graph))
    assert ops_of(smallest) == ["input", "one_hot"]
    assert smallest.signature == Signature()


@pytest.mark.parametrize("make", [typed, legacy_network, image, detector, ensemble])
def test_any_op_is_left_alone_with_its_inputs(make):
    graph = import_graph(make())
    for op in {node.op.mnemonic() for node in graph.nodes} - {"input", "constant"}:
        asked = []

        def shows(candidate, op=op, asked=asked):
            asked.append(candidate)
            return op in ops_of(candidate)

        smallest = reduce_graph(graph, shows)
        verify(smallest)
        assert set(ops_of(smallest)) - {"constant"} == {"input", op}
        assert ops_of(smallest).count(op) == 1
        assert all(node.value in smallest.uses for node in smallest.inputs)
        assert len(asked) < 300


def test_nodes_between_those_that_matter_are_bypassed():
    smallest = reduce_graph(import_graph(typed()), lambda graph: ops_of(graph).count("dense") > 1)
    assert ops_of(smallest) == ["input", "dense", "dense"]


def test_the_reduction_stops(monkeypatch):
    monkeypatch.setattr("sensenet.compiler.bisect.reduction.MOST_TRIES", 3)
    asked = []

    def shows(graph):
        asked.append(graph)
        return True

    reduce_graph(import_graph(typed()), shows)
    assert len(asked) == 3


def test_a_graph_that_cannot_be_reduced_stays():
    graph = import_graph(typed())
    assert reduce_graph(graph, lambda candidate: False) is graph


def test_all_passes_made_of_rules_say_so():
    """Those that are not rewrite a graph as a whole, and are not searched for a rewrite."""
    assert ALL_PASSES["fold-batch-normalization"].rules
    assert not ALL_PASSES["share-weights"].rules


def test_loops_are_reduced_inside():
    """Sizes and weights of regions become smaller with those around them."""
    inputs = [apply(Input(type=f32(None, 12)), name=name) for name in ("x", "other")]

    def region(make):
        given = [apply(Input(type=node.types[0]), name=node.name) for node in inputs]
        return Region.create(given, make(*(node.value for node in given)))

    limit = constant(Tensor.float32(np.linspace(3.1, 4.2, 12)))
    condition = region(
        lambda x, _: {"go": apply(ReduceAny(axes=(0, 1)), apply(Greater(), limit, x).value).value}
    )
    body = region(lambda x, other: {"x": apply(Add(), x, other).value, "other": other})
    loop = apply(While(condition=condition, body=body), *(node.value for node in inputs), name="loop")
    graph = Graph.create(inputs, {"y": loop.value, "other": loop.values[1]}, Signature())
    smallest = reduce_graph(graph, lambda candidate: While in candidate.ops)
    verify(smallest)
    (left,) = [node for node in smallest.nodes if isinstance(node.op, While)]
    assert left.types == (f32(None, 1), f32(None, 1))
    (kept,) = tensors_of(left.op)
    assert kept == Tensor.float32([0])


def test_a_wrong_lowering_rule_is_found(monkeypatch):
    """The target is wrong because its pass legalize is: the rule and the node are told."""

    def lower_tanh(node, _):
        return node.inputs[0]

    def is_no_tanh(node):
        return node.op.function is not ActivationFunction.TANH

    monkeypatch.setitem(LOWERINGS, Activation, lower_tanh)
    changed = attrs.evolve(get_target("numpy"), legal=lambda: {**all_of(*OP_CLASSES), Activation: is_no_tanh})
    put_in_place(monkeypatch, changed)
    x = apply(Input(type=f32(None, 3)), name="numeric_inputs")
    dense = apply(Dense(kernel=Tensor.float32(np.eye(3))), x.value, name="layer")
    last = apply(Activation(function=ActivationFunction.TANH), dense.value, name="last")
    columns = tuple(NumericColumn(index=n, missing=0.0) for n in range(3))
    graph = Graph.create([x], {"predictions": last.value}, Signature(columns=columns))
    culprit, smallest = bisect(graph, (), target="numpy")
    assert culprit.stage == "legalize"
    assert (culprit.rewrite.rule, culprit.rewrite.node) == ("lower_tanh", "last")
    assert ops_of(smallest.graph)[-1] == "activation"
