"""The passes, and the pipeline that they form: a table to read from top to bottom.

Level 0 is the network as trained, level 1 answers exactly as level 0 does under `evaluate`, level 2 up to
float32 rounding: within 1e-6 + 1e-5 · |answer|, and for convolutions relative to the largest answer. A
network so deep that a change of the last bit of each weight moves its answers further may move by as much.
Rules of level 2 decline if weights are so large or small that float32 would overflow, lose digits, or show
how it rounds: see `magnitudes` and `weights`. A target's own last pass is `legalize(…)`.

Dead code needs no pass: a graph consists of what its outputs reach (see
`sensenet.passes.infrastructure.rules`).
"""

from __future__ import annotations

from collections.abc import Mapping

from sensenet.passes import (
    batch_networks,
    eliminate_common_subexpressions,
    flatten_before_scaling,
    fold_average,
    fold_batch_normalization,
    fold_channel_order,
    fold_constant_columns,
    fold_constants,
    fold_destandardization,
    fold_gathers,
    fold_pixel_standardization,
    fold_standardization,
    fuse_activations,
    look_up_categories,
    merge_convolutions,
    merge_dense,
    merge_forests,
    merge_padding,
    merge_parallel_dense,
    remove_identities,
    rewrite_thresholds,
    share_weights,
    simplify_rearrangements,
)
from sensenet.passes.infrastructure.rules import Pass
from sensenet.records import frozen

__all__ = ["ALL_PASSES", "DEFAULT_LEVEL", "LEVELS", "PIPELINE", "PIPELINES", "Step"]


@frozen
class Step:
    """A pass of the pipeline: the lowest level that runs it, and why it is where it is."""

    pass_: Pass
    level: int
    reason: str


PIPELINE: tuple[Step, ...] = (
    Step(remove_identities.PASS, 1, "first: dropout and linear activations separate nodes to be matched"),
    Step(rewrite_thresholds.PASS, 1, "early: frees features and standardized columns of forests"),
    Step(simplify_rearrangements.PASS, 1, "before equal nodes are found: equal selections then look equal"),
    Step(eliminate_common_subexpressions.PASS, 1, "early: equal nodes are folded once"),
    Step(fold_constants.PASS, 1, "once equal nodes are one, each constant is computed once"),
    Step(merge_padding.PASS, 1, "after empty paddings are gone; before folding, which depends on padding"),
    Step(flatten_before_scaling.PASS, 2, "before folding: dense layers then read the scaled columns"),
    Step(fold_batch_normalization.PASS, 2, "before fusion: it needs layers that are still linear"),
    Step(fuse_activations.PASS, 1, "after batch normalization no longer separates layers and activations"),
    Step(fold_destandardization.PASS, 2, "before the last layers are merged"),
    Step(fold_constant_columns.PASS, 2, "before forests are merged: a forest is constant only as a whole"),
    Step(
        merge_forests.PASS,
        2,
        "before gathers are folded: slices of tree features may then read forests alone",
    ),
    Step(fold_gathers.PASS, 2, "moves standardized columns right before the layers that read them"),
    Step(fold_standardization.PASS, 2, "once only layers read the standardized columns"),
    Step(merge_dense.PASS, 2, "once narrow linear layers have absorbed what can be folded into them"),
    Step(batch_networks.PASS, 2, "once no more layers can be merged, before other passes join their results"),
    Step(fold_average.PASS, 2, "once destandardization is folded and networks of one shape are batched"),
    Step(merge_parallel_dense.PASS, 2, "after fold-average, from the layers that it joins down to the first"),
    Step(fold_channel_order.PASS, 2, "before pixel standardization: no gather then separates its steps"),
    Step(fold_pixel_standardization.PASS, 2, "once paddings that convolutions apply themselves are gone"),
    Step(merge_convolutions.PASS, 2, "once linear convolutions have absorbed what can be folded into them"),
    Step(look_up_categories.PASS, 2, "once layers have absorbed all that can be folded into their kernels"),
    Step(share_weights.PASS, 1, "last: other passes create new ops"),
)
"""Every pass, in the order in which they run."""

LEVELS = (0, 1, 2)
DEFAULT_LEVEL = 2

PIPELINES: Mapping[int, tuple[Pass, ...]] = {
    level: tuple(step.pass_ for step in PIPELINE if step.level <= level) for level in LEVELS
}
"""The passes of each optimization level, in order."""

ALL_PASSES: Mapping[str, Pass] = {step.pass_.name: step.pass_ for step in PIPELINE}
"""Every pass by its name."""
