"""Random constants."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from hypothesis import strategies as st

from sensenet.ir.types import DType, Tensor
from support.seeds import SEEDS, seeded

SPECIAL = (0.0, -0.0, 0.5, -1.5, np.nan, np.inf, -np.inf, 1e-40, 3e38)


@st.composite
def tensors(draw: st.DrawFn, dtypes: Collection[DType] = DType, max_rank: int = 3) -> Tensor:
    """Constants of any shape with at most 4 entries an axis, special numbers among them."""
    dtype = draw(st.sampled_from(list(dtypes)))
    shape = draw(st.lists(st.integers(0, 4), max_size=max_rank).map(tuple))
    array = seeded(draw(SEEDS), *shape, scale=4.0)
    if dtype is DType.FLOAT32 and array.size and draw(st.booleans()):
        array.flat[draw(st.integers(0, array.size - 1))] = draw(st.sampled_from(SPECIAL))
    return Tensor.owning(np.asarray(array > 0 if dtype is DType.BOOL else array, dtype.numpy))
