"""What the emit functions take for TensorFlow where TensorFlow Lite's operators are to be recorded.

It has that part of TensorFlow's API that the shared lowering is written in. Nothing rewrites what is recorded
but `fuse`: a division by a constant stays one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sensenet.backends.tflite.arrays import Arrays
from sensenet.backends.tflite.elementwise import FLOAT32
from sensenet.backends.tflite.operators import Value
from sensenet.backends.tflite.tape import Recording, Tape
from sensenet.backends.tflite.tensors import Tensor
from sensenet.ir.ops.windows import Padding, count_windows
from sensenet.ir.types import broadcast


class Recorder(Arrays):
    """The ops of layers and loops, and of the modules that they stand in."""

    def __init__(self) -> None:
        super().__init__(Tape())
        self.nn = self.math = self.image = self

    @contextmanager
    def name_scope(self, name: str) -> Iterator[None]:
        """While it lasts, results have this name."""
        outer, self.tape.scope = self.tape.scope, name
        try:
            yield
        finally:
            self.tape.scope = outer

    def Variable(self, content: Any, trainable: bool) -> Tensor:  # noqa: ARG002, N802
        """A weight: here a constant like others."""
        return self.constant(content)

    def identity(self, x: Any, name: str) -> Tensor:  # noqa: ARG002
        return self.constant(x)

    def matmul(self, a: Any, b: Any) -> Tensor:
        """The product of matrices: a layer, where the second is a constant; with a row of ones a sum."""
        left, right = self.constant(a).value, self.constant(b).value
        if _is_row_of_ones(left) and left.rank <= right.rank:
            return self.reduce_sum(b, axis=-2, keepdims=True)
        if right.constant is not None and right.rank == 2:
            kernel = self.transpose(b, (1, 0)).value
            return self._tensor(
                "FULLY_CONNECTED",
                [left, kernel, None],
                FLOAT32,
                (*left.shape[:-1], right.shape[1]),
                fusedActivationFunction="NONE",
                keepNumDims=left.rank > 2,
            )
        outer = broadcast(left.shape[:-2], right.shape[:-2])
        assert outer is not None
        shape = (*outer, left.shape[-2], right.shape[-1])
        return self._tensor("BATCH_MATMUL", [left, right], FLOAT32, shape, adjX=False, adjY=False)

    def conv2d(self, x: Any, kernel: Any, strides: Any, padding: str) -> Tensor:
        given, weights = self.constant(x).value, self.constant(kernel).value
        height, width, _, filters = (int(size or 0) for size in weights.shape)
        steps = (strides, strides) if isinstance(strides, int) else tuple(strides)
        shape = _windows(given, (height, width), steps, padding, filters)
        inputs = [given, self.transpose(kernel, (3, 0, 1, 2)).value, None]
        return self._tensor("CONV_2D", inputs, FLOAT32, shape, **_windows_options(steps, padding))

    def depthwise_conv2d(self, x: Any, kernel: Any, strides: Any, padding: str) -> Tensor:
        given, weights = self.constant(x).value, self.constant(kernel)
        height, width, channels, multiplier = (int(size or 0) for size in weights.shape)
        steps = tuple(strides)[1:3]
        flat = self.reshape(weights, [1, height, width, channels * multiplier]).value
        shape = _windows(given, (height, width), steps, padding, channels * multiplier)
        options = {**_windows_options(steps, padding), "depthMultiplier": multiplier}
        return self._tensor("DEPTHWISE_CONV_2D", [given, flat, None], FLOAT32, shape, **options)

    def max_pool2d(self, x: Any, size: Any, strides: Any, padding: str) -> Tensor:
        return self._pool("MAX_POOL_2D", x, size, strides, padding)

    def avg_pool2d(self, x: Any, size: Any, strides: Any, padding: str) -> Tensor:
        return self._pool("AVERAGE_POOL_2D", x, size, strides, padding)

    def _pool(self, kind: str, x: Any, size: Any, strides: Any, padding: str) -> Tensor:
        given, (height, width) = self.constant(x).value, size
        shape = _windows(given, (height, width), tuple(strides), padding, given.shape[3])
        options = _windows_options(tuple(strides), padding)
        return self._tensor(kind, [given], FLOAT32, shape, **options, filterHeight=height, filterWidth=width)

    def while_loop(
        self,
        proceed: Callable[..., Tensor],
        step: Callable[..., Sequence[Tensor]],
        start: Sequence[Tensor],
    ) -> tuple[Tensor, ...]:
        """The last of the tensors that `step` makes of those before, while `proceed` says so.

        What both read from around the loop goes through it, unchanged.
        """
        recordings = [self._record_part(function, start) for function in (proceed, step)]
        read = list(dict.fromkeys(value for each in recordings for value in each.captured))
        for each in recordings:
            passed = [each.captured.get(value) or Value(value.dtype, value.shape) for value in read]
            each.graph.inputs += passed
        condition, body = (each.graph for each in recordings)
        body.outputs += passed
        inputs = [*(tensor.value for tensor in start), *read]
        outputs = [Value(value.dtype, value.shape, self.tape.scope) for value in inputs]
        results = self.tape.record("WHILE", inputs, outputs, {}, (condition, body))
        return tuple(Tensor(self, value) for value in results[: len(start)])

    def _record_part(self, function: Callable[..., Any], start: Sequence[Tensor]) -> Recording:
        """What a function does, as a subgraph whose inputs are tensors like those that it is given."""
        with self.tape.subgraph() as recording:
            inputs = [self.tape.input(each.dtype, each.value.shape, self.tape.scope) for each in start]
            results = function(*(Tensor(self, value) for value in inputs))
            given = (results,) if isinstance(results, Tensor) else results
            self.tape.give([tensor.value for tensor in given])
        return recording


def _is_row_of_ones(x: Value) -> bool:
    return x.constant is not None and x.constant.size == x.shape[-1] and bool((x.constant == 1).all())


def _windows(
    x: Value, window: tuple[int, int], steps: tuple[int, ...], padding: str, channels: int | None
) -> tuple[int | None, ...]:
    """The shape of a picture with one pixel for each window."""
    sizes = (
        None if size is None else count_windows(size, length, step, Padding[padding])
        for size, length, step in zip(x.shape[1:3], window, steps, strict=True)
    )
    return (x.shape[0], *sizes, channels)


def _windows_options(steps: tuple[int, ...], padding: str) -> dict[str, Any]:
    """The options of all operators with windows."""
    return {
        "padding": padding,
        "strideH": steps[0],
        "strideW": steps[1],
        "fusedActivationFunction": "NONE",
    }
