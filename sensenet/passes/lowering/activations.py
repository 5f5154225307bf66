"""Lowering rules for activations; the pass legalize uses them.

    %1 = dense(%0) {kernel=…, bias=…, activation=softsign}
becomes, for a target whose layers have no such activation,
    %2 = dense(%0) {kernel=…, bias=…, activation=linear}
    %1 = activation(%2) {function=softsign}
and that, for a target that has no such op,
    %1 = divide(%2, add(absolute(%2), 1))

The formulas are those of `sensenet.ir.activation`, in forms that do not overflow, in ops that every target
has:

| function | formula | differs from the op by |
|---|---|---|
| leaky_relu | max(0.1·x, x) | nothing |
| softsign | x / (1 + abs(x)) | nothing |
| sigmoid | sigmoid(min(max(x, -100), 100)), if x may be so large that the target's own is NaN | nothing |
| swish | x · sigmoid(x) | nothing |
| exponential | x if it is NaN, else e^x: XNNPACK's e^NaN is 0 | nothing |
| selu | scale · (relu(x) + alpha · elu(-relu(-x))) | nothing |
| mish | x · w / (w + 2), w = n·(n + 2), n = e^min(x, 20) | rounding |
| softplus | relu(x) + ln(1 + e^-abs(x)) | rounding: 1e-7, where ln(1 + …) is near 0 |
| gelu | x · (1 - q if x > 0, else q), q = t · p(t) · e^(-x²/2), t = 1 / (1 + 0.2316419·abs(x)) | 3e-7 |
| hard_sigmoid | relu6(1.2·x + 3) / 6, which keeps NaN where TFLite's minimum may lose it | rounding |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve

from sensenet.ir.activation import LEAKY_RELU_SLOPE, SELU_ALPHA, SELU_SCALE, ActivationFunction
from sensenet.ir.graph import Node, Value, apply
from sensenet.ir.ops.arithmetic import (
    Add,
    Divide,
    Equal,
    Greater,
    Maximum,
    Minimum,
    Multiply,
    Select,
    Subtract,
)
from sensenet.ir.ops.dense import Activation
from sensenet.ir.ops.elementwise import Absolute, Exp, Log, Negate
from sensenet.passes.analysis.linear_layers import LINEAR_LAYERS
from sensenet.passes.infrastructure.rules import Uses
from sensenet.passes.lowering.node_builder import NodeBuilder, named

ALMOST_ONE = 20.0
"""From here on tanh(softplus(x)) is 1 in float32."""

LARGE = 100.0
"""From here on sigmoid(x) is 1 in float32, and sigmoid(-x) is less than its smallest normal number."""

TAIL_SCALE = 0.2316419
TAIL = (0.127414796, -0.142248368, 0.710706870, -0.726576013, 0.530702714)
"""Scale and coefficients of t, t², …: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.2.17.
They approximate the tail of the normal distribution from x ≥ 0 on; the error is at most 7.5e-8."""

RELU, RELU6, ELU, SIGMOID = (
    Activation(function=function)
    for function in (
        ActivationFunction.RELU,
        ActivationFunction.RELU6,
        ActivationFunction.ELU,
        ActivationFunction.SIGMOID,
    )
)


Build = Callable[..., Any]
"""`build(op, *operands)` applies an op to values and numbers, as a `NodeBuilder` does."""


def split_activation(node: Node, _: Uses) -> Value | None:
    """Return the layer without its activation, followed by the activation as an op."""
    op = node.op
    if not isinstance(op, LINEAR_LAYERS) or op.activation is ActivationFunction.LINEAR:
        return None
    layer = evolve(op, activation=ActivationFunction.LINEAR)
    linear = apply(layer, *node.inputs, name=f"{node.name}.0").value
    return apply(Activation(function=op.activation), linear, name=node.name).value


def lower_activation(node: Node, _: Uses) -> Value | None:
    """Return a function of several ops as arithmetic; the input for a linear one."""
    if not isinstance(node.op, Activation):
        return None
    (x,) = node.inputs
    if node.op.function is ActivationFunction.LINEAR:
        return x
    formula = FORMULAS.get(node.op.function)
    return None if formula is None else named(formula(NodeBuilder(node.name), x), node.name)


def _leaky_relu(build: Build, x: Any) -> Any:
    return build(Maximum(), build(Multiply(), x, LEAKY_RELU_SLOPE), x)


def _mish(build: Build, x: Any) -> Any:
    n = build(Exp(), build(Minimum(), x, ALMOST_ONE))
    w = build(Multiply(), n, build(Add(), n, 2.0))
    return build(Multiply(), x, build(Divide(), w, build(Add(), w, 2.0)))


def _softplus(build: Build, x: Any) -> Any:
    small = build(Exp(), build(Negate(), build(Absolute(), x)))
    return build(Add(), build(RELU, x), build(Log(), build(Add(), small, 1.0)))


def _softsign(build: Build, x: Any) -> Any:
    return build(Divide(), x, build(Add(), build(Absolute(), x), 1.0))


def _selu(build: Build, x: Any) -> Any:
    negative = build(ELU, build(Negate(), build(RELU, build(Negate(), x))))
    return build(
        Multiply(), build(Add(), build(RELU, x), build(Multiply(), negative, SELU_ALPHA)), SELU_SCALE
    )


def _swish(build: Build, x: Any) -> Any:
    return build(Multiply(), x, build(SIGMOID, x))


def _bounded_sigmoid(build: Build, x: Any) -> Any:
    return build(SIGMOID, build(Minimum(), build(Maximum(), x, -LARGE), LARGE))


def _exponential(build: Build, x: Any) -> Any:
    return build(Select(), build(Equal(), x, x), build(Exp(), x), x)


def _gelu(build: Build, x: Any) -> Any:
    distance = build(Absolute(), x)
    t = build(Divide(), 1.0, build(Add(), build(Multiply(), distance, TAIL_SCALE), 1.0))
    *coefficients, polynomial = TAIL
    for coefficient in reversed(coefficients):
        polynomial = build(Add(), build(Multiply(), polynomial, t), coefficient)
    density = build(Exp(), build(Multiply(), build(Multiply(), distance, distance), -0.5))
    tail = build(Multiply(), build(Multiply(), polynomial, t), density)
    share = build(Select(), build(Greater(), x, 0.0), build(Subtract(), 1.0, tail), tail)
    return build(Multiply(), x, share)


def _hard_sigmoid(build: Build, x: Any) -> Any:
    return build(Multiply(), build(RELU6, build(Add(), build(Multiply(), x, 1.2), 3.0)), 1.0 / 6.0)


FORMULAS: Mapping[ActivationFunction, Callable[[Build, Any], Any]] = {
    ActivationFunction.LEAKY_RELU: _leaky_relu,
    ActivationFunction.MISH: _mish,
    ActivationFunction.SOFTPLUS: _softplus,
    ActivationFunction.SOFTSIGN: _softsign,
    ActivationFunction.SELU: _selu,
    ActivationFunction.SWISH: _swish,
    ActivationFunction.SIGMOID: _bounded_sigmoid,
    ActivationFunction.EXPONENTIAL: _exponential,
    ActivationFunction.HARD_SIGMOID: _hard_sigmoid,
    ActivationFunction.GELU: _gelu,
}
"""The functions that are lowered to several ops, for each target that has no op of that name."""
