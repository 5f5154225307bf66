"""Wrong emission and legality tables of targets; data only, as in `mutations`."""

from __future__ import annotations

from mutation.mutation import Mutation

TFLITE = ("tests/backends/test_tflite_emit.py", "tests/backends/test_tflite.py")
TFJS = ("tests/backends/test_tfjs_emit.py",)
TENSORFLOW = ("tests/backends/test_tensorflow_emit.py",)
KERAS = ("tests/backends/test_keras.py",)
WASM = ("tests/backends/test_wasm.py",)

TARGET_MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        name="relu-that-others-miss",
        reason="what reads a sum before its relu gets it after",
        file="sensenet/passes/quantization/operators.py",
        old="return graph.uses[x] == 1 and isinstance(x.op, ABSORBING)",
        new="return isinstance(x.op, ABSORBING)",
        tests=TFLITE,
    ),
    Mutation(
        name="an-axis-that-stays",
        reason="one position of an axis is written as an axis of size 1",
        file="sensenet/backends/tflite/emit.py",
        old="shrinkAxisMask=1 << op.axis",
        new="shrinkAxisMask=0",
        tests=TFLITE,
    ),
    Mutation(
        name="kernels-lying-down",
        reason="the windows of convolutions are mirrored along their diagonal",
        file="sensenet/backends/tflite/layer_operators.py",
        old="op.kernel.array.transpose(3, 0, 1, 2)",
        new="op.kernel.array.transpose(3, 1, 0, 2)",
        tests=TFLITE,
    ),
    Mutation(
        name="sigmoids-of-anything",
        reason="LiteRT's sigmoid of 1e30 is NaN",
        file="sensenet/backends/tflite/sigmoids.py",
        old="return tensor.largest > LARGEST or",
        new="return",
        tests=("tests/backends/test_tflite_sigmoids.py",),
    ),
    Mutation(
        name="zeros-of-either-sign",
        reason="constants are shared that differ in the sign of a zero",
        file="sensenet/backends/tflite/convert.py",
        old="return np.array_equal(first, second)",
        new="return np.array_equal(first << 1, second << 1)",
        tests=TFLITE,
    ),
    Mutation(
        name="images-of-any-size-enlarged",
        reason="an image of unknown size is left to an operator that needs to know it",
        file="sensenet/backends/tflite/emit.py",
        old="convolution.Upsample2D: lambda node: None not in node.inputs[0].type.shape[1:3],",
        new="",
        tests=(*TFLITE, "tests/passes/test_golden.py"),
    ),
    Mutation(
        name="axes-from-the-end",
        reason="the operator that joins tensors gets an axis that counts from the end",
        file="sensenet/backends/tflite/emit.py",
        old='return operator("CONCATENATION", *node.inputs, axis=axis, **{FUSED: "NONE"})',
        new='return operator("CONCATENATION", *node.inputs, axis=axis - 1, **{FUSED: "NONE"})',
        tests=TFLITE,
    ),
    Mutation(
        name="sums-of-three",
        reason="a sum of more than two is taken for one of two",
        file="sensenet/backends/tensorflow/__init__.py",
        old="Add: lambda node: len(node.inputs) == 2,",
        new="",
        tests=TENSORFLOW,
    ),
    Mutation(
        name="products-with-reciprocals",
        reason="TensorFlow's optimizer multiplies by 1 / x, which rounds otherwise than dividing by x",
        file="sensenet/backends/tensorflow/basic.py",
        old="if tf.get_static_value(divisor) is None:",
        new="if divisor is not None:",
        tests=KERAS,
    ),
    Mutation(
        name="another-gelu",
        reason="the approximate gelu is off by up to 5e-4",
        file="sensenet/backends/tensorflow/activation.py",
        old="approximate=False",
        new="approximate=True",
        tests=KERAS,
    ),
    Mutation(
        name="positions-of-the-first-row",
        reason="positions are taken from an axis of rows, not from each row",
        file="sensenet/backends/tensorflow/basic.py",
        old="tf.gather(x, positions, axis=1, batch_dims=1)",
        new="tf.gather(x, positions[0], axis=1)",
        tests=KERAS,
    ),
    Mutation(
        name="images-enlarged-on-their-side",
        reason="the height is multiplied by the factor of the width",
        file="sensenet/backends/tensorflow/convolution.py",
        old="zip(x.shape[1:3], op.size, strict=True)",
        new="zip(x.shape[1:3], op.size[::-1], strict=True)",
        tests=TENSORFLOW,
    ),
    Mutation(
        name="an-axis-of-javascript-that-stays",
        reason="one position of an axis is written as an axis of size 1",
        file="sensenet/backends/tfjs/emit.py",
        old='"shrink_axis_mask": 1 << op.axis',
        new='"shrink_axis_mask": 0',
        tests=TFJS,
    ),
    Mutation(
        name="padding-that-webassembly-misses",
        reason="the backend wasm answers 0 for windows with steps between them",
        file="sensenet/backends/tfjs/windows.py",
        old="if op.padding is Padding.VALID or all(",
        new="if op.padding is Padding.VALID or any(",
        tests=TFJS,
    ),
    Mutation(
        name="a-graph-of-another-topology",
        reason="a model runs by a graph that its topology was not made of",
        file="sensenet/backends/tfjs/graphs.py",
        old="    if changed:",
        new="    if False:",
        tests=("tests/backends/test_tfjs.py",),
    ),
    Mutation(
        name="epsilon-of-keras",
        reason="a normalization has the epsilon that Keras chooses",
        file="sensenet/backends/keras/table.py",
        old="batch_normalization(epsilon=op.epsilon, name=name)",
        new="batch_normalization(name=name)",
        tests=KERAS,
    ),
    Mutation(
        name="calls-of-another-function",
        reason="a module calls its first function, whichever it should",
        file="sensenet/backends/wasm/linker.py",
        old="number = padded(symbol.function)",
        new="number = padded(0)",
        tests=WASM,
    ),
    Mutation(
        name="answers-over-rows",
        reason="the answer to a row replaces rows that are still to be read",
        file="sensenet/backends/wasm/code.py",
        old="answers = align(rows + 4 * capacity * columns)",
        new="answers = rows",
        tests=WASM,
    ),
)
"""In the tables of the targets, and in what says which nodes they take."""
