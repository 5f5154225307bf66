"""What an emit function is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Emit = Callable[..., Any]
"""`emit(tf, op, *tensors)`: the TensorFlow module, an op and its inputs give the result.

It is a tensor, or a tuple of tensors where the op has several results.
"""
