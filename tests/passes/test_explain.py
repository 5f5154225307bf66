"""What rules decline, and why: on golden cases that passes leave as they are, and on the command line."""

from __future__ import annotations

import pytest
from support.golden import find_golden

import sensenet
from sensenet.cli.compile import main
from sensenet.ir.parser import parse_graph
from sensenet.passes import ALL_PASSES
from sensenet.passes.infrastructure.rules import explain

ANOTHER_READER = "has another reader"
MORE_WEIGHTS = "would have more weights than the two"
PADS_LESS = "not every reader of 'p' would pad as much by itself"
CANCELS = "large numbers would cancel"
AMPLIFIED = "so large that different rounding would show"

REASONS = {
    "flatten-before-scaling/leaves_large_means": "not every reader of 'f' is a dense layer",
    "fold-average/leaves_activation": "the last layers have different activations",
    "fold-average/leaves_cancelling": CANCELS,
    "fold-average/shared_layer": ANOTHER_READER,
    "fold-batch-normalization/leaves_activated": "the layer 'layer_0' has the activation relu",
    "fold-batch-normalization/leaves_cancelling": CANCELS,
    "fold-batch-normalization/leaves_large_means": "the means are so large",
    "fold-batch-normalization/leaves_overflow": "a weight would not be finite in float32",
    "fold-batch-normalization/leaves_padding": "not every reader of 'n' is a layer that can absorb it",
    "fold-batch-normalization/leaves_tiny_weights": "near the ends of float32's range",
    "fold-batch-normalization/shared_layer": ANOTHER_READER,
    "fold-destandardization/leaves_cancelling": CANCELS,
    "fold-destandardization/shared_layer": ANOTHER_READER,
    "fold-gathers/leaves_cancelling": CANCELS,
    "fold-gathers/leaves_fewer_columns": "'few' picks some of many columns",
    "fold-pixel-standardization/leaves_mean_image": "is not one number for each channel",
    "fold-pixel-standardization/leaves_no_pixels": "the mean is larger than any pixel",
    "fold-pixel-standardization/shared_with_pool": "not every reader of 's' is a convolution",
    "fold-standardization/leaves_amplified": AMPLIFIED,
    "fold-standardization/leaves_large_weights": CANCELS,
    "fold-standardization/leaves_tiny_stdev": "deviations near the ends of float32's range",
    "fuse-activations/shared_layer": ANOTHER_READER,
    "merge-convolutions/leaves_bias_before_padding": "which the bias of 'a' does not reach",
    "merge-convolutions/leaves_bottleneck": MORE_WEIGHTS,
    "merge-convolutions/leaves_cancelling": CANCELS,
    "merge-convolutions/shared_convolution": ANOTHER_READER,
    "merge-dense/leaves_bottleneck": MORE_WEIGHTS,
    "merge-dense/leaves_cancelling": CANCELS,
    "merge-dense/shared_layer": ANOTHER_READER,
    "merge-parallel-dense/leaves_infinite": AMPLIFIED,
    "merge-padding/leaves_other_side": PADS_LESS,
    "merge-padding/shared_with_pool": PADS_LESS,
}
"""Golden case → what one of the explanations contains."""


@pytest.mark.parametrize("case", REASONS)
def test_a_rule_says_why_it_declines(case):
    golden = find_golden(case)
    current = ALL_PASSES[golden.pass_name]
    after = current.run(golden.graph)
    explanations = explain(after, current.rules)
    assert any(REASONS[case] in each.reason for each in explanations), explanations
    names = {node.name for node in after.nodes}
    assert {each.node for each in explanations} <= names
    assert {each.rule for each in explanations} <= {rule.__name__ for rule in current.rules}


@pytest.mark.parametrize("name", ALL_PASSES)
def test_nothing_is_declined_where_nothing_is_recognized(name):
    text = "sensenet graph\n%x = input() {type=f32[?,2]} : f32[?,2]\noutput y = %x\n"
    assert explain(parse_graph(text), ALL_PASSES[name].rules) == ()


def test_the_command_explains_a_pass(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sensenet.compile(find_golden("merge-dense/leaves_bottleneck").graph, "ir", passes=()).save("m.ir")
    arguments = ["m.ir", "-t", "ir", "--passes", "merge-dense,fuse-activations"]
    assert main([*arguments, "--explain", "merge-dense", "--explain", "fuse-activations"]) == 0
    out, err = capsys.readouterr()
    (line,) = out.splitlines()
    assert line.startswith("merge-dense: ")
    assert MORE_WEIGHTS in line
    assert err == "fuse-activations: nothing was declined\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.ir", "m.npz"]


@pytest.mark.parametrize("name", ["merge-dens", "legalize", "share-weights"])
def test_a_pass_that_does_not_run_is_not_explained(name, capsys, tmp_path):
    with pytest.raises(SystemExit):
        main([str(tmp_path / "m.ir"), "--passes", "merge-dense", "--explain", name])
    assert name in capsys.readouterr().err
