"""Wrong lowering rules and emission tables; data only, as in `mutations`."""

from __future__ import annotations

from mutation.mutation import Mutation

RULES = ("tests/passes/test_golden.py", "tests/passes/test_legalize.py")
TABLES = ("tests/backends/test_tflite_emit.py", "tests/backends/test_tflite.py")

LOWERING_MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        name="pixels-by-their-corners",
        reason="a rescaled image shows the pixels at the corners of its own, not at the centres",
        file="sensenet/passes/lowering/images.py",
        old="make(Add(), make(Add(), first, np.arange(size)), 0.5)",
        new="make(Add(), make(Add(), first, np.arange(size)), 0.0)",
        tests=RULES,
    ),
    Mutation(
        name="mean-of-the-padding",
        reason="an image is padded with the mean of all that was taken, the repeated edge too",
        file="sensenet/passes/lowering/images.py",
        old="make(Select(), inside, x, zero)",
        new="x",
        tests=RULES,
    ),
    Mutation(
        name="grid-by-rows",
        reason="the cells of a grid of unknown size are counted down its columns",
        file="sensenet/passes/lowering/boxes.py",
        old="make(Reshape(shape=(None, 1, 1)), by_row), [0, 1])",
        new="make(Reshape(shape=(None, 1, 1)), by_row), [1, 0])",
        tests=RULES,
    ),
    Mutation(
        name="boxes-that-touch-stay",
        reason="a box that overlaps a kept one by exactly the threshold is kept too",
        file="sensenet/passes/lowering/suppression.py",
        old="make.constant(op.iou_threshold, DType.FLOAT32)",
        new="make.constant(np.nextafter(np.float32(op.iou_threshold), np.float32(9)), DType.FLOAT32)",
        tests=(*RULES, "tests/passes/test_lowering_rules.py"),
    ),
    Mutation(
        name="as-many-as-there-are",
        reason="the loop goes on beyond the most objects that are wanted",
        file="sensenet/passes/lowering/suppression.py",
        old="return make(And(), make(Greater(), best, op.score_threshold), wanted)",
        new="return make(Greater(), best, op.score_threshold)",
        tests=(*RULES, "tests/passes/test_lowering_rules.py"),
    ),
    Mutation(
        name="mish-of-one",
        reason="mish is another function",
        file="sensenet/passes/lowering/activations.py",
        old="w = make(Multiply(), n, make(Add(), n, 2.0))",
        new="w = make(Multiply(), n, make(Add(), n, 1.0))",
        tests=RULES,
    ),
    Mutation(
        name="fused-although-illegal",
        reason="a layer ends with an activation that the target's layers do not end with",
        file="sensenet/passes/lowering/simplify_lowered.py",
        old="isinstance(fused, Value) and is_legal(fused.node, legal)",
        new="isinstance(fused, Value)",
        tests=RULES,
    ),
    Mutation(
        name="sum-of-weights",
        reason="a product with any row is taken for a sum",
        file="sensenet/passes/lowering/simplify_lowered.py",
        old="if ones.size != ones.shape[-1] or not np.all(ones == 1):",
        new="if ones.size != ones.shape[-1]:",
        tests=(*RULES, "tests/passes/test_lowering_rules.py"),
    ),
    Mutation(
        name="relu-that-others-miss",
        reason="what reads a sum before its relu gets it after",
        file="sensenet/backends/tflite/convert.py",
        old="return graph.uses[x] == 1 and isinstance(x.op, ACTIVATABLE)",
        new="return isinstance(x.op, ACTIVATABLE)",
        tests=TABLES,
    ),
    Mutation(
        name="an-axis-that-stays",
        reason="one position of an axis is written as an axis of size 1",
        file="sensenet/backends/tflite/emit.py",
        old="shrinkAxisMask=1 << op.axis",
        new="shrinkAxisMask=0",
        tests=TABLES,
    ),
    Mutation(
        name="kernels-lying-down",
        reason="the windows of convolutions are mirrored along their diagonal",
        file="sensenet/backends/tflite/layer_operators.py",
        old="op.kernel.array.transpose(3, 0, 1, 2)",
        new="op.kernel.array.transpose(3, 1, 0, 2)",
        tests=TABLES,
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
        tests=TABLES,
    ),
)
"""In rules, in what simplifies, in the tables of the target tflite."""
