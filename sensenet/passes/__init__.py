"""The passes, and the pipelines that are made of them: tables to read from top to bottom.

Level 0 is the network as trained, level 1 answers exactly as level 0 does under `evaluate`, level 2 up to
float32 rounding: within 1e-6 + 1e-5 · |answer|, and where pictures are convolved, beside the largest answer.
A network so deep that a change of each weight's last bit moves its answers more than that moves as much. A
target's own last pass is `legalize(…)`.

Dead code needs no pass: a graph is what its outputs reach (see `rewrite`).
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
from sensenet.passes.legalize import legalize
from sensenet.passes.rewrite import Pass

__all__ = ["ALL_PASSES", "PIPELINES", "legalize"]

_EXACT: tuple[Pass, ...] = (
    remove_identities.PASS,  # first: dropout and linear activations stand between what others match
    rewrite_thresholds.PASS,  # early: frees features and standardised columns of forests
    simplify_rearrangements.PASS,  # before equal nodes are looked for: equal selections then look equal
    eliminate_common_subexpressions.PASS,  # early: what is found equal is used once, and folded once
    fold_constants.PASS,  # once equal nodes are one, each constant is worked out once
    merge_padding.PASS,  # after paddings of nothing are gone, and equal ones are one
    fuse_activations.PASS,  # once nothing stands between a layer and its activation
    share_weights.PASS,  # last: others make new ops
)

_ROUNDING: tuple[Pass, ...] = (
    remove_identities.PASS,  # first: dropout and linear activations stand between what others match
    rewrite_thresholds.PASS,  # early: frees features and standardised columns of forests
    simplify_rearrangements.PASS,  # before equal nodes are looked for: equal selections then look equal
    eliminate_common_subexpressions.PASS,  # early: what is found equal is used once, and folded once
    fold_constants.PASS,  # once equal nodes are one, each constant is worked out once
    merge_padding.PASS,  # before folding, which goes by what convolutions pad
    flatten_before_scaling.PASS,  # before folding: dense layers then read what is scaled
    fold_batch_normalization.PASS,  # before fusion: it needs layers that are still linear
    fuse_activations.PASS,  # takes activations that stood behind a batch normalization too
    fold_destandardization.PASS,  # while the last layers still stand alone
    fold_constant_columns.PASS,  # before forests are merged: a whole forest is constant, or none of it
    merge_forests.PASS,  # before gathers are folded: slices of the tree features may then read forests alone
    fold_gathers.PASS,  # brings standardised columns right before the layers that read them
    fold_standardization.PASS,  # once only layers read the standardised columns
    merge_dense.PASS,  # once narrow linear layers have taken in what folds into layers
    batch_networks.PASS,  # once layers are as few as they get, before others join their results
    fold_average.PASS,  # once destandardisation is in the last layers, and batches are out
    merge_parallel_dense.PASS,  # from the layers that fold-average puts side by side down to the first
    fold_channel_order.PASS,  # before standardisation of pixels: no gather is left between its steps
    fold_pixel_standardization.PASS,  # once paddings that convolutions do by themselves are gone
    merge_convolutions.PASS,  # once linear convolutions have taken in what folds into them
    look_up_categories.PASS,  # once layers have taken in all that folds into their kernels
    share_weights.PASS,  # last: others make new ops
)

PIPELINES: Mapping[int, tuple[Pass, ...]] = {0: (), 1: _EXACT, 2: _ROUNDING}
"""The passes of each optimisation level, in order."""

ALL_PASSES: Mapping[str, Pass] = {each.name: each for each in dict.fromkeys((*_EXACT, *_ROUNDING))}
"""Every pass by its name."""
