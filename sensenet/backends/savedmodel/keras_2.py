"""Makes the Keras 2 model that a SavedModel contains, which the published package opens.

`tf.keras.models.load_model` of Keras 2 opens such a directory without any of sensenet's classes: it is a
functional model of the inputs and a single layer, which is restored from its saved function. Inputs have the
names, shapes and dtypes of the graph's inputs. The model returns the tensor of the graph's output, or a tuple
of them. A detector's are in the order of the published package, and without the rows after the valid boxes,
unless the settings ask for padded or unfiltered boxes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sensenet.backends.tensorflow import Variables
from sensenet.ir.graph import Graph, Node
from sensenet.optional_packages import import_package
from sensenet.signature import DETECTOR_OUTPUTS, VALID, ModelKind, Signature

LAYER = "network"


def make_keras_model(tf: Any, graph: Graph, function: Any, variables: Variables) -> Any:
    """Return the `tf_keras.Model` that calls the `tf.function` of a graph, which reads these variables.

    Raises MissingPackageError if Keras 2 is not installed.
    """
    keras = import_package("tf_keras", "tensorflow", "the target savedmodel")

    class Network(keras.layers.Layer):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__(name=LAYER, trainable=False, autocast=False)
            self.function = function
            self.kept = list(variables.by_digest.values())

        def call(self, inputs: Any) -> Any:
            tensors = inputs if isinstance(inputs, list) else [inputs]
            return _answer(tf, graph.signature, self.function(*tensors))

    inputs = {node.name: _make_input(keras, node) for node in graph.inputs}
    first, *others = inputs.values()
    answer = Network()([first, *others] if others else first)
    return keras.Model(inputs if others else first, answer, name=graph.signature.kind.value, trainable=False)


def _make_input(keras: Any, node: Node) -> Any:
    (declared,) = node.types
    return keras.Input(batch_shape=declared.shape, name=node.name, dtype=declared.dtype.numpy.name)


def _answer(tf: Any, signature: Signature, outputs: Mapping[str, Any]) -> Any:
    """Return the layer's result for the graph's outputs."""
    if signature.kind is ModelKind.DETECTOR:
        outputs = _arrange(tf, signature, outputs)
    results = tuple(outputs.values())
    return results if len(results) > 1 else results[0]


def _arrange(tf: Any, signature: Signature, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a detector's outputs in order; without `valid` if only the valid boxes are wanted."""
    ordered = {name: outputs[name] for name in DETECTOR_OUTPUTS if name in outputs}
    if VALID not in ordered or signature.settings.get("pad_bounding_box_output"):
        return ordered
    valid = ordered.pop(VALID)
    count = tf.reduce_max(valid)
    return {name: tensor[:, :count] for name, tensor in ordered.items()}
