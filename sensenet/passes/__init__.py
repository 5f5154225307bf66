"""The passes, and the pipelines that are made of them: tables to read from top to bottom.

Level 0 is the network as trained, level 1 answers exactly as level 0 does under `evaluate`, level 2 up to
float32 rounding: within 1e-6 + 1e-5 · |answer|. A target's own last pass is `legalize(…)`.

Dead code needs no pass: a graph is what its outputs reach (see `rewrite`).
"""

from __future__ import annotations

from collections.abc import Mapping

from sensenet.passes import (
    eliminate_common_subexpressions,
    fold_batch_normalization,
    fold_constants,
    fold_destandardization,
    fold_gathers,
    fold_standardization,
    fuse_activations,
    merge_dense,
    merge_forests,
    remove_identities,
    rewrite_thresholds,
    simplify_rearrangements,
)
from sensenet.passes.legalize import legalize
from sensenet.passes.rewrite import Pass

__all__ = ["ALL_PASSES", "PIPELINES", "legalize"]

_EXACT: tuple[Pass, ...] = (
    remove_identities.PASS,  # first: dropout and linear activations stand between what others match
    eliminate_common_subexpressions.PASS,  # early: what is found equal is folded once, and is used once
    fold_constants.PASS,  # before anything looks for constants
    fuse_activations.PASS,
    rewrite_thresholds.PASS,  # frees standardised columns, and the slices of them, of their forests
    simplify_rearrangements.PASS,  # last: what the others leave of slices, gathers and concatenations
)

_ROUNDING: tuple[Pass, ...] = (
    remove_identities.PASS,  # first: dropout and linear activations stand between what others match
    eliminate_common_subexpressions.PASS,  # early: what is found equal is folded once, and is used once
    fold_constants.PASS,  # before anything looks for constants
    fold_batch_normalization.PASS,  # before fusion: it needs layers that are still linear
    fuse_activations.PASS,  # takes activations that stood behind a batch normalization too
    fold_destandardization.PASS,
    rewrite_thresholds.PASS,  # frees standardised columns of forests, which fold-standardization asks for
    fold_gathers.PASS,  # before simplification: nested concatenations come out from behind the gathers
    simplify_rearrangements.PASS,  # brings standardised columns right before the layers that read them
    merge_forests.PASS,  # after it: forests stand side by side in one flat concatenation
    fold_standardization.PASS,  # once only layers read the standardised columns
    merge_dense.PASS,  # last: narrow linear layers have taken in what folds into layers
)

PIPELINES: Mapping[int, tuple[Pass, ...]] = {0: (), 1: _EXACT, 2: _ROUNDING}
"""The passes of each optimisation level, in order."""

ALL_PASSES: Mapping[str, Pass] = {each.name: each for each in dict.fromkeys((*_EXACT, *_ROUNDING))}
"""Every pass by its name."""
