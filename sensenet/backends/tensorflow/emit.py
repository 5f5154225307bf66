"""The type of emit functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Emit = Callable[..., Any]
"""`emit(tf, op, *inputs, *weights)` returns the result of an op, given the TensorFlow module.

All inputs and weights are tensors; the weights are the attributes that `WEIGHTS` lists for the op. The result
is a tensor, or a tuple of tensors if the op has several results.
"""
