"""Runs ONNX models in onnxruntime, on the processor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sensenet.artifact import Executable
from sensenet.backends.batching import call_memory, run_batches, threads_of_a_call
from sensenet.errors import ArtifactError, InputError, SensenetError
from sensenet.foreign_errors import first_line
from sensenet.forks import PerProcess, delay_forks
from sensenet.ir.types import Array, DType, TensorType
from sensenet.optional_packages import import_package
from sensenet.signature import Signature

MOST_ROWS = 1024
"""Rows that a session is given at once: what lies between operators then stays in a processor's cache."""

FATAL = 4
"""The least severe messages that onnxruntime prints: errors are raised as well."""

DTYPES: Mapping[str, DType] = {
    "tensor(float)": DType.FLOAT32,
    "tensor(int32)": DType.INT32,
    "tensor(bool)": DType.BOOL,
}


class Runner:
    """A file in a session of onnxruntime, for any batch size and from any thread.

    A model of rows is given many of them in blocks, which run side by side in the one session. A forked
    process makes a session of its own: the threads of the one that it has inherited are gone.
    """

    def __init__(self, content: bytes, threads: int) -> None:
        self.content = content
        first = make_session(content, threads)
        self.inputs = {each.name: _tensor_type(each) for each in first.get_inputs()}
        self.outputs = {each.name: _tensor_type(each) for each in first.get_outputs()}
        self._run = run_batches(self._call, self.inputs, self.outputs, MOST_ROWS)
        firsts = [first]
        self._sessions = PerProcess(lambda: firsts.pop() if firsts else make_session(content, threads))
        self._sessions.get()

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the named outputs for named inputs; raise InputError for a missing or ill-typed input."""
        return self._run(inputs)

    def _call(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        try:
            results = self._sessions.get().run(list(self.outputs), dict(arrays))
        except Exception as error:  # onnxruntime has several types
            raise InputError(f"onnxruntime refused inputs of these shapes: {first_line(error)}") from error
        return dict(zip(self.outputs, results, strict=True))


def make_executable(
    content: bytes, signature: Signature, threads: int | None, where: str, size: int = 0
) -> Executable:
    """Return the model in a session; raise ArtifactError for one that onnxruntime refuses.

    Without `threads`, a call may use those of `threads_of_a_call`. `size` is the bytes that a call takes with
    a row, or with a batch of the file's one size; 0 if the graph is known.
    """
    try:
        run = Runner(content, threads_of_a_call(signature) if threads is None else threads)
    except SensenetError:
        raise
    except Exception as error:  # onnxruntime has several types
        raise ArtifactError(f"{where} cannot be run by onnxruntime: {first_line(error)}") from error
    return Executable(signature=signature, run=run, call_memory=call_memory(run.inputs, run.outputs, size))


def make_session(content: bytes, threads: int) -> Any:
    """Return a session that runs a model on the processor, with so many threads a call."""
    runtime = import_package("onnxruntime", "onnx", "running .onnx files")
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = FATAL
    options.enable_mem_pattern = False  # else the second call takes as much again, in one block
    with delay_forks():
        return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _tensor_type(declared: Any) -> TensorType:
    dtype = DTYPES.get(declared.type)
    if dtype is None:
        raise ArtifactError(f"{declared.name!r} is a {declared.type}; expected {', '.join(DTYPES)}")
    return TensorType(dtype, [size if isinstance(size, int) else None for size in declared.shape])
