"""Every pass and every pipeline keeps the answers of random image networks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from support.check_pass import BASIC, PASSES, assert_near_for_images, assert_same_answers, check_pass
from support.graphs import graphs_with_inputs, like_images

from sensenet.ir.graph import Graph, apply
from sensenet.ir.legality import require_legal
from sensenet.ir.ops.convolution import Convolution2D, DepthwiseConvolution2D
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.dense import BatchNormalization
from sensenet.ir.ops.rearrangement import Gather
from sensenet.ir.ops.tabular import Standardize
from sensenet.ir.types import Tensor, f32
from sensenet.passes import PIPELINES
from sensenet.passes.infrastructure.manager import run_passes
from sensenet.passes.lowering.legalize import legalize
from sensenet.signature import Signature


@pytest.mark.parametrize("name", PASSES)
@given(drawn=graphs_with_inputs(like_images))
def test_every_pass_keeps_the_answers(name, drawn):
    graph, inputs = drawn
    check_pass(graph, PASSES[name], inputs, near=assert_near_for_images)


@pytest.mark.parametrize("level", PIPELINES)
@given(drawn=graphs_with_inputs(like_images))
def test_every_level_keeps_the_answers(level, drawn):
    graph, inputs = drawn
    after, _ = run_passes(graph, PIPELINES[level])
    near = assert_near_for_images
    assert_same_answers(graph, after, exact=level < 2, inputs=inputs, near=near)
    lowered, _ = run_passes(after, (legalize(BASIC),))
    require_legal(lowered, BASIC, "the lowering")
    assert_same_answers(after, lowered, exact=False, inputs=inputs, near=near)


def numbers(*shape: int) -> Tensor:
    return Tensor.float32(np.full(shape, 0.5))


def normalization(channels: int) -> BatchNormalization:
    return BatchNormalization(**dict.fromkeys(("gamma", "beta", "mean", "variance"), numbers(channels)))


WITHOUT_CHANNELS = (
    (0, Standardize(mean=numbers(), stdev=numbers()), Convolution2D(kernel=numbers(2, 2, 0, 3))),
    (0, normalization(0), Convolution2D(kernel=numbers(2, 2, 0, 3))),
    (2, Convolution2D(kernel=numbers(2, 2, 2, 0)), normalization(0)),
    (0, normalization(0), DepthwiseConvolution2D(kernel=numbers(2, 2, 0, 2))),
    (2, Gather(indices=Tensor.int32([])), Convolution2D(kernel=numbers(2, 2, 0, 3))),
    (2, Convolution2D(kernel=numbers(1, 1, 2, 0)), Convolution2D(kernel=numbers(1, 1, 0, 3))),
)


@pytest.mark.parametrize(("channels", "first", "second"), WITHOUT_CHANNELS)
@pytest.mark.parametrize("name", PASSES)
def test_images_without_channels(name, channels, first, second):
    x = apply(Input(type=f32(None, 4, 5, channels)), name="x")
    y = apply(second, apply(first, x.value).value).value
    check_pass(Graph.create([x], {"y": y}, Signature()), PASSES[name])
