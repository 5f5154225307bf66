"""Builds the functional `tf.keras.Model` of a graph."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from sensenet.backends.keras.activation import KERAS_3_ACTIVATIONS, is_formula
from sensenet.backends.keras.layers import LayerClasses, make_layer_classes, op_config
from sensenet.backends.keras.stock import express, make_stock_layer
from sensenet.backends.keras.table import LAYER_BUILDERS
from sensenet.backends.optional import import_tensorflow
from sensenet.backends.recursion import deep_recursion
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Graph, Node, Value
from sensenet.ir.op import Op
from sensenet.ir.ops import core
from sensenet.ir.ops.dense import Activation
from sensenet.ir.sharing import Part
from sensenet.ir.types import Array, Tensor
from sensenet.records import frozen


@frozen(kw_only=True)
class BuildOptions:
    """How a model is built; saved files contain this, to build the model again.

    `level` is the level of optimization. With `share_weights`, nodes that share only weights become one
    layer, like nodes that share a layer (see `sensenet.ir.sharing`). With `stock`, ops without a layer become
    operations of Keras 3 (see `stock`); files of earlier releases lack this member and have no operations.
    """

    level: int
    share_weights: bool
    stock: bool = False


@frozen(kw_only=True, eq=False)
class BuiltModel:
    """A `tf.keras.Model`; `weighted` has the name of the layer with each node's weights, by node name."""

    model: Any
    weighted: Mapping[str, str]


def build_model(graph: Graph, options: BuildOptions) -> BuiltModel:
    """Return the graph as a `tf.keras.Model`; raises MissingPackageError if TensorFlow is not installed."""
    tf = import_tensorflow("the target keras")
    return _Builder(tf, graph, options).build()


class _Builder:
    """Applies one layer after another to symbolic tensors; constant values stay arrays."""

    def __init__(self, tf: Any, graph: Graph, options: BuildOptions) -> None:
        self.keras, self.graph, self.options = tf.keras, graph, options
        self.classes: LayerClasses = make_layer_classes()
        self.names: set[str] = set()
        self.tensors: dict[Value, Any] = {}
        self.constants: dict[Value, Array] = {}
        self.layers: dict[object, Any] = {}
        self.weighted: dict[str, str] = {}

    def build(self) -> BuiltModel:
        inputs = {node.name: self.add_input(node) for node in self.graph.inputs}
        for node in self.graph.nodes:
            if isinstance(node.op, core.Input):
                continue
            if all(value in self.constants for value in node.inputs):
                self.fold(node)
            else:
                self.add_node(node)
        results = {name: self.output(value) for name, value in self.graph.outputs.items()}
        first, *_ = results
        signature = json.dumps(self.graph.signature.to_json(), ensure_ascii=False)
        carrier = self.classes.signature(
            signature=signature,
            outputs=list(results),
            making=attrs.asdict(self.options),
            name=self.unique(first),
        )
        results[first] = carrier(results[first])
        with deep_recursion(len(self.graph.nodes)):
            model = self.keras.Model(
                inputs=inputs if len(inputs) > 1 else next(iter(inputs.values())),
                outputs=results if len(results) > 1 else results[first],
                name=self.graph.signature.kind.value,
            )
        return BuiltModel(model=model, weighted=self.weighted)

    def add_input(self, node: Node) -> Any:
        declared = node.types[0]
        tensor = self.keras.Input(
            declared.shape[1:], name=self.unique(node.name), dtype=declared.dtype.numpy.name
        )
        self.tensors[node.value] = tensor
        return tensor

    def fold(self, node: Node) -> None:
        """Evaluate a node whose inputs are all constant: it cannot be a Keras layer."""
        with np.errstate(all="ignore"):
            results = node.op.evaluate(*(self.constants[value] for value in node.inputs))
        results = results if isinstance(results, tuple) else (results,)
        self.constants.update(zip(node.values, results, strict=True))

    def add_node(self, node: Node) -> None:
        """Apply the Keras layer of the node's op, or an op layer if Keras has no equivalent one.

        Nodes that share a layer become one layer.
        """
        tensors = [self.tensors[value] for value in node.inputs if value not in self.constants]
        key = self.identity(node)
        if key in self.layers:
            results: Sequence[Any] = self.activate(node, [self.layers[key](_one_or_list(tensors))])
        else:
            results = self.add_layer(node, tensors, self.unique(node.name))
        if key in self.layers:
            self.weighted[node.name] = self.layers[key].name
        self.tensors.update(zip(node.values, results, strict=True))

    def identity(self, node: Node) -> object:
        """Return a key that is equal for nodes that become one layer."""
        shares = node.shares
        shared = shares is not None and (shares.part is Part.LAYER or self.options.share_weights)
        return shares if shared else node

    def add_layer(self, node: Node, tensors: Sequence[Any], name: str) -> Sequence[Any]:
        """Return the results of a new layer."""
        builder = LAYER_BUILDERS.get(type(node.op)) if len(tensors) == len(node.inputs) else None
        op = _without_activation(node.op) if self.apart(node) else node.op
        built = builder(self.keras.layers, op, node, name) if builder else None
        if built is None:
            operands = [self.constants.get(value) for value in node.inputs]
            return self.add_operations(node.op, operands, tensors, name)
        function = getattr(op, "activation", ActivationFunction.LINEAR)
        if self.options.stock and function in KERAS_3_ACTIVATIONS:
            built.layer.activation = self.keras.activations.get(function.value)
        results = [built.layer(_one_or_list(tensors))]
        built.layer.set_weights(list(built.weights))
        if built.weights:
            self.layers[self.identity(node)] = built.layer
        return self.activate(node, results)

    def apart(self, node: Node) -> bool:
        """Return whether a layer's activation comes after the layer, as operations.

        Not at level 0: h5 files are matched with layers by depth.
        """
        function = getattr(node.op, "activation", None)
        return self.options.stock and self.options.level > 0 and is_formula(function)

    def activate(self, node: Node, results: Sequence[Any]) -> Sequence[Any]:
        """Return the results of a layer, activated if its activation comes after it."""
        if not self.apart(node):
            return results
        activation = Activation(function=node.op.activation)  # type: ignore[attr-defined]
        return self.add_operations(activation, [None], results, self.unique(f"{node.name}_activation"))

    def add_operations(
        self, op: Op, operands: Sequence[Array | None], tensors: Sequence[Any], name: str
    ) -> Sequence[Any]:
        """Return the results of a layer of Keras operations, or of an op layer if Keras lacks them."""
        if self.options.stock:
            inputs = [
                self.keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=f"input_{number}")
                for number, tensor in enumerate(tensors, 1)
            ]
            given = iter(inputs)
            expressed = express(op, [next(given) if array is None else array for array in operands])
            if expressed is not None:
                layer = make_stock_layer(self.keras, expressed, inputs, name)
                return [layer(_one_or_list(tensors))]
        return self.add_op(op, operands, tensors, name)

    def add_op(
        self, op: Op, operands: Sequence[Array | None], tensors: Sequence[Any], name: str
    ) -> Sequence[Any]:
        """Return the results of an op layer."""
        constants = [None if array is None else core.Constant(value=Tensor(array)) for array in operands]
        results = self.classes.op(**op_config(op, constants), name=name)(_one_or_list(tensors))
        return results if isinstance(results, list | tuple) else [results]

    def output(self, value: Value) -> Any:
        """Return the tensor of an output; a constant depends on the first input, as Keras requires."""
        if value not in self.constants:
            return self.tensors[value]
        anything = self.tensors[self.graph.inputs[0].value]
        constant = core.Constant(value=Tensor(self.constants[value]))
        return self.add_op(constant, [], [anything], self.unique(value.node.name))[0]

    def unique(self, name: str) -> str:
        """Return an unused name for a layer, without a leading underscore, which TensorFlow rejects."""
        base = name if not name.startswith("_") else f"node{name}"
        name, count = base, 1
        while name in self.names:
            count += 1
            name = f"{base}_{count}"
        self.names.add(name)
        return name


def _one_or_list(tensors: Sequence[Any]) -> Any:
    """Return the argument of a layer: a tensor, or a list of several."""
    return list(tensors) if len(tensors) > 1 else tensors[0]


def _without_activation(op: Any) -> Any:
    return attrs.evolve(op, activation=ActivationFunction.LINEAR)
