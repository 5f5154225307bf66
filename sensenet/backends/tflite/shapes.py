"""Infers the shapes of operators' results, and checks what LiteRT's kernels trust.

A rule takes an operator's inputs and options, and returns the shapes of its outputs; it raises ValueError if
LiteRT's kernel would trust something that is wrong. Sizes that only a call knows count as 1, as they do in
the file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from sensenet.backends.tflite.reading import Record
from sensenet.ir.types import Array
from sensenet.records import frozen

Sizes = tuple[int, ...]

MOST_AXES = 6


@frozen(eq=False, kw_only=True)
class Known:
    """What is known of a tensor: its type, as a letter, and its shape.

    `value` is its content if that is of whole numbers, and constant or follows from sizes. `scales` are those
    of int8, one or one for each entry of an axis.
    """

    type: str
    shape: Sizes
    value: Array | None = None
    scales: tuple[float, ...] = ()
    axis: int = 0
    constant: bool = False


Inputs = Sequence[Known]
Rule = Callable[[Inputs, Record], Sequence[Sizes | None]]
"""It returns None for a shape that is computed, of as many entries as an input has."""


def require(condition: Any, what: str) -> None:
    """Raise ValueError if something is not as it must be."""
    if not condition:
        raise ValueError(what)


def content(x: Known, what: str) -> list[int]:
    """Return the numbers of an operand that must be known."""
    if x.value is None:
        raise ValueError(f"{what} is not constant")
    require(len(x.shape) <= 1, f"the shape of {what}")
    return [int(number) for number in np.ravel(x.value)]


def axis_of(number: int, rank: int) -> int:
    """Return an axis counted from the first one."""
    require(-rank <= number < rank, f"the axis {number} of {rank}")
    return number % rank


def _same(inputs: Inputs, _: Record) -> list[Sizes]:
    return [inputs[0].shape]


def _with_axes(inputs: Inputs, _: Record) -> list[Sizes]:
    require(inputs[0].shape, "a scalar")
    return [inputs[0].shape]


def _broadcast(inputs: Inputs, _: Record) -> list[Sizes]:
    return [np.broadcast_shapes(*(x.shape for x in inputs))]


def _gather(inputs: Inputs, options: Record) -> list[Sizes]:
    x, places = inputs
    axis, count = axis_of(options["axis"], len(x.shape)), options["batch_dims"]
    require(0 <= count <= min(axis, len(places.shape)), "the number of batch axes")
    require(x.shape[:count] == places.shape[:count], "the batch axes")
    if places.value is not None and places.value.size:
        require(places.value.min() >= 0 and places.value.max() < x.shape[axis], "a position")
    return [(*x.shape[:axis], *places.shape[count:], *x.shape[axis + 1 :])]


def _concatenation(inputs: Inputs, options: Record) -> list[Sizes]:
    shape = list(inputs[0].shape)
    axis = axis_of(options["axis"], len(shape))
    require({len(x.shape) for x in inputs} == {len(shape)}, "the number of axes")
    rests = {x.shape[:axis] + x.shape[axis + 1 :] for x in inputs}
    require(len(rests) == 1, "the shapes")
    shape[axis] = sum(x.shape[axis] for x in inputs)
    return [tuple(shape)]


def _pack(inputs: Inputs, options: Record) -> list[Sizes]:
    shape = inputs[0].shape
    axis = axis_of(options["axis"], len(shape) + 1)
    require(options["count"] == len(inputs) and {x.shape for x in inputs} == {shape}, "the shapes")
    return [(*shape[:axis], len(inputs), *shape[axis:])]


def _expand_dims(inputs: Inputs, _: Record) -> list[Sizes]:
    x, given = inputs
    (number,) = content(given, "the axis")
    axis = axis_of(number, len(x.shape) + 1)
    return [(*x.shape[:axis], 1, *x.shape[axis:])]


def _squeeze(inputs: Inputs, options: Record) -> list[Sizes]:
    (x,) = inputs
    axes = {axis_of(int(axis), len(x.shape)) for axis in options["axes"]}
    axes = axes or {axis for axis, size in enumerate(x.shape) if size == 1}
    require(all(x.shape[axis] == 1 for axis in axes), "the axes")
    return [tuple(size for axis, size in enumerate(x.shape) if axis not in axes)]


def _reshape(inputs: Inputs, options: Record) -> list[Sizes | None]:
    x, *given = inputs
    total = math.prod(x.shape)
    if given and given[0].value is None:
        return [None]
    target = content(given[0], "the shape") if given else [int(size) for size in options.get("shape", ())]
    require(len(target) <= MOST_AXES and min(target, default=1) >= -1 and target.count(-1) <= 1, "the shape")
    known = math.prod(size for size in target if size != -1)
    require(-1 in target or known == total, "the shape")
    return [tuple(-(-total // max(known, 1)) if size == -1 else size for size in target)]


def _transpose(inputs: Inputs, _: Record) -> list[Sizes]:
    x, given = inputs
    order = content(given, "the order of axes")
    require(sorted(order) == list(range(len(x.shape))), "the order of axes")
    return [tuple(x.shape[axis] for axis in order)]


def _pad(inputs: Inputs, _: Record) -> list[Sizes]:
    x, given = inputs
    require(given.value is not None and given.shape == (len(x.shape), 2), "the paddings")
    around = np.asarray(given.value, np.int64)
    require(around.size == 0 or around.min() >= 0, "the paddings")
    return [tuple(size + int(more) for size, more in zip(x.shape, around.sum(1), strict=True))]


def _strided_slice(inputs: Inputs, options: Record) -> list[Sizes]:
    x, *bounds = inputs
    rank = len(x.shape)
    require(all(each.shape == (rank,) for each in bounds) and rank <= 5, "the bounds")
    require(not (options["ellipsis_mask"] or options["new_axis_mask"] or options["offset"]), "the masks")
    steps = content(bounds[2], "the steps")
    require(all(steps), "the steps")
    shrunk = [bool(options["shrink_mask"] >> axis & 1) for axis in range(rank)]
    require(all(step == 1 for step, each in zip(steps, shrunk, strict=True) if each), "the steps")
    sizes = list(x.shape)
    if bounds[0].value is not None and bounds[1].value is not None:
        begins, ends = (content(each, "the bounds") for each in bounds[:2])
        for axis, size in enumerate(x.shape):
            begin = None if options["begin_mask"] >> axis & 1 else begins[axis]
            end = None if options["end_mask"] >> axis & 1 else ends[axis]
            sizes[axis] = len(range(*slice(begin, end, steps[axis]).indices(size)))
    return [tuple(size for size, each in zip(sizes, shrunk, strict=True) if not each)]


def _slice_rule(inputs: Inputs, _: Record) -> list[Sizes]:
    x, begin, size = inputs
    begins, sizes = content(begin, "the bounds"), content(size, "the sizes")
    require(len(begins) == len(sizes) == len(x.shape) <= 5, "the bounds")
    for whole, first, count in zip(x.shape, begins, sizes, strict=True):
        require(first >= 0 and count >= -1 and first + max(count, 0) <= max(whole, 1), "the bounds")
    trios = zip(x.shape, begins, sizes, strict=True)
    return [tuple(whole - first if count == -1 else count for whole, first, count in trios)]


def _reduce(inputs: Inputs, options: Record) -> list[Sizes]:
    x, given = inputs
    axes = {axis_of(axis, len(x.shape)) for axis in content(given, "the axes")}
    if options["keep_dims"]:
        return [tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))]
    return [tuple(size for axis, size in enumerate(x.shape) if axis not in axes)]


def _arg_max(inputs: Inputs, _: Record) -> list[Sizes]:
    return _reduce(inputs, {"keep_dims": False})


def _reverse(inputs: Inputs, _: Record) -> list[Sizes]:
    x, given = inputs
    (number,) = content(given, "the axes")
    axis_of(number, len(x.shape))
    return [x.shape]


def _fill(inputs: Inputs, _: Record) -> list[Sizes]:
    target = content(inputs[0], "the shape")
    require(min(target, default=0) >= 0 and len(target) <= MOST_AXES and inputs[1].shape == (), "the shape")
    return [tuple(target)]


def _range_rule(inputs: Inputs, _: Record) -> list[Sizes]:
    require(all(x.shape == () for x in inputs), "the bounds")
    start, limit, step = (content(x, "a bound")[0] for x in inputs)
    require(step != 0, "the step")
    return [(len(range(start, limit, step)),)]


def _tile(inputs: Inputs, _: Record) -> list[Sizes]:
    x, given = inputs
    times = content(given, "the multiples")
    require(len(times) == len(x.shape) and min(times, default=0) >= 0, "the multiples")
    return [tuple(size * each for size, each in zip(x.shape, times, strict=True))]


def _one_hot(inputs: Inputs, options: Record) -> list[Sizes]:
    places, depth, on, off = inputs
    require(depth.shape == on.shape == off.shape == (), "the depth")
    (count,) = content(depth, "the depth")
    axis = axis_of(options["axis"], len(places.shape) + 1)
    require(count >= 0, "the depth")
    return [(*places.shape[:axis], count, *places.shape[axis:])]


def _shape_rule(inputs: Inputs, _: Record) -> list[Sizes]:
    return [(len(inputs[0].shape),)]


def _resize(inputs: Inputs, options: Record) -> list[Sizes]:
    x, given = inputs
    require(len(x.shape) == 4 and given.shape == (2,), "the size")
    require(not (options["align_corners"] and options["half_pixel"]), "the options")
    height, width = (1, 1) if given.value is None else content(given, "the size")
    require(min(height, width) > 0, "the size")
    return [(x.shape[0], height, width, x.shape[3])]


def _split(inputs: Inputs, options: Record) -> list[Sizes]:
    given, x = inputs
    axis, count = axis_of(content(given, "the axis")[0], len(x.shape)), options["count"]
    require(0 < count <= x.shape[axis] and x.shape[axis] % count == 0, "the number of parts")
    return [(*x.shape[:axis], x.shape[axis] // count, *x.shape[axis + 1 :])] * count


def _split_sizes(inputs: Inputs, options: Record) -> list[Sizes]:
    x, given, place = inputs
    axis, sizes = axis_of(content(place, "the axis")[0], len(x.shape)), content(given, "the sizes")
    rest = x.shape[axis] - sum(size for size in sizes if size != -1)
    require(len(sizes) == options["count"] and min(sizes, default=0) >= -1 and sizes.count(-1) <= 1, "sizes")
    require(rest >= 0 and (-1 in sizes or rest == 0), "the sizes")
    return [(*x.shape[:axis], rest if size == -1 else size, *x.shape[axis + 1 :]) for size in sizes]


_ELEMENTWISE = (
    "ABS CAST DEQUANTIZE ELU EXP FLOOR GELU HARD_SWISH LEAKY_RELU LOG LOGICAL_NOT LOGISTIC NEG QUANTIZE RELU "
    "RELU6 RELU_0_TO_1 RELU_N1_TO_1 ROUND RSQRT SQRT SQUARE TANH"
)
_BROADCASTING = (
    "ADD DIV EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL LOGICAL_AND LOGICAL_OR MAXIMUM MINIMUM MUL "
    "NOT_EQUAL SELECT_V2 SQUARED_DIFFERENCE SUB"
)

ARRAY_RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_ELEMENTWISE.split(), _same),
    **dict.fromkeys(_BROADCASTING.split(), _broadcast),
    **dict.fromkeys(("LOG_SOFTMAX", "SOFTMAX"), _with_axes),
    **dict.fromkeys(("MEAN", "REDUCE_ANY", "REDUCE_MAX", "REDUCE_MIN", "SUM"), _reduce),
    **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), _resize),
    "ARG_MAX": _arg_max,
    "CONCATENATION": _concatenation,
    "EXPAND_DIMS": _expand_dims,
    "FILL": _fill,
    "GATHER": _gather,
    "ONE_HOT": _one_hot,
    "PACK": _pack,
    "PAD": _pad,
    "RANGE": _range_rule,
    "RESHAPE": _reshape,
    "REVERSE_V2": _reverse,
    "SHAPE": _shape_rule,
    "SLICE": _slice_rule,
    "SPLIT": _split,
    "SPLIT_V": _split_sizes,
    "SQUEEZE": _squeeze,
    "STRIDED_SLICE": _strided_slice,
    "TILE": _tile,
    "TRANSPOSE": _transpose,
}
"""For each kind of operator that computes or rearranges element by element, its rule."""
