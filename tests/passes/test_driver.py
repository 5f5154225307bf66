"""The pattern driver and the manager: fixed points, who reads what, faults and their history."""

from __future__ import annotations

import inspect
import sys

import numpy as np
import pytest
from attrs import evolve
from support.check_pass import PASSES

from sensenet.backends import get_target
from sensenet.compiler.pipelines import lowering_passes
from sensenet.errors import PassError, UnsupportedOpError, VerifyError
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Graph, Node, apply
from sensenet.ir.ops.arithmetic import Add
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.dense import Activation, Dense, Dropout, DropoutKind
from sensenet.ir.types import Tensor, f32
from sensenet.passes import ALL_PASSES, PIPELINES
from sensenet.passes.infrastructure.manager import run_passes
from sensenet.passes.infrastructure.rules import Pass, Uses, apply_rules, rewriting_pass
from sensenet.passes.infrastructure.selection import LOWERING
from sensenet.signature import Signature

RELU, TANH = (Activation(function=ActivationFunction(name)) for name in ("relu", "tanh"))
DROPOUT = Dropout(kind=DropoutKind.ZERO, rate=0.5)


def chain(*ops, outputs=1) -> Graph:
    """The ops one after the other; the last few values are outputs."""
    x = apply(Input(type=f32(None, 2)), name="x")
    values = [x.value]
    for op in ops:
        values.append(apply(op, values[-1]).value)
    return Graph.create([x], {f"y{n}": v for n, v in enumerate(values[-outputs:])}, Signature())


def flip_functions(node, uses):
    """Replaces relu by tanh and tanh by relu: never done."""
    if not isinstance(node.op, Activation):
        return None
    return apply(TANH if node.op == RELU else RELU, *node.inputs, name=node.name).value


def grow_forever(node, uses):
    """Puts one more activation before each."""
    if not isinstance(node.op, Activation):
        return None
    return apply(RELU, apply(TANH, *node.inputs).value, name=node.name).value


def relu_to_tanh(node, uses):
    return apply(TANH, *node.inputs, name=node.name).value if node.op == RELU else None


@pytest.mark.parametrize("rule", [flip_functions, grow_forever])
def test_a_looping_rule_is_named(rule):
    with pytest.raises(PassError, match=f"rule {rule.__name__} does not terminate .*node 'activation"):
        rewriting_pass("loop", rule).run(chain(RELU))


def fail_at_tanh(node, uses):
    return node.inputs[1] if node.op == TANH else None


def test_a_failing_rule_is_named_with_its_node():
    with pytest.raises(PassError, match="rule fail_at_tanh failed at node 'activation_2': tuple index"):
        rewriting_pass("failing", fail_at_tanh).run(chain(RELU, TANH))


@pytest.mark.parametrize("limit", [0, 1, 2, 3, None])
def test_rules_stop_at_a_limit(limit):
    heard = []
    graph = chain(RELU, TANH, RELU, RELU)
    after = apply_rules(graph, [relu_to_tanh], limit=limit, observe=heard.append)
    names = ["activation", "activation_3", "activation_4"][:limit]
    assert [(rewrite.number, rewrite.rule, rewrite.node) for rewrite in heard] == [
        (number, "relu_to_tanh", name) for number, name in enumerate(names, start=1)
    ]
    assert [node.op for node in after.nodes].count(RELU) == 3 - len(names)
    assert (after is graph) is (limit == 0)


def test_a_pass_of_rules_has_them():
    assert rewriting_pass("both", relu_to_tanh, flip_functions).rules == (relu_to_tanh, flip_functions)


def test_a_looping_rule_is_named_with_its_pass():
    with pytest.raises(
        PassError, match=r"the pass loop failed: the rule flip_functions .*before it: harmless"
    ):
        run_passes(chain(RELU), (rewriting_pass("harmless"), rewriting_pass("loop", flip_functions)))


def test_rules_see_what_others_made_of_their_inputs():
    graph = rewriting_pass("both", relu_to_tanh).run(chain(RELU, RELU, DROPOUT, RELU))
    assert [node.op for node in graph.nodes[1:]] == [TANH, TANH, DROPOUT, TANH]
    assert [node.name for node in graph.nodes] == [
        "x",
        "activation",
        "activation_2",
        "dropout",
        "activation_3",
    ]


def test_nothing_to_do_gives_the_same_graph():
    graph = chain(TANH)
    assert rewriting_pass("none", relu_to_tanh).run(graph) is graph
    for level, passes in PIPELINES.items():
        after, records = run_passes(graph, passes)
        assert after is graph, level
        assert not any(record.changed for record in records)


def test_what_no_output_reaches_is_dead():
    """There is no pass for it: whoever builds a graph, or rewrites one, leaves dead nodes behind."""
    x = apply(Input(type=f32(None, 2)), name="x")
    used, dead = apply(RELU, x.value, name="used"), apply(TANH, x.value, name="dead")
    graph = Graph.create([x], {"y": used.value}, Signature())
    assert dead not in graph.nodes
    bypassed = ALL_PASSES["remove-identities"].run(chain(DROPOUT, RELU, DROPOUT))
    assert [node.op for node in bypassed.nodes[1:]] == [RELU]


def test_uses_count_nodes_and_outputs():
    graph = chain(RELU, TANH, outputs=2)
    x, relu, tanh = (node.value for node in graph.nodes)
    uses = Uses(graph)
    assert uses.only(x)
    assert not uses.only(relu)  # read, and an output
    assert uses.only(tanh)
    assert uses.only_by(x, lambda node: node.op == RELU)
    assert not uses.only_by(x, lambda node: node.op == TANH)
    assert not uses.only_by(relu, lambda node: True)


def test_uses_of_a_value_made_in_a_rewrite_are_unknown_until_it_takes_a_place():
    graph = chain(RELU, TANH)
    relu = graph.nodes[1].value
    made = apply(TANH, graph.nodes[0].value).value
    uses = Uses(graph)
    assert not uses.only(made)
    assert not uses.only_by(made, lambda node: True)
    uses.replaced(relu, made)
    assert uses.only(made)
    assert uses.only_by(made, lambda node: node.op == TANH)
    uses.replaced(graph.nodes[2].value, made)
    assert not uses.only(made)
    assert not uses.only_by(made, lambda node: True)  # it is an output now


def raising(error):
    def run(graph):
        raise error

    return Pass(name="broken", run=run)


@pytest.mark.parametrize(
    "error", [ValueError("odd"), KeyError("odd"), AssertionError("odd"), VerifyError("odd"), TypeError("odd")]
)
def test_a_failure_names_the_pass_and_those_before(error):
    with pytest.raises(PassError, match=r"pass broken failed: '?odd'? \(passes before it: a, b\)") as caught:
        run_passes(chain(RELU), (rewriting_pass("a"), rewriting_pass("b", relu_to_tanh), raising(error)))
    assert caught.value.__cause__ is error


def test_an_op_that_a_target_lacks_is_no_fault_of_a_pass():
    with pytest.raises(UnsupportedOpError, match=r"^odd$"):
        run_passes(chain(RELU), (raising(UnsupportedOpError("odd")),))


def test_an_interrupt_comes_through():
    with pytest.raises(KeyboardInterrupt):
        run_passes(chain(RELU), (raising(KeyboardInterrupt()),))


def test_an_invalid_graph_is_refused_before_the_first_pass():
    graph = chain(RELU)
    bad = evolve(graph.nodes[1], types=(f32(None, 3),))
    with pytest.raises(VerifyError, match="infers"):
        run_passes(Graph.create(graph.inputs, {"y0": bad.value}, graph.signature), ())


def test_an_invalid_graph_is_the_fault_of_the_pass_that_leaves_it():
    def break_types(graph):
        bad = evolve(graph.nodes[1], types=(f32(None, 3),))
        return Graph.create(graph.inputs, {"y0": bad.value}, graph.signature)

    with pytest.raises(PassError, match="pass break-types failed: the op infers"):
        run_passes(chain(RELU), (Pass(name="break-types", run=break_types),))


CHANGES = {
    "output name": lambda g: Graph.create(g.inputs, {"z": g.outputs["y0"]}, g.signature),
    "output type": lambda g: Graph.create(g.inputs, {"y0": _layer(g.outputs["y0"])}, g.signature),
    "signature": lambda g: Graph.create(g.inputs, g.outputs, Signature(name="other")),
    "inputs": lambda g: Graph.create(
        [*g.inputs, apply(Input(type=f32(1)), name="z")], g.outputs, g.signature
    ),
}


def _layer(x):
    return apply(Dense(kernel=Tensor.float32(np.ones((2, 3)))), x).value


@pytest.mark.parametrize("change", CHANGES)
def test_a_pass_may_not_change_the_interface(change):
    with pytest.raises(PassError, match=r"pass rude failed: it changed the graph's inputs, outputs or sig"):
        run_passes(chain(RELU), (Pass(name="rude", run=CHANGES[change]),))


def test_the_observer_hears_of_every_pass():
    heard: list[tuple[str, list[object]]] = []

    def observe(name: str, graph: Graph) -> None:
        heard.append((name, [node.op for node in graph.nodes[1:]]))

    passes = (rewriting_pass("a", relu_to_tanh), rewriting_pass("b"))
    _, records = run_passes(chain(RELU, DROPOUT), passes, observe)
    assert heard == [("a", [TANH, DROPOUT]), ("b", [TANH, DROPOUT])]
    assert [(r.name, r.changed, r.nodes_before, r.nodes_after) for r in records] == [
        ("a", True, 3, 3),
        ("b", False, 3, 3),
    ]
    assert all(record.seconds >= 0 for record in records)


def test_networks_deeper_than_the_recursion_limit():
    rng = np.random.default_rng(0)
    depth = 3 * sys.getrecursionlimit()
    layer = Dense(kernel=Tensor.float32(0.5 * rng.normal(size=(2, 2))))
    graph = chain(*(op for _ in range(depth // 3) for op in (layer, DROPOUT, TANH)))
    x = {"x": rng.normal(size=(3, 2)).astype(np.float32)}
    for passes in PIPELINES.values():
        after, _ = run_passes(graph, passes)
        np.testing.assert_allclose(evaluate(after, x)["y0"], evaluate(graph, x)["y0"], atol=1e-6)
    assert len(after.nodes) == depth // 3 + 1


def test_sums_of_one_value_have_two_uses():
    x = apply(Input(type=f32(None, 2)), name="x")
    twice = apply(Add(), x.value, x.value, name="twice")
    uses = Uses(Graph.create([x], {"y": twice.value}, Signature()))
    assert not uses.only(x.value)
    assert uses.only(x.value, 2)
    assert not uses.only(x.value, 3)


@pytest.mark.parametrize("name", PASSES)
def test_each_pass_says_what_it_does_and_when_it_must_not(name):
    """The file of a pass begins with its name, and shows graphs before and after."""
    room = "sensenet.passes.lowering" if name in LOWERING else "sensenet.passes"
    module = sys.modules[f"{room}.{name.replace('-', '_')}"]
    text = inspect.getdoc(module)
    assert text.startswith(f"{name}: ")
    assert "\n    %" in text
    assert "becomes" in text or "prints the same" in text
    assert "Valid" in text
    assert len(inspect.getsource(module).splitlines()) <= 150


def test_pipelines_hold_each_pass_once():
    for level, passes in PIPELINES.items():
        names = [current.name for current in passes]
        assert len(set(names)) == len(names), level
    assert PIPELINES[0] == ()
    assert list(PIPELINES) == [0, 1, 2]
    assert {current.name for passes in PIPELINES.values() for current in passes} == set(ALL_PASSES)


def test_the_passes_that_always_run_last_have_these_names():
    assert [current.name for current in lowering_passes(get_target("tflite"))] == list(LOWERING)


def test_nodes_keep_their_names():
    graph = chain(Dense(kernel=Tensor.float32(np.eye(2))), RELU)
    after, _ = run_passes(graph, PIPELINES[2])
    assert [node.name for node in after.nodes] == ["x", "activation"]
    assert isinstance(after.nodes[1], Node)
