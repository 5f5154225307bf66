"""Runs .tflite files with LiteRT, or with TensorFlow's interpreter if only that is installed."""

from __future__ import annotations

import contextlib
import functools
import importlib
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from sensenet.artifact import Executable
from sensenet.backends.batching import call_memory, is_of_rows, run_batches, threads_of_a_call
from sensenet.backends.optional import import_tensorflow_lite
from sensenet.backends.silence import silence
from sensenet.backends.tflite.metadata import SIGNATURE_KEY
from sensenet.errors import ArtifactError, InputError, MissingPackageError
from sensenet.foreign_errors import first_line
from sensenet.forks import PerProcess, delay_forks
from sensenet.ir.types import Array, DType, TensorType
from sensenet.processors import usable_processors
from sensenet.signature import Signature

MOST_ROWS = 1024
"""Rows per call of an interpreter: intermediate results then fit a processor's cache."""


class Interpreter:
    """One interpreter of a file, for any batch size, and one call at a time.

    It is prepared anew only when the shape of an input differs from that of the call before.
    """

    def __init__(self, content: bytes, threads: int) -> None:
        interpreter_class = find_interpreter()
        with silence(), delay_forks():
            self._interpreter = interpreter_class(model_content=content, num_threads=threads)
            signature = self._interpreter.get_signature_runner(SIGNATURE_KEY)
        order = [detail["index"] for detail in self._interpreter.get_output_details()]
        outputs = signature.get_output_details()
        names = sorted(outputs, key=lambda name: order.index(outputs[name]["index"]))
        self._outputs = {name: outputs[name]["index"] for name in names}
        details = signature.get_input_details()
        self._inputs = {name: detail["index"] for name, detail in details.items()}
        self._shapes: dict[str, tuple[int, ...]] = {}
        self.inputs = {name: _tensor_type(detail) for name, detail in details.items()}
        self.outputs = {name: _tensor_type(outputs[name]) for name in names}

    def __call__(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Return named outputs for named inputs of the declared types; raise InputError for wrong shapes."""
        try:
            return self._run(arrays)
        except (RuntimeError, ValueError) as error:
            self._shapes = {}
            raise InputError(
                f"the interpreter refused inputs of these shapes: {first_line(error)}"
            ) from error

    def _run(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        shapes = {name: array.shape for name, array in arrays.items()}
        if shapes != self._shapes:
            # LiteRT announces on stderr that it has made its delegate, which happens the first time
            with delay_forks(), contextlib.nullcontext() if self._shapes else silence():
                self._prepare(shapes)
            self._shapes = shapes
        for name, array in arrays.items():
            self._interpreter.set_tensor(self._inputs[name], array)
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(index) for name, index in self._outputs.items()}

    def _prepare(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        for name, shape in shapes.items():
            self._interpreter.resize_tensor_input(self._inputs[name], shape)
        self._interpreter.allocate_tensors()


class _Pool:
    """Interpreters to lend: `spare` are those that nobody uses, `free` counts how many more may be used."""

    def __init__(self, most: int, spare: list[Interpreter]) -> None:
        self.free = threading.BoundedSemaphore(most)
        self.spare = spare


class Runner:
    """A file in interpreters, for any batch size and from any thread.

    A model of rows is given many of them in blocks, which run side by side: each in an interpreter of its
    own, made when there is none to spare, on the content that all share. Any other model has one interpreter,
    whose calls run one after the other; `threads` is how many threads a call may use. A forked process makes
    interpreters of its own: the threads of those that it has inherited are gone.
    """

    def __init__(self, content: bytes, threads: int) -> None:
        self.content = content
        first = Interpreter(content, threads)
        self.inputs, self.outputs = first.inputs, first.outputs
        self._make = functools.partial(Interpreter, content, threads)
        self._run = run_batches(self._lend, first.inputs, first.outputs, MOST_ROWS)
        divided = is_of_rows(first.inputs.values(), first.outputs.values())
        processors = usable_processors() if divided else 1
        firsts = [first]
        self._pools = PerProcess(lambda: _Pool(processors, [firsts.pop()] if firsts else []))
        self._pools.get()

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the named outputs for named inputs; raise InputError for a missing or ill-typed input."""
        return self._run(inputs)

    def _lend(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Return the answer of an idle interpreter, the one used last if possible."""
        pool = self._pools.get()
        with pool.free:
            try:
                interpreter = pool.spare.pop()
            except IndexError:
                interpreter = self._make()
            try:
                return interpreter(arrays)
            finally:
                pool.spare.append(interpreter)


def make_executable(
    content: bytes, signature: Signature, threads: int | None, where: str, size: int = 0
) -> Executable:
    """Return the model in an interpreter; raises ArtifactError if the interpreter refuses it.

    Without `threads`, a call may use those of `threads_of_a_call`. `size` is the bytes that a call takes with
    a row, or with a batch of the file's one size; 0 if the graph is known.
    """
    try:
        run = Runner(content, threads_of_a_call(signature) if threads is None else threads)
    except (RuntimeError, ValueError) as error:
        raise ArtifactError(f"{where} cannot be run by TensorFlow Lite: {first_line(error)}") from error
    return Executable(signature=signature, run=run, call_memory=call_memory(run.inputs, run.outputs, size))


def find_interpreter() -> Any:
    """Return LiteRT's interpreter class, else TensorFlow's; raise MissingPackageError without either."""
    try:
        with delay_forks():
            return importlib.import_module("ai_edge_litert.interpreter").Interpreter
    except ModuleNotFoundError:
        pass
    try:
        return import_tensorflow_lite("running .tflite files").Interpreter
    except MissingPackageError:
        raise MissingPackageError("ai-edge-litert", "tflite", "running .tflite files") from None


def _tensor_type(detail: Mapping[str, Any]) -> TensorType:
    dtype = DType.of(np.empty(0, detail["dtype"]))
    return TensorType(dtype, [None if size < 0 else int(size) for size in detail["shape_signature"]])
