"""Wrong rules of quantization; data only, as in `mutations`."""

from __future__ import annotations

from mutation.mutation import Mutation

QUANTIZATION = ("tests/passes/test_quantization.py",)
BUDGET = ("tests/passes/test_quantization_budget.py",)
WHOLE_NUMBERS = ("tests/backends/test_tflite_whole_numbers.py",)

QUANTIZATION_MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        name="columns-in-eight-bits",
        reason="columns of small magnitudes are lost in one scale for all",
        file="sensenet/passes/quantization/selection.py",
        old="if origins[node.inputs[0]] is not Origin.RAW and readers[kernel] == 1",
        new="if readers[kernel] == 1",
        tests=QUANTIZATION,
    ),
    Mutation(
        name="steep-functions-in-eight-bits",
        reason="nearly all values of e^x fall in one step",
        file="sensenet/passes/quantization/selection.py",
        old="return value in steep or origins[value] is Origin.RAW",
        new="return origins[value] is Origin.RAW",
        tests=QUANTIZATION,
    ),
    Mutation(
        name="moves-between-scales",
        reason="kernels that move numbers do not rescale them",
        file="sensenet/passes/quantization/steps.py",
        old="return all(each == given for each in read)",
        new="return True",
        tests=WHOLE_NUMBERS,
    ),
    Mutation(
        name="biases-of-more-than-32-bits",
        reason="the bias of a channel with small weights is cut off",
        file="sensenet/passes/quantization/kernels.py",
        old="np.abs(bias) / (LARGEST_BIAS * input_scale)",
        new="0 * np.abs(bias)",
        tests=QUANTIZATION,
    ),
    Mutation(
        name="scales-that-are-infinite",
        reason="a range that is not finite has no scale",
        file="sensenet/passes/quantization/rewriting.py",
        old="left = [each for each in operators if _is_in_range(each, self.ranges)]",
        new="left = operators",
        tests=QUANTIZATION,
    ),
    Mutation(
        name="constants-that-tie-scales",
        reason="a limit far beyond all values takes most of the steps",
        file="sensenet/passes/quantization/operators.py",
        old="tuple(value for value in self._numbers if not isinstance(value.op, Constant))",
        new="self._numbers",
        tests=QUANTIZATION,
    ),
    Mutation(
        name="results-in-steps-that-others-read-exactly",
        reason="an output of the graph is rounded",
        file="sensenet/backends/tflite/whole_numbers.py",
        old="if graph.uses[x] == 1 and _is_whole(source, node.op):",
        new="if _is_whole(source, node.op):",
        tests=WHOLE_NUMBERS,
    ),
    Mutation(
        name="weights-between-steps",
        reason="a layer whose weights are not in steps answers with others",
        file="sensenet/backends/tflite/whole_numbers.py",
        old="return not isinstance(node.op, LAYERS) or is_in_steps(node.op, steps[0].scale)",
        new="return True",
        tests=WHOLE_NUMBERS,
    ),
    Mutation(
        name="budget-of-sampled-rows",
        reason="the budget holds on some calibration rows only",
        file="sensenet/passes/quantization/budget.py",
        old="    expected = _run(graph, feeds)\n\n",
        new="    feeds = _choose_rows(graph, feeds)[:1]\n    expected = _run(graph, feeds)\n\n",
        tests=BUDGET,
    ),
    Mutation(
        name="least-sensitive-layers-in-float",
        reason="layers that hardly matter stay float32, and the others are rounded",
        file="sensenet/passes/quantization/budget.py",
        old="key=lambda layer: (-effects[layer],",
        new="key=lambda layer: (effects[layer],",
        tests=BUDGET,
    ),
    Mutation(
        name="sixteen-bits-with-a-zero-point",
        reason="kernels of 16 bits have none",
        file="sensenet/passes/quantization/scales.py",
        old="zero_point = round(-most - 1 - low / scale) if bits == 8 else 0",
        new="zero_point = round(-most - 1 - low / scale)",
        tests=QUANTIZATION,
    ),
    Mutation(
        name="sums-at-powers-of-two",
        reason="kernels then take scales of 16 bits for powers of two, unless an option says otherwise",
        file="sensenet/backends/tflite/whole_numbers.py",
        old='{"potScaleInt16": False} if bits == 16 and made.kind in SUMS else {}',
        new="{}",
        tests=WHOLE_NUMBERS,
    ),
    Mutation(
        name="halves-of-bytes-exchanged",
        reason="LiteRT reads the lower half of a byte first",
        file="sensenet/backends/tflite/operators.py",
        old="halves[0::2] | halves[1::2] << 4",
        new="halves[1::2] | halves[0::2] << 4",
        tests=("tests/backends/test_tflite_quantize.py",),
    ),
    Mutation(
        name="scales-of-the-largest-error",
        reason="a kernel of 4 bits is further from its weights than need be",
        file="sensenet/passes/quantization/kernels.py",
        old="best = np.where(errors < least, scale, best)",
        new="best = np.where(errors > least, scale, best)",
        tests=QUANTIZATION,
    ),
)
