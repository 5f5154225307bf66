"""From a graph to a flatbuffer, through TensorFlow's converter."""

from __future__ import annotations

from typing import Any

from sensenet.backends.lowering import Variables, input_signature, make_function
from sensenet.backends.packages import import_tensorflow
from sensenet.backends.quiet import silence
from sensenet.errors import UnsupportedOpError
from sensenet.ir.graph import Graph

LOGGERS = ("tensorflow", "absl")


def convert(graph: Graph) -> bytes:
    """The graph as a TensorFlow Lite model of builtin ops only, without our metadata.

    Inputs and outputs stand in the graph's order. Raises UnsupportedOpError where TensorFlow Lite has no
    builtin ops for it.
    """
    tf = import_tensorflow("the target tflite")
    with silence(*LOGGERS):
        variables = Variables.of(tf, graph)
        function = _ordered_function(tf, graph, variables)
        converter: Any = tf.lite.TFLiteConverter.from_concrete_functions(
            [function.get_concrete_function()], function
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        converter.exclude_conversion_metadata = True  # it would repack the whole model to say how it was made
        try:
            return bytes(converter.convert())
        except Exception as error:  # the converter has no type of its own that is public
            raise UnsupportedOpError(f"TensorFlow Lite cannot express this graph: {error}") from error


def _ordered_function(tf: Any, graph: Graph, variables: Variables) -> Any:
    """The graph as a `tf.function` whose outputs are a list: those of a dict would be sorted by name."""
    function = make_function(tf, graph, variables)

    def predict(*inputs: Any) -> list[Any]:
        results = function(*inputs)
        return [results[name] for name in graph.outputs]

    return tf.function(predict, input_signature=input_signature(tf, graph), autograph=False)
