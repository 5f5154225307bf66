"""Numbers that keep track of the size of the terms that they are sums of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from sensenet.records import frozen

if TYPE_CHECKING:
    import numpy.typing as npt

Weights = np.ndarray[Any, np.dtype[np.float64]]


@frozen(eq=False)
class Sums:
    """float64 numbers, each with the sum of the magnitudes of its terms, as in running error analysis.

    A sum is rounded in proportion to its terms. Those that cancel leave a number next to which the rounding
    is large: 1e30 - 1e30 is 0 with a size of 2e30.
    """

    value: Weights
    terms: Weights | None = None
    """None if nothing was added: the magnitudes of the numbers themselves."""
    kept: Weights | None = None
    """Without the terms that are `moved`; None if none are."""

    __array_ufunc__ = None
    """NumPy leaves `array @ sums` and its kin to this class."""

    @property
    def size(self) -> Weights:
        """float64 of the shape of the numbers: the sums of the magnitudes of their terms."""
        return np.abs(self.value) if self.terms is None else self.terms

    @property
    def rest(self) -> Weights:
        """float64 in the shape of the numbers: the remainder if an input cancels the moved terms."""
        return self.value if self.kept is None else self.kept

    def moved(self) -> Sums:
        """Return the numbers as terms that the network adds to a layer's input, which may cancel them."""
        return Sums(self.value, self.size, np.zeros_like(self.value))

    def __add__(self, other: Sums | npt.ArrayLike) -> Sums:
        second = as_sums(other)
        return Sums(self.value + second.value, self.size + second.size, self.rest + second.rest)

    def __sub__(self, other: Sums | npt.ArrayLike) -> Sums:
        return self + as_sums(other) * -1.0

    def __mul__(self, other: Sums | npt.ArrayLike) -> Sums:
        second = as_sums(other)
        if self.terms is None and second.terms is None:
            return Sums(self.value * second.value)
        return Sums(self.value * second.value, self.size * second.size, self.rest * second.rest)

    def __truediv__(self, other: npt.ArrayLike) -> Sums:
        divisor = np.asarray(other, np.float64)
        if self.terms is None:
            return Sums(self.value / divisor)
        return Sums(self.value / divisor, self.size / np.abs(divisor), self.rest / divisor)

    def __matmul__(self, other: Sums | npt.ArrayLike) -> Sums:
        """Return the matrix product, of sums without moved terms."""
        second = as_sums(other)
        return Sums(self.value @ second.value, self.size @ second.size)

    __radd__ = __add__
    __rmul__ = __mul__

    def __rmatmul__(self, other: npt.ArrayLike) -> Sums:
        return as_sums(other) @ self

    def map(self, function: Callable[[Weights], Weights]) -> Sums:
        """Return the numbers, none of them moved, after a function that rearranges or sums them."""
        return Sums(function(self.value), function(self.size))


def as_sums(numbers: Sums | npt.ArrayLike) -> Sums:
    """Return the numbers, each a term by itself unless they are sums already."""
    return numbers if isinstance(numbers, Sums) else Sums(np.asarray(numbers, np.float64))
