"""Types, shapes, and constants that compare by content."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensenet.ir.types import DType, Tensor, TensorType, broadcast, f32, matches


def test_types_are_equal_by_dtype_and_shape():
    assert f32(None, 10) == TensorType(DType.FLOAT32, [None, 10])
    assert hash(f32(None, 10)) == hash(TensorType(DType.FLOAT32, [None, 10]))
    assert f32(None, 10) != f32(10, None)
    assert f32(2) != TensorType(DType.INT32, (2,))


def test_types_print_and_change():
    assert str(f32(None, 10)) == "f32[?,10]"
    assert str(TensorType(DType.BOOL, ())) == "bool[]"
    assert f32(None, 3).with_last(4) == f32(None, 4)
    assert f32(None, 3).with_dtype(DType.INT32) == TensorType(DType.INT32, (None, 3))
    assert f32(None, 3).rank == 2


@pytest.mark.parametrize(
    ("array", "accepted"),
    [
        (np.zeros((5, 3), np.float32), True),
        (np.zeros((0, 3), np.float32), True),
        (np.zeros((5, 3), np.float64), False),
        (np.zeros((5, 2), np.float32), False),
        (np.zeros(3, np.float32), False),
        (np.zeros((5, 3), ">f4"), False),
    ],
)
def test_types_accept_arrays(array, accepted):
    assert f32(None, 3).accepts(array) is accepted


def test_dtypes_without_a_name_are_refused():
    with pytest.raises(TypeError, match="float64"):
        Tensor(np.zeros(3))
    with pytest.raises(TypeError, match="int64"):
        DType.of(np.zeros(3, np.int64))


def test_unknown_sizes_match_any():
    assert matches((None, 3), (5, None))
    assert not matches((4, 3), (5, None))
    assert not matches((3,), (None, 3))


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ([(None, 3), (3,)], (None, 3)),
        ([(None, 1), (1, 4)], (None, 4)),
        ([(None,), (1,)], (None,)),
        ([(None,), (5,)], (5,)),
        ([(2, 3), (3, 2)], None),
        ([(), ()], ()),
        ([(0,), (1,)], (0,)),
        ([(0,), (2,)], None),
        ([(2, 1), (None, None), (1, 3)], (2, 3)),
    ],
)
def test_broadcast_with_unknown_sizes(shapes, expected):
    assert broadcast(*shapes) == expected


sizes = st.integers(0, 3)


@given(st.lists(st.lists(sizes, max_size=3).map(tuple), min_size=1, max_size=3))
def test_broadcast_of_known_shapes_is_numpys(shapes):
    try:
        expected = np.broadcast_shapes(*shapes)
    except ValueError:
        expected = None
    assert broadcast(*shapes) == expected


def test_constants_are_equal_by_content():
    first, second = Tensor.float32([1, 2]), Tensor.float32(np.float64([1, 2]))
    assert first == second
    assert hash(first) == hash(second)
    assert first != Tensor.float32([1, 3])
    assert first != Tensor.float32([[1, 2]])
    assert first != Tensor.int32([1, 2])
    assert first != "a tensor"


def test_constants_are_equal_bit_by_bit():
    assert Tensor.float32(0.0) != Tensor.float32(-0.0)
    assert Tensor.float32([np.nan]) == Tensor.float32([np.nan])


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (3, 0), (1,), (2, 3)])
def test_constants_of_any_shape_have_a_digest(shape):
    tensor = Tensor.float32(np.ones(shape))
    assert tensor.shape == tensor.array.shape == shape
    assert len(tensor.digest) == 32
    assert tensor.finite
    assert "f32" in repr(tensor)


def test_finite():
    assert not Tensor.float32([1, np.nan]).finite
    assert not Tensor.float32([1, -np.inf]).finite
    assert Tensor.int32([1]).finite
    assert Tensor(np.ones(1, np.bool_)).finite


def test_float32_rounds_without_a_warning():
    assert Tensor.float32([1e300]).array[0] == np.inf
    assert Tensor.float32([0.1]).array[0] == np.float32(0.1)
    assert Tensor.float32([0.1]).float64.dtype == np.float64


def test_writing_to_the_callers_array_does_not_change_a_constant():
    mine = np.ones(3, np.float32)
    tensors = [Tensor(mine), Tensor(mine[:2]), Tensor.float32(mine)]
    digests = [tensor.digest for tensor in tensors]
    assert mine.flags.writeable, "the caller's array is not frozen"
    mine[:] = 7
    assert all((tensor.array == 1).all() for tensor in tensors)
    assert [Tensor(tensor.array).digest for tensor in tensors] == digests


def test_a_read_only_view_of_a_writeable_array_is_copied():
    mine = np.ones(3, np.float32)
    view = mine[:]
    view.flags.writeable = False
    tensor = Tensor(view)
    mine[0] = 7
    assert tensor.array[0] == 1


def test_constants_cannot_be_written_to():
    for tensor in (Tensor(np.ones(3, np.float32)), Tensor.float32([1]), Tensor.owning(np.ones(3, np.int32))):
        with pytest.raises(ValueError, match="read-only"):
            tensor.array[0] = 7


def test_read_only_and_given_arrays_are_not_copied():
    mine = np.ones((2, 3), np.float32)
    owned = Tensor.owning(mine)
    assert np.shares_memory(owned.array, mine)
    assert not mine.flags.writeable
    assert Tensor(owned.array).array is owned.array
    assert Tensor.float32(owned.array).array is owned.array
    loaded = np.frombuffer(bytes(8), np.float32)
    assert np.shares_memory(Tensor(loaded).array, loaded)
    halves = np.ones((4, 3), np.float32)
    assert np.shares_memory(Tensor.owning(halves.reshape(2, 6)).array, halves)


def test_constants_are_contiguous():
    transposed = np.arange(6, dtype=np.float32).reshape(2, 3).T
    tensor = Tensor(transposed)
    assert tensor.array.flags.c_contiguous
    np.testing.assert_array_equal(tensor.array, transposed)
    assert tensor == Tensor.float32([[0, 3], [1, 4], [2, 5]])
