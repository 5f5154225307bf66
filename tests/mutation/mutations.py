"""Wrong rewrites: each is a small change of one file that makes the compiler wrong.

Data only. `run.py` plants them one at a time and shows that the tests fail; `test_mutation.py` checks that
the text which each of them replaces is still there.
"""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).parents[2]

SOONEST = ("tests/passes/test_passes_golden.py", "tests/passes/test_passes_precision.py")
"""Files of tests that take a second."""

DEFAULT_TESTS = (
    *SOONEST,
    *sorted({f"tests/passes/{path.name}" for path in (ROOT / "tests/passes").glob("test_*.py")} - {*SOONEST}),
    "tests/test_properties.py",
)
"""What should notice: whole files, those of all passes."""


@frozen(kw_only=True)
class Mutation:
    """`old`, which stands in `file` exactly once, becomes `new`; `reason` says why that is wrong."""

    name: str
    reason: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...] = DEFAULT_TESTS

    def apply(self, source: str) -> str:
        """The text of the file with the fault; raises ValueError unless `old` stands there once."""
        count = source.count(self.old)
        if count != 1:
            raise ValueError(f"{self.name}: the text to replace stands {count} times in {self.file}")
        return source.replace(self.old, self.new)


MUTATIONS = (
    Mutation(
        name="axis-ignored",
        reason="selections on different axes are composed as if on one",
        file="sensenet/passes/simplify_rearrangements.py",
        old="if inner is None or _axis(x) != _axis(node.value):",
        new="if inner is None:",
    ),
    Mutation(
        name="wrong-axis",
        reason="a depthwise kernel is scaled multiplier by multiplier, not channel by channel",
        file="sensenet/passes/linear_layers.py",
        old="scale.reshape(kernel.shape[2:])",
        new="scale.reshape(kernel.shape[:1:-1]).T",
    ),
    Mutation(
        name="epsilon-dropped",
        reason="batch normalization divides by √variance, so small variances blow up",
        file="sensenet/ir/ops/dense.py",
        old="np.sqrt(self.variance.float64 + self.epsilon)",
        new="np.sqrt(self.variance.float64)",
        tests=("tests/ir/test_ir_ops.py", *DEFAULT_TESTS),
    ),
    Mutation(
        name="epsilon-dropped-in-folding",
        reason="the normalization that is folded is not the one that was trained",
        file="sensenet/passes/fold_batch_normalization.py",
        old="scale_results(x.op, *node.op.scale_and_shift())",
        new="scale_results(x.op, *type(node.op)(gamma=node.op.gamma, beta=node.op.beta, mean=node.op.mean, "
        "variance=node.op.variance, epsilon=0.0).scale_and_shift())",
    ),
    Mutation(
        name="second-use-after-layer",
        reason="a layer that something else reads is computed twice, once normalized",
        file="sensenet/passes/fold_batch_normalization.py",
        old="    if not is_linear(x.op):\n        return None\n    if not uses.only(x):",
        new="    if not is_linear(x.op):\n        return None\n    if False:",
    ),
    Mutation(
        name="second-use-before-layer",
        reason="a normalization that something else reads is folded into a layer, and stays",
        file="sensenet/passes/fold_batch_normalization.py",
        old="if not uses.only_by(x, lambda reader: _takes_in(reader, normalization)):",
        new="if not _takes_in(node, normalization):",
    ),
    Mutation(
        name="output-no-use",
        reason="a graph output is not counted as a reader",
        file="sensenet/ir/graph.py",
        old="        count.update(self.outputs.values())\n",
        new="",
    ),
    Mutation(
        name="output-no-reader",
        reason="a graph output is forgotten where only certain readers are accepted",
        file="sensenet/passes/rewrite.py",
        old="readers is not None and value not in self._outputs and all(map(accept, readers))",
        new="readers is not None and all(map(accept, readers))",
    ),
    Mutation(
        name="same-padding-ignored",
        reason="a shift is folded into a convolution whose padding stays zero",
        file="sensenet/passes/linear_layers.py",
        old="if isinstance(layer, Dense) or layer.padding is Padding.VALID:",
        new="if isinstance(layer, Dense) or layer.padding in Padding:",
    ),
    Mutation(
        name="mean-through-padding",
        reason="the mean of pixels goes into the bias of a convolution that pads with zeros",
        file="sensenet/passes/fold_pixel_standardization.py",
        old="isinstance(reader.op, CONVOLUTIONS) and not reads_padding(reader.op, value.type)",
        new="isinstance(reader.op, CONVOLUTIONS)",
    ),
    Mutation(
        name="bias-through-padding",
        reason="a convolution of single pixels with a bias is merged into one that pads",
        file="sensenet/passes/merge_convolutions.py",
        old="if np.any(bias_of(first)) and reads_padding(layer, x.type):",
        new="if False:",
    ),
    Mutation(
        name="padding-before-ignored",
        reason="as many windows, but beginning elsewhere: the picture moves by a pixel",
        file="sensenet/passes/merge_padding.py",
        old="        and padding[0] == same_padding(size, window, stride)[0]\n",
        new="",
    ),
    Mutation(
        name="float32-folding",
        reason="weights are worked out in float32, and rounded at every step",
        file="sensenet/ir/types.py",
        old="return self.array.astype(np.float64)",
        new="return self.array",
    ),
    Mutation(
        name="float32-kernel-folding",
        reason="a kernel is scaled by factors already rounded to float32",
        file="sensenet/passes/linear_layers.py",
        old="return with_weights(layer, {name: kernel * by_channel}, bias_of(layer) * scale + shift)",
        new="return with_weights(layer, {name: kernel * by_channel.astype(np.float32)}, "
        "bias_of(layer) * scale + shift)",
    ),
    Mutation(
        name="fused-activation-ignored",
        reason="a normalization is folded past the activation of its layer",
        file="sensenet/passes/linear_layers.py",
        old="return isinstance(op, LINEAR_LAYERS) and op.activation is ActivationFunction.LINEAR",
        new="return isinstance(op, LINEAR_LAYERS)",
    ),
    Mutation(
        name="activation-replaced",
        reason="a second activation takes the place of the first instead of following it",
        file="sensenet/passes/fuse_activations.py",
        old="if not is_linear(x.op):",
        new="if not hasattr(x.op, 'activation'):",
    ),
    Mutation(
        name="activation-inside-out",
        reason="the activation of the first of two layers is taken for that of both",
        file="sensenet/passes/merge_dense.py",
        old="case Dense(activation=ActivationFunction.LINEAR) as first",
        new="case Dense() as first",
    ),
    Mutation(
        name="gathers-inside-out",
        reason="the indices of two gathers are composed the wrong way round",
        file="sensenet/passes/simplify_rearrangements.py",
        old="inner[outer]",
        new="outer[inner % len(outer)][: len(outer)] if len(inner) >= len(outer) else inner[outer]",
    ),
    Mutation(
        name="permutation-not-inverted",
        reason="a kernel's channels are permuted like the picture's, not the other way",
        file="sensenet/passes/linear_layers.py",
        old="inverse = np.argsort(order)",
        new="inverse = order",
    ),
    Mutation(
        name="gathered-twice",
        reason="a column that a gather takes twice counts once",
        file="sensenet/passes/fold_gathers.py",
        old="np.add.at(rows, indices, kernel)",
        new="rows[indices] = kernel",
    ),
    Mutation(
        name="threshold-rounded",
        reason="a threshold is worked backwards and rounded: cells at a tie change sides",
        file="sensenet/passes/rewrite_thresholds.py",
        old="threshold[mine] = raise_thresholds(threshold[mine], mean, stdev)",
        new="threshold[mine] = raise_thresholds(threshold[mine], mean, stdev) * 0 + threshold[mine] * "
        "stdev.astype(np.float64) + mean",
    ),
    Mutation(
        name="negative-stdev",
        reason="a threshold is moved through a falling standardization without changing sides",
        file="sensenet/passes/rewrite_thresholds.py",
        old="bool(np.all(op.stdev.array > 0))",
        new="bool(np.all(op.stdev.array != 0))",
    ),
    Mutation(
        name="tree-less-than",
        reason="the interpreter's trees go left below the threshold only, not at it",
        file="sensenet/ir/ops/tabular.py",
        old="self.feature.array[current]] <= self.threshold.array[current]",
        new="self.feature.array[current]] < self.threshold.array[current]",
    ),
    Mutation(
        name="lowered-tree-less-than",
        reason="trees of basic ops go left below the threshold only, not at it",
        file="sensenet/passes/lowering/forest/leaf_paths.py",
        old="apply(LessEqual(), picked, threshold, name=",
        new="apply(Greater(), threshold, picked, name=",
    ),
    Mutation(
        name="forest-mean-over-padding",
        reason="a forest with fewer trees than another is divided by the other's number",
        file="sensenet/passes/lowering/forest/leaf_paths.py",
        old="values[nodes] / len(trees)",
        new="values[nodes] / most_trees",
    ),
    Mutation(
        name="forest-features-not-moved",
        reason="merged forests read the columns of the wrong source",
        file="sensenet/passes/merge_forests.py",
        old="[part] + used - starts(own)[part]",
        new="[part] + used",
    ),
    Mutation(
        name="forest-widths-ignored",
        reason="the answers of merged forests are looked for without their filling",
        file="sensenet/passes/merge_forests.py",
        old="numbers[:, None] * outputs + np.arange",
        new="numbers[:, None] * forest.outputs + np.arange",
    ),
    Mutation(
        name="equal-but-for-attributes",
        reason="common subexpressions are found without comparing attributes",
        file="sensenet/passes/eliminate_common_subexpressions.py",
        old="if earlier.op == node.op:",
        new="if earlier.types == node.types:",
    ),
    Mutation(
        name="bias-of-first-dense",
        reason="the bias of the first of two merged layers is lost",
        file="sensenet/passes/merge_dense.py",
        old="return first.kernel.float64 @ kernel, bias + shift",
        new="return first.kernel.float64 @ kernel, bias",
    ),
    Mutation(
        name="mean-not-divided",
        reason="a standardization's mean goes into the bias without its deviation",
        file="sensenet/passes/fold_standardization.py",
        old="bias - (mean / stdev) @ kernel",
        new="bias - mean @ kernel",
    ),
    Mutation(
        name="destandardized-bias",
        reason="a regression's bias keeps the units of the standardized objective",
        file="sensenet/passes/fold_destandardization.py",
        old="bias * stdev + mean",
        new="bias + mean",
    ),
    Mutation(
        name="multiplier-order",
        reason="the response of a separable layer mixes up channels and multipliers",
        file="sensenet/passes/linear_layers.py",
        old="(pixel[:, None] * total).ravel()",
        new="(pixel[:, None] * total).T.ravel()",
    ),
    Mutation(
        name="constants-reversed",
        reason="a difference of constants is folded the wrong way round",
        file="sensenet/passes/fold_constants.py",
        old="node.op.evaluate(*(operand.array for operand in operands))",
        new="node.op.evaluate(*(operand.array for operand in operands[::-1]))",
    ),
    Mutation(
        name="last-bit-of-weights",
        reason="weights are taken for equal when they begin alike",
        file="sensenet/passes/share_weights.py",
        old="if op == node.op:",
        new="if type(op) is type(node.op):",
    ),
    Mutation(
        name="one-hot-groups",
        reason="lowered one-hot columns compare every code with the first column",
        file="sensenet/passes/lowering/arithmetic.py",
        old="Tensor.int32(node.op.groups)",
        new="Tensor.int32(node.op.groups * 0)",
    ),
    Mutation(
        name="columns-of-one-channel",
        reason="flattened numbers are scaled as if all pixels of a channel stood together",
        file="sensenet/passes/flatten_before_scaling.py",
        old="np.broadcast_to(parameter.array, sizes).ravel()",
        new="np.broadcast_to(parameter.array, sizes).T.ravel()",
    ),
    Mutation(
        name="constant-columns-lost",
        reason="columns that are the same for every row leave no trace in the bias",
        file="sensenet/passes/fold_constant_columns.py",
        old="return kernel[is_kept], bias + values @ kernel[~is_kept]",
        new="return kernel[is_kept], bias",
    ),
    Mutation(
        name="average-of-biases",
        reason="the biases of averaged layers are summed",
        file="sensenet/passes/fold_average.py",
        old="bias / len(last.values)",
        new="bias",
    ),
    Mutation(
        name="softmax-over-all",
        reason="layers whose softmax is over their own classes get one over those of all",
        file="sensenet/passes/merge_parallel_dense.py",
        old="if not isinstance(op, Dense) or not op.activation.elementwise:",
        new="if not isinstance(op, Dense):",
    ),
    Mutation(
        name="batched-activations",
        reason="networks are computed together whose activations differ",
        file="sensenet/passes/batch_networks.py",
        old="tuple((layer.kernel.shape, layer.activation) for layer in self.layers)",
        new="tuple(layer.kernel.shape for layer in self.layers)",
    ),
    Mutation(
        name="table-of-other-columns",
        reason="the table of categories holds the kernel's first rows, wherever the categories stand",
        file="sensenet/passes/look_up_categories.py",
        old="rows = start + np.arange(width(part) or 0)",
        new="rows = np.arange(width(part) or 0)",
    ),
)
"""By what they break: axes, epsilon, uses, padding, precision, activations, order, trees, the rest."""
