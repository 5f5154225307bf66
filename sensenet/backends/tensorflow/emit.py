"""What an emit function is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Emit = Callable[..., Any]
"""`emit(tf, op, *inputs, *weights)`: the TensorFlow module, an op, its inputs and weights → the result.

All inputs and weights are tensors; the weights are the attributes that `WEIGHTS` lists for the op. The result
is a tensor, or a tuple of tensors if the op has several results.
"""
