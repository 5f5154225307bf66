"""The base of all ops: frozen attrs classes with `infer` and `evaluate`.

To be printed, parsed, verified and evaluated, an op needs only its declaration (`@frozen(kw_only=True) class
Name(Op)`) and a line in `sensenet.ir.ops.table`. Each target also needs a row in its emit table, or a rule
that lowers the op to others.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from sensenet.errors import VerifyError
from sensenet.ir.types import TensorType

INTERPOLATED_COPIES = 4
"""`Op.copies` of ops that interpolate: both neighbors, their difference, and a share of it."""


class Op:
    """The base of all ops: the computation of a node, without its inputs.

    `infer` takes the types of the inputs and returns the type of the result, or a tuple if the op has several
    results; it raises `VerifyError` for inputs that the op does not accept. `evaluate` takes NumPy arrays of
    those types and returns the result, which defines the op. Both are pure functions.
    """

    trainable: ClassVar[bool] = False
    """Whether its tensors are a layer's weights, which training changes."""

    copies: ClassVar[int] = 2
    """The most temporary arrays of the size of the result: `x * sigmoid(x)` has two."""

    def infer(self, *_types: Any, **_: Any) -> TensorType | tuple[TensorType, ...]:
        raise TypeError(f"{type(self).__name__} declares no infer")

    def evaluate(self, *_arrays: Any, **_: Any) -> Any:
        raise TypeError(f"{type(self).__name__} declares no evaluate")

    @classmethod
    def mnemonic(cls) -> str:
        """Return the name in the text form: `MaxPool2D` is `max_pool_2d`."""
        return re.sub(r"(?<=[a-z])(?=[A-Z0-9])", "_", cls.__name__).lower()


def require(condition: bool, message: str) -> None:
    """Raise `VerifyError(message)` unless the condition is true; for the checks in `infer`."""
    if not condition:
        raise VerifyError(message)
