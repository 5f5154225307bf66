"""The style of random graphs that are as documents with columns of numbers and categories are imported."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Graph, Node, Value, apply
from sensenet.ir.ops.arithmetic import Add, Average
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.dense import Activation, BatchNormalization, Dense, Dropout, DropoutKind
from sensenet.ir.ops.rearrangement import Concatenate, Gather, Slice
from sensenet.ir.ops.tabular import Destandardize, OneHot, Standardize
from sensenet.ir.types import Array, Tensor, f32
from sensenet.signature import NUMERIC_INPUT, Signature
from support.forests import make_forest, random_tree
from support.graphs.growing import Choices, width_of

STEPS = ("dense", "activation", "normalization", "dropout", "residual", "cyclic", "part", "branch")


class LayerBuilder(Choices):
    """Builds one graph; choices of structure are drawn, numbers are random."""

    def __init__(self, draw: st.DrawFn) -> None:
        super().__init__(draw)
        self.rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def normal(self, *shape: int, scale: float = 1.0) -> Tensor:
        return Tensor.float32(scale * self.rng.normal(size=shape))

    def columns(self) -> tuple[Node, Value]:
        """The input and the features."""
        numbers, depths = self.count(1, 5), self.draw(st.lists(st.integers(1, 4), max_size=2))
        total = numbers + len(depths)
        order = self.rng.permutation(total)
        x = apply(Input(type=f32(None, total)), name=NUMERIC_INPUT)
        stdev = np.exp(self.rng.normal(size=numbers))
        stdev *= self.rng.choice([1, -1], size=numbers) if self.count(0, 5) == 0 else 1
        mean = stdev * self.rng.normal(size=numbers) * self.draw(st.sampled_from([0.0, 1.0, 1000.0]))
        op = Standardize(mean=Tensor.float32(mean), stdev=Tensor.float32(stdev))
        parts = [self.apply(op, self.gather(x.value, np.sort(order[:numbers])))]
        if depths:
            categories = np.sort(order[numbers:])
            parts.append(self.apply(OneHot(depths=tuple(depths)), self.gather(x.value, categories)))
        features = self.apply(Concatenate(), *parts) if len(parts) > 1 else parts[0]
        if self.flip():
            features = self.gather(features, self.rng.permutation(width_of(features)))
        return x, features

    def apply(self, op, *inputs: Value) -> Value:
        return apply(op, *inputs).value

    def gather(self, x: Value, indices: Array) -> Value:
        return self.apply(Gather(indices=Tensor.int32(indices)), x)

    def forests(self, features: Value) -> Value:
        outputs = self.count(1, 2)
        found = []
        for _ in range(self.count(1, 3)):
            start = int(self.rng.integers(width_of(features)))
            stop = int(self.rng.integers(start + 1, width_of(features) + 1))
            part = self.apply(Slice(start=start, stop=stop), features)
            trees = [random_tree(self.rng, self.count(1, 6), stop - start, outputs) for _ in "ab"]
            found.append(self.apply(make_forest(trees), part))
        return self.apply(Concatenate(), *found, features)

    def network(self, x: Value) -> Value:
        values = self.grow([x], STEPS, (1, 6), lambda step, values: (self.step(step, values),))
        return self.dense(values[-1], 2, ActivationFunction.LINEAR)

    def equal_networks(self, x: Value) -> list[Value]:
        """The answers of networks of one shape; wide ones too, whose layers are too large to be joined."""
        hidden = self.draw(st.lists(st.sampled_from([1, 3, 50]), min_size=1, max_size=2))
        functions = [*(self.function() for _ in hidden), self.function()]
        answers = []
        for _ in range(self.count(2, 4)):
            value = x
            for units, function in zip((*hidden, 2), functions, strict=True):
                value = self.dense(value, units, function)
            answers.append(value)
        return answers

    def step(self, step: str, values: list[Value]) -> Value:
        x = values[-1]
        size = width_of(x)
        match step:
            case "dense":
                return self.dense(x, self.count(1, 6), self.function())
            case "activation":
                return self.apply(Activation(function=self.function()), x)
            case "normalization":
                return self.apply(self.normalization(size), x)
            case "dropout":
                return self.apply(Dropout(kind=DropoutKind.ZERO, rate=0.5), x)
            case "residual":
                return self.apply(Add(), self.dense(x, size, self.function()), x)
            case "cyclic":
                return self.gather(x, np.arange(self.count(1, 6)) % size)
            case "part":
                return self.apply(Slice(start=0, stop=max(1, size - 1)), x)
        return self.apply(
            Concatenate(), *self.draw(st.lists(st.sampled_from(values), min_size=1, max_size=2)), x
        )

    def function(self) -> ActivationFunction:
        """Functions that make no number larger."""
        names = ("linear", "relu", "tanh", "sigmoid", "softmax", "softsign", "leaky_relu")
        return ActivationFunction(self.draw(st.sampled_from(names)))

    def dense(self, x: Value, units: int, activation: ActivationFunction) -> Value:
        kernel = self.normal(width_of(x), units, scale=1 / np.sqrt(width_of(x)))
        bias = self.normal(units, scale=0.3) if self.flip() else None
        return self.apply(Dense(kernel=kernel, bias=bias, activation=activation), x)

    def normalization(self, size: int) -> BatchNormalization:
        return BatchNormalization(
            gamma=self.normal(size),
            beta=self.normal(size, scale=0.3),
            mean=self.normal(size),
            variance=Tensor.float32(self.rng.uniform(0.5, 2, size=size)),
        )


def like_tables(draw: st.DrawFn) -> Graph:
    """A graph like a document's: one or more networks, with or without trees."""
    builder = LayerBuilder(draw)
    x, features = builder.columns()
    answers = []
    for _ in range(builder.count(1, 2)):
        answer = builder.network(builder.forests(features) if builder.flip() else features)
        if builder.flip():
            answer = builder.apply(
                Destandardize(mean=builder.normal(scale=5), stdev=Tensor.float32(2.5)), answer
            )
        answers.append(answer)
    if builder.flip():
        answers = [*builder.equal_networks(features), *(answers if builder.flip() else ())]
    outputs = {"predictions": builder.apply(Average(), *answers)}
    if builder.flip():
        outputs["features"] = features
    return Graph.create([x], outputs, Signature())
