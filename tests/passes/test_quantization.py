"""Quantizing a graph to 8 bits: which nodes, in which steps, and what the graph then answers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.lowered import graph_of
from support.op_cases import floats, weights
from support.seeds import SEEDS, seeded

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Value, apply, constant, same_graph
from sensenet.ir.ops import arithmetic, convolution, elementwise, pooling, rearrangement, shape
from sensenet.ir.ops.dense import Activation, Dense
from sensenet.ir.ops.quantization import Dequantize, Quantize
from sensenet.ir.ops.windows import Padding
from sensenet.ir.parser import parse_graph
from sensenet.ir.printer import print_graph
from sensenet.ir.printer import weights as weights_of
from sensenet.ir.types import DType, Tensor, TensorType, f32
from sensenet.passes.quantization.kernels import (
    channel_scales,
    is_in_steps,
    kernel_of,
    layer_steps,
    nearest_scales,
    round_layer,
)
from sensenet.passes.quantization.operators import find_operators
from sensenet.passes.quantization.ranges import measure_ranges
from sensenet.passes.quantization.rewriting import Quantizer, quantize_graph
from sensenet.passes.quantization.scales import choose_scales, steps_of
from sensenet.passes.quantization.selection import find_layers, find_quantizable
from sensenet.passes.quantization.steps import FIXED
from sensenet.signature import NUMERIC_INPUT, PIXEL_INPUT

PIXELS = f32(None, 6, 7, 3)
POOL = pooling.MaxPool2D(pool_size=(2, 2), strides=(1, 1))


def convolve(number: int) -> convolution.Convolution2D:
    """A layer with a kernel of its own: layers that share one are not quantized."""
    kernel = weights(2, 2, 3, 3, scale=1 + number / 4)
    return convolution.Convolution2D(kernel=kernel, bias=weights(3), padding=Padding.SAME)


def dense(number: int) -> Dense:
    return Dense(kernel=weights(3, 3, scale=1 + number / 4), bias=weights(3))


def activation(name: str) -> Activation:
    return Activation(function=ActivationFunction(name))


def then(value: Value, *ops, **names) -> Value:
    """Ops one after the other, named after their class, or as given."""
    for op in ops:
        value = apply(op, value).value
    return value


def on_pixels(function):
    """A graph of one output, whose input is an image."""
    return graph_of({PIXEL_INPUT: PIXELS}, lambda x: {"y": function(x)})


def names(nodes):
    return [node.op.mnemonic() for node in nodes]


def feeds(*sizes):
    return [{PIXEL_INPUT: floats(*size, 6, 7, 3, scale=9.0)} for size in sizes or [(5,)]]


# Which nodes.


def test_a_layer_that_reads_columns_stays_and_so_does_what_is_before_and_after_all_layers():
    def outputs(x):
        first = then(apply(arithmetic.Multiply(), x, x).value, dense(1))
        return {
            "y": then(
                first, activation("relu"), dense(2), activation("tanh"), dense(3), activation("softmax")
            )
        }

    graph = graph_of({NUMERIC_INPUT: f32(None, 3)}, outputs)
    assert len(find_layers(graph)) == 2
    assert names(find_quantizable(graph, find_layers(graph))) == ["dense", "activation", "dense"]


def test_a_layer_that_reads_comparisons_of_columns_stays():
    def outputs(x):
        paths = apply(arithmetic.LessEqual(), then(x, dense(1)), constant(Tensor.float32([1, 2, 3]))).value
        return {"y": then(paths, arithmetic.Cast(dtype=DType.FLOAT32), dense(2))}

    graph = graph_of({NUMERIC_INPUT: f32(None, 3)}, outputs)
    assert find_quantizable(graph, find_layers(graph)) == ()


def test_rows_of_a_table_of_weights_are_answers_of_a_layer():
    table = rearrangement.Lookup(table=weights(5, 3))
    codes = TensorType(DType.INT32, (None,))
    graph = graph_of({NUMERIC_INPUT: codes}, lambda x: {"y": then(apply(table, x).value, dense(1), dense(2))})
    assert names(find_quantizable(graph, find_layers(graph))) == ["dense", "dense"]


def test_steep_functions_between_layers_stay_with_their_sums_and_products():
    def function(x):
        y = then(x, convolve(1))
        steep = apply(arithmetic.Add(), then(y, elementwise.Exp()), y).value
        kept = apply(arithmetic.Maximum(), y, constant(Tensor.float32(0.5))).value
        return then(
            apply(rearrangement.Concatenate(), kept, steep).value,
            rearrangement.Slice(start=0, stop=3),
            convolve(2),
        )

    graph = on_pixels(function)
    found = names(find_quantizable(graph, find_layers(graph)))
    assert sorted(found) == ["convolution_2d", "convolution_2d", "maximum", "slice"]


# The numbers of layers.


@given(SEEDS, st.integers(-6, 6), st.integers(-6, 6), st.integers(-3, 12))
def test_the_steps_of_a_rounded_layer_are_found_in_it_again(seed, exponent, spread, bias_exponent):
    kernel = seeded(seed, 3, 3, 4, 2, scale=10.0**exponent) * 10.0 ** (spread * np.linspace(0, 1, 2))
    bias = seeded(seed, 8, scale=10.0 ** (exponent + bias_exponent))
    op = convolution.DepthwiseConvolution2D(kernel=Tensor.float32(kernel), bias=Tensor.float32(bias))
    first = layer_steps(op, 0.125)
    rounded = round_layer(op, 0.125)
    again = layer_steps(rounded, 0.125)
    assert is_in_steps(rounded, 0.125)
    np.testing.assert_array_equal(again.kernel, first.kernel)
    np.testing.assert_allclose(again.kernel_scale.array, first.kernel_scale.array, rtol=1e-6)
    np.testing.assert_allclose(again.bias, first.bias, rtol=1e-6, atol=0)
    assert np.abs(first.kernel).max() <= 127
    assert np.abs(first.bias.astype(np.int64)).max() <= 2**30 + 2**7
    error = np.abs(kernel_of(rounded) - kernel_of(op))
    assert np.all(error <= first.kernel_scale.array * 0.5001)
    assert np.all(
        np.abs(rounded.bias.array - op.bias.array) <= first.bias_scale.array * 0.5001 + 1e-6 * abs(bias)
    )


def test_a_channel_of_zeros_has_the_scale_of_the_largest():
    op = Dense(kernel=Tensor.float32([[1e-9, 0, 2e-9]]))
    scale = layer_steps(op, 1.0).kernel_scale.array
    assert scale[1] == scale[2] == np.float32(2e-9 / 127)
    assert not is_in_steps(dense(1), 1.0)


@given(SEEDS, st.integers(-30, 30))
def test_scales_of_four_bits_have_the_least_squared_errors_of_those_tried(seed, exponent):
    kernel = seeded(seed, 20, 3, scale=2.0**exponent) * np.float32([1, 1e-3, 0])

    def errors(scale):
        return np.square(np.clip(np.rint(kernel / scale), -7, 7) * scale - kernel).sum(axis=0)

    whole, nearest = channel_scales(kernel, bits=4), nearest_scales(kernel)
    assert np.all((0.4 * whole <= nearest * 1.001) & (nearest <= whole))
    assert np.all(errors(nearest) <= np.minimum(errors(whole), errors(0.7 * whole)) * (1 + 1e-9))


# The ranges of values.


def test_ranges_are_those_of_all_feeds():
    graph = graph_of({"x": f32(None, None)}, lambda x: {"y": then(x, elementwise.Negate())})
    x, y = graph.inputs[0].value, graph.outputs["y"]
    given = [{"x": np.float32([[1, 2, 3]])}, {"x": np.float32([[-5], [4]])}]
    assert measure_ranges(graph, [y, x, y], given) == {y: (-4.0, 5.0), x: (-5.0, 4.0)}


# The steps of values.


def scales_of(graph):
    operators = find_operators(graph, find_quantizable(graph, find_layers(graph)))
    values = [value for each in operators for value in (*each.inputs, each.result)]
    return operators, choose_scales(operators, measure_ranges(graph, values, feeds()))


@given(st.floats(-(2.0**99), 0, width=32), st.floats(0, 2.0**99, width=32), st.sampled_from([8, 16]))
def test_zero_is_a_step_and_ends_are_in_reach(low, high, bits):
    steps = steps_of((low, high), bits)
    assert -128 <= steps.zero_point <= 127 if bits == 8 else steps.zero_point == 0
    ends = np.float32([low, 0, high])
    rounded = steps.dequantize().evaluate(steps.quantize().evaluate(ends))
    assert rounded[1] == 0
    assert np.abs(rounded.astype(float) - ends).max() <= steps.scale * 0.51 + 1e-30


def test_what_moves_numbers_has_one_scale():
    def function(x):
        y, z = then(x, convolve(1)), then(x, convolve(2), activation("relu"))
        joined = apply(rearrangement.Concatenate(), then(y, POOL), then(z, POOL)).value
        return then(joined, rearrangement.Slice(start=1, stop=4), convolve(3))

    operators, scales = scales_of(on_pixels(function))
    moved = [each for each in operators if isinstance(each.node.op, pooling.Pool | rearrangement.Concatenate)]
    assert len({scales.read[v] for each in moved for v in (*each.inputs, each.result)}) == 1
    assert len(set(scales.read.values())) == 4


def test_a_constant_that_several_read_does_not_tie_their_scales():
    limit = constant(Tensor.float32(20.0))

    def function(x):
        y = apply(arithmetic.Minimum(), then(x, convolve(1)), limit).value
        return then(apply(arithmetic.Minimum(), then(y, convolve(2)), limit).value, convolve(3))

    operators, scales = scales_of(on_pixels(function))
    first, second = (each for each in operators if isinstance(each.node.op, arithmetic.Minimum))
    assert scales.read[first.result] != scales.read[second.result]
    assert scales.of_constant(first, limit) == scales.read[first.result]


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_pools_adopt_the_fixed_steps_of_what_they_read(name):
    function = activation(name)
    graph = on_pixels(lambda x: then(x, convolve(1), function, POOL, convolve(2)))
    _, scales = scales_of(graph)
    assert not scales.given
    assert list(scales.read.values()).count(FIXED[function.function, 8]) == 2


def test_nodes_without_a_kernel_of_sixteen_bits_stay():
    method = convolution.UpsampleMethod.BILINEAR
    graph = on_pixels(
        lambda x: then(x, convolve(1), convolution.Upsample2D(size=(2, 2), method=method), convolve(2))
    )
    for bits, count in ((8, 1), (16, 0)):
        quantizer = Quantizer.calibrate(graph, feeds(), bits)
        chosen = [type(node.op) for node in quantizer.quantize(quantizer.layers).nodes]
        assert chosen.count(convolution.Upsample2D) == count
        assert chosen.count(convolution.Convolution2D) == 2


def test_fixed_steps_are_left_where_others_are_joined():
    def function(x):
        y, z = then(x, convolve(1), activation("tanh")), then(x, convolve(2))
        return then(
            apply(rearrangement.Concatenate(), y, z).value, rearrangement.Slice(start=1, stop=4), convolve(3)
        )

    graph = on_pixels(function)
    operators, scales = scales_of(graph)
    (tanh,) = (each for each in operators if isinstance(each.node.op, Activation))
    assert scales.of_result(tanh.result) == FIXED[ActivationFunction.TANH, 8] != scales.read[tanh.result]
    after = quantize_graph(graph, feeds())
    assert sum(isinstance(node.op, Quantize) for node in after.nodes) == len(scales.read) + 1


def test_ranges_are_not_much_finer_than_what_they_are_computed_from():
    dead = Dense(kernel=weights(3, 3), bias=Tensor.float32([-1000.0] * 3), activation=ActivationFunction.RELU)
    graph = on_pixels(lambda x: then(x, convolve(1), dead, activation("leaky_relu"), convolve(2)))
    operators, scales = scales_of(graph)
    for before, after in itertools.pairwise(operators):
        assert scales.read[after.inputs[0]] == scales.read[before.result]
        assert scales.read[after.result].scale > scales.read[before.result].scale / 1000


# The graph.


def small_network(x):
    y = then(x, convolve(1), activation("relu"), POOL, convolve(2))
    z = then(y, convolution.DepthwiseConvolution2D(kernel=weights(3, 3, 3, 1), padding=Padding.SAME))
    joined = then(apply(arithmetic.Add(), y, z).value, activation("relu6"), pooling.GlobalAveragePool2D())
    return then(joined, dense(3), activation("softmax"))


@pytest.mark.parametrize(("bits", "most"), [(8, 0.05), (16, 0.01)])
def test_the_interpreter_runs_a_quantized_graph_and_answers_nearly_the_same(bits, most):
    graph = on_pixels(small_network)
    after = quantize_graph(graph, feeds((5,), (3,)), bits)
    for feed in feeds((5,), (2,)):
        exact, rounded = evaluate(graph, feed)["y"], evaluate(after, feed)["y"]
        difference = np.abs(rounded - exact).max()
        assert 0 < difference < most
    assert {node.op.bits for node in after.nodes if isinstance(node.op, Quantize)} == {bits}
    layers = [node for node in after.nodes if hasattr(node.op, "kernel")]
    assert len(layers) == 4
    for layer in layers:
        (x,) = layer.inputs
        assert isinstance(x.op, Dequantize)
        assert is_in_steps(layer.op, float(x.op.scale.array))
        assert layer.shares is None


@pytest.mark.parametrize("bits", [8, 16])
def test_the_text_of_a_quantized_graph_reads_back(bits):
    after = quantize_graph(on_pixels(small_network), feeds(), bits)
    assert same_graph(parse_graph(print_graph(after), weights_of(after)), after)


def test_float_ops_read_what_layers_give_in_steps_and_inputs_as_they_are():
    def outputs(x):
        y = then(x, convolve(1))
        return {"y": y, "exp": then(y, elementwise.Exp()), "x": then(x, elementwise.Negate())}

    after = quantize_graph(graph_of({PIXEL_INPUT: PIXELS}, outputs), feeds())
    assert isinstance(after.outputs["y"].op, Dequantize)
    assert after.outputs["exp"].node.inputs == (after.outputs["y"],)
    assert after.outputs["x"].node.inputs == (after.inputs[0].value,)


def test_constants_have_steps_of_their_own_where_numbers_are_computed():
    shift = constant(Tensor.float32([0.5, -2.0, 1.0]))

    def function(x):
        return then(apply(arithmetic.Add(), then(x, convolve(1)), shift).value, convolve(2))

    after = quantize_graph(on_pixels(function), feeds())
    (add,) = (node for node in after.nodes if isinstance(node.op, arithmetic.Add))
    scales = [float(value.op.scale.array) for value in add.inputs]
    assert scales[1] == np.float32(3.0 / 255) != scales[0]


def test_a_graph_without_layers_stays_as_it_is():
    graph = on_pixels(lambda x: then(x, activation("relu")))
    assert quantize_graph(graph, feeds()) is graph


@pytest.mark.parametrize("number", [np.inf, np.nan, 3e38])
def test_layers_whose_numbers_are_not_finite_or_too_large_stay(number):
    graph = on_pixels(lambda x: then(x, convolve(1), convolve(2)))
    (feed,) = feeds()
    feed[PIXEL_INPUT][0, 0, 0, 0] = number
    assert quantize_graph(graph, [feed]) is graph


def test_a_layer_whose_result_is_too_fine_for_kernels_stays():
    """All of its kernel is 0, so that its bias alone says how fine its result is."""
    flat = Dense(kernel=Tensor.float32(np.zeros((3, 3))), bias=Tensor.float32([1e-12, 0, 0]))
    after = quantize_graph(on_pixels(lambda x: then(x, convolve(1), flat, dense(2))), feeds())
    (layer,) = (node for node in after.nodes if node.op == flat)
    readers = [node.op for node in after.nodes if layer.value in node.inputs]
    assert isinstance(layer.inputs[0].op, Dequantize)
    assert [type(op) for op in readers] == [Quantize]  # for the next layer alone
    assert sum(isinstance(node.op, Quantize) for node in after.nodes) == 4


def test_layers_that_share_a_kernel_stay():
    graph = on_pixels(lambda x: then(x, convolve(1), convolve(1)))
    assert find_layers(graph) == ()
    assert quantize_graph(graph, feeds()) is graph


def test_positions_and_sizes_are_no_numbers_to_round():
    def function(x):
        taken = apply(shape.Take(axis=3), then(x, convolve(1)), constant(Tensor.int32([2, 0, 1]))).value
        return then(taken, convolve(2))

    after = quantize_graph(on_pixels(function), feeds())
    (take,) = (node for node in after.nodes if isinstance(node.op, shape.Take))
    assert [value.type.dtype for value in take.inputs] == [DType.FLOAT32, DType.INT32]
