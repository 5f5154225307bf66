"""What -O2 makes of the pretrained networks' topologies, with weights from initializers."""

from __future__ import annotations

import pytest

from sensenet.frontend import import_graph
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.ops.convolution import Pad2D
from sensenet.ir.ops.dense import Activation, BatchNormalization
from sensenet.ir.ops.rearrangement import Gather
from sensenet.ir.ops.tabular import Standardize
from sensenet.passes import PIPELINES
from sensenet.passes.analysis.linear_layers import CONVOLUTIONS
from sensenet.passes.infrastructure.manager import run_passes
from sensenet.pretrained import get_pretrained_network

SLOW = pytest.mark.slow

NETWORKS = (
    # name, nodes before and after, paddings that are not those of same padding
    pytest.param("mobilenet", 101, 38, 5),
    pytest.param("mobilenetv2", 164, 68, 0),
    pytest.param("tinyyolov4", 85, 46, 2),
    pytest.param("resnet18", 90, 48, 5, marks=SLOW),
    pytest.param("resnet50", 179, 93, 1, marks=SLOW),
    pytest.param("xception", 148, 71, 0, marks=SLOW),
    pytest.param("yolov4", 380, 160, 7, marks=SLOW),
)


@pytest.mark.parametrize(("name", "before", "after", "paddings"), NETWORKS)
def test_nothing_is_left_that_folds(name, before, after, paddings):
    imported = import_graph(get_pretrained_network(name))
    graph, _ = run_passes(imported, PIPELINES[2])
    assert (len(imported.nodes), len(graph.nodes)) == (before, after)
    assert not graph.ops & {BatchNormalization, Standardize, Gather}
    assert sum(isinstance(node.op, Pad2D) for node in graph.nodes) == paddings
    for node in graph.nodes:
        if isinstance(node.op, Activation):
            assert not isinstance(node.inputs[0].op, CONVOLUTIONS), node
            assert node.op.function is not ActivationFunction.LINEAR
