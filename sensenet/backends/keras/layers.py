"""Sensenet's own Keras layers: for ops that Keras has no layer for, block dropout and the signature.

They derive from `tf.keras` layers, so they can only exist after TensorFlow is imported: `make_layer_classes`
creates them, and registers them with Keras, which needs them to load a saved model.
"""

from __future__ import annotations

import base64
import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from sensenet.backends.keras.forests import walk_forests
from sensenet.backends.optional import import_tensorflow
from sensenet.backends.tensorflow import EMIT as SHARED
from sensenet.backends.tensorflow import LEGAL as SHARED_LEGAL
from sensenet.backends.tensorflow import Table, emit_lowered
from sensenet.errors import ArtifactError, TextFormError
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.legality import Legal
from sensenet.ir.op import Op
from sensenet.ir.ops.dense import Activation
from sensenet.ir.ops.tabular import Forest
from sensenet.ir.parser import parse_op
from sensenet.ir.printer import op_weights, print_attributes
from sensenet.ir.types import Array
from sensenet.records import frozen

PACKAGE = "sensenet"
"""The package under which the layers are registered with Keras: `sensenet>OpLayer`."""

LAYER_MODULE = "sensenet.backends.keras.layers"
"""The module of the layers in saved files."""

EMIT: Table = {**SHARED, Forest: walk_forests}
EMITTED: Legal = {**SHARED_LEGAL, Forest: True}
"""The ops that an `OpLayer` can compute, and their emit functions."""


stored_shapes: ContextVar[Counter[tuple[int, ...]]] = ContextVar("stored_shapes")
"""The number of unused weights of each shape in the file being opened."""


@frozen(kw_only=True)
class LayerClasses:
    """The layer classes, and Keras functions for all activation functions."""

    op: Any
    block_dropout: Any
    batch_normalization: Any
    signature: Any
    activations: Mapping[ActivationFunction, Any]


@functools.cache
def make_layer_classes() -> LayerClasses:
    """Return the layer classes; raises MissingPackageError if TensorFlow is not installed."""
    tf = import_tensorflow("the target keras")
    Layer: Any = tf.keras.layers.Layer  # noqa: N806
    register = tf.keras.utils.register_keras_serializable(package=PACKAGE)
    without_autograph: Any = tf.autograph.experimental.do_not_convert

    @register
    class OpLayer(Layer):  # type: ignore[misc]
        """Any op of the IR, computed by TensorFlow ops.

        `operands` are the op's inputs: a constant in text form, or None for the next of the layer's inputs.
        Surplus inputs of the layer are ignored, so that a constant can depend on a model's input.
        """

        def __init__(
            self, op: str, operands: Sequence[str | None], weights: Mapping[str, Any], **settings: Any
        ) -> None:
            super().__init__(trainable=False, dtype="float32", **_without(settings, "trainable", "dtype"))
            arrays = {digest: _decode(array) for digest, array in weights.items()}
            try:
                self.op = parse_op(op, arrays)
                self.operands = [None if text is None else parse_op(text, arrays) for text in operands]
            except TextFormError as error:
                raise ArtifactError(f"the op of the layer {self.name} is invalid: {error}") from error

        def call(self, inputs: Any) -> Any:
            return self.run(inputs)

        @without_autograph  # type: ignore[untyped-decorator]
        def run(self, inputs: Any) -> Any:
            """Return the op's result, or a list of them."""
            given = iter(inputs if isinstance(inputs, list | tuple) else [inputs])
            operands = [
                next(given) if operand is None else emit_lowered(tf, operand)[0] for operand in self.operands
            ]
            results = emit_lowered(tf, self.op, *operands, table=EMIT, legal=EMITTED)
            return results[0] if len(results) == 1 else list(results)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), **op_config(self.op, self.operands)}

    @register
    class BlockDropout(Layer):  # type: ignore[misc]
        """DropBlock: in training, square patches of an image are zeroed and the rest is scaled up.

        Images are f32[b, h, w, c]. `rate` is the share of pixels dropped, `block_size` the side of a patch in
        pixels, at most the image's.
        """

        def __init__(self, rate: float, block_size: int, **settings: Any) -> None:
            super().__init__(**settings)
            self.rate, self.block_size = rate, block_size

        def call(self, inputs: Any, training: Any = None) -> Any:
            return self.drop(inputs) if training else inputs

        @without_autograph  # type: ignore[untyped-decorator]
        def drop(self, inputs: Any) -> Any:
            """Return the images with patches zeroed."""
            known = [size for size in inputs.shape[1:3] if size is not None]
            block = min([self.block_size, *known])
            sizes = tf.shape(inputs)[1:3]
            # patches lie inside the image, so pixels near its edges cannot be centers
            first, after = block // 2, sizes - (block - 1) // 2
            rows, columns = tf.range(sizes[0])[:, None, None], tf.range(sizes[1])[None, :, None]
            inside = (rows >= first) & (rows < after[0]) & (columns >= first) & (columns < after[1])
            places = tf.cast(tf.reduce_prod(tf.maximum(sizes - block + 1, 1)), tf.float32)
            share = self.rate * tf.cast(tf.reduce_prod(sizes), tf.float32) / (block**2 * places)
            random = tf.random.uniform(tf.shape(inputs))
            centers = tf.cast((random < share) & inside, tf.float32)
            kept = 1.0 - tf.nn.max_pool2d(centers, block, 1, "SAME")
            scale = tf.cast(tf.size(kept), tf.float32) / tf.maximum(tf.reduce_sum(kept), 1.0)
            return inputs * kept * scale

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "rate": self.rate, "block_size": self.block_size}

    @register
    class SignatureLayer(Layer):  # type: ignore[misc]
        """The identity on the model's first output; its configuration contains the signature.

        `signature` is `Signature.to_json()` as text, `outputs` are the names of the model's outputs, and
        `making` has the attributes of `BuildOptions`: it is the name of that member in saved files.
        """

        def __init__(
            self, signature: str, outputs: Sequence[str], making: Mapping[str, Any], **settings: Any
        ) -> None:
            super().__init__(dtype="float32", **_without(settings, "dtype"))
            self.signature, self.outputs, self.making = signature, list(outputs), making

        def call(self, inputs: Any) -> Any:
            return tf.identity(inputs)

        def get_config(self) -> dict[str, Any]:
            own = {"signature": self.signature, "outputs": self.outputs, "making": dict(self.making)}
            return {**super().get_config(), **own}

    @register
    class UnfusedBatchNormalization(tf.keras.layers.BatchNormalization):  # type: ignore[misc, name-defined]
        """Keras 2's batch normalization without TensorFlow's fused op for images.

        The fused op raises an epsilon below 1.001e-5, and TensorFlow fuses it with some activations after it
        (tanh, mish) into ops that do not exist.
        """

        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings, fused=False)

    @register
    class StoredWeight(tf.keras.initializers.Initializer):  # type: ignore[misc, name-defined]
        """Returns zeros of a shape; raises ArtifactError if the opened file has no unused weight of it."""

        def __call__(self, shape: Sequence[int], dtype: Any = None, **_settings: Any) -> Any:
            remaining, wanted = stored_shapes.get(), tuple(shape)
            if not remaining[wanted]:
                raise ArtifactError(f"a layer needs a weight {list(wanted)}, which the file does not have")
            remaining[wanted] -= 1
            return tf.zeros(wanted, dtype or tf.float32)

        def get_config(self) -> dict[str, Any]:
            return {}

    return LayerClasses(
        op=OpLayer,
        block_dropout=BlockDropout,
        batch_normalization=(
            UnfusedBatchNormalization if keras_major(tf) == "2" else tf.keras.layers.BatchNormalization
        ),
        signature=SignatureLayer,
        activations={function: _make_activation(tf, function) for function in ActivationFunction},
    )


def _make_activation(tf: Any, function: ActivationFunction) -> Any:
    """Return a function for a layer's `activation`, registered with Keras under sensenet's name for it."""
    without_autograph: Any = tf.autograph.experimental.do_not_convert
    op = Activation(function=function)
    applied = without_autograph(lambda x: emit_lowered(tf, op, x)[0])
    applied.__name__ = f"{PACKAGE}_{function.value}"
    return tf.keras.utils.register_keras_serializable(package=PACKAGE)(applied)


def signature_layer(model: Any) -> Any:
    """Return the SignatureLayer of a model, or None if sensenet did not make the model."""
    kind = make_layer_classes().signature
    return next((layer for layer in getattr(model, "layers", ()) if isinstance(layer, kind)), None)


def keras_major(tf: Any) -> str:
    """Return the major version of `tf.keras`: "3", or "2" for tf_keras, whose `tf.keras` has no version."""
    return str(getattr(tf.keras, "__version__", "2")).partition(".")[0]


def op_config(op: Op, operands: Sequence[Op | None]) -> dict[str, Any]:
    """Return an OpLayer's configuration: the text forms of ops, and the tensors that they name."""
    texts = [None if constant is None else _print_op(constant) for constant in operands]
    ops = [op, *(constant for constant in operands if constant is not None)]
    arrays = {digest: array for each in ops for digest, array in op_weights(each).items()}
    weights = {digest: _encode(array) for digest, array in arrays.items()}
    return {"op": _print_op(op), "operands": texts, "weights": weights}


def _print_op(op: Op) -> str:
    return f"{op.mnemonic()} {print_attributes(op)}"


def _encode(array: Array) -> dict[str, Any]:
    """Return an array in JSON."""
    data = base64.b64encode(array.tobytes()).decode()
    return {"dtype": array.dtype.name, "shape": list(array.shape), "data": data}


def _decode(record: Mapping[str, Any]) -> Array:
    data = np.frombuffer(base64.b64decode(record["data"]), np.dtype(record["dtype"]))
    return data.reshape(tuple(record["shape"]))


def _without(settings: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in names}
