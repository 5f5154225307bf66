"""Runs the files of a network in this process: for `--verify`, and for artifacts in memory."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sensenet.artifact import Executable, Files
from sensenet.backends.batching import run_batches
from sensenet.backends.native.emitting import host_processor, make_code
from sensenet.backends.native.executable import name_answers
from sensenet.backends.native.names import FORMS, HEADER_SUFFIX
from sensenet.backends.native.plan import OUTPUT, Plan
from sensenet.backends.native.planner import plan_graph
from sensenet.errors import ArtifactError
from sensenet.files.directories import temporary_directory
from sensenet.ir.graph import Graph
from sensenet.ir.types import Array
from sensenet.llvm.compilation import link_object
from sensenet.records import frozen

MOST_ROWS = 4096
"""Rows of a call: threads share more."""

COMPILED = (FORMS["source"], FORMS["assembly"])
"""What the compiler of C reads."""


def make_executable(files: Files, graph: Graph) -> Executable:
    """Return the network of a graph as its files answer.

    Raises ArtifactError if there is a header alone, or if the code is for another processor.
    """
    by_suffix = {Path(name).suffix: content for name, content in files.items()}
    header = by_suffix.pop(HEADER_SUFFIX, b"").decode("ascii", "replace")
    found = re.search(r"int (\w+)_predict\(", header)
    if found is None or not by_suffix:
        raise ArtifactError(
            "native code runs with its header and its code together: compile it with emit=object"
        )
    ((suffix, code),) = by_suffix.items()
    symbol = f"{found[1]}_predict"
    if suffix in COMPILED:
        function, owner = _compile(code, suffix, symbol)
    else:
        _require_own_processor(header)
        if suffix == FORMS["llvm"]:
            code = make_code(code.decode(), host_processor(), "object")
        owner = link_object(code)
        function = declare(owner.address(symbol))
    inputs = {node.name: node.types[0] for node in graph.inputs}
    outputs = {name: value.type for name, value in graph.outputs.items()}
    run = run_batches(_Call(function, owner, plan_graph(graph)), inputs, outputs, MOST_ROWS)
    return Executable(signature=graph.signature, run=run)


@frozen(eq=False)
class _Call:
    """A function of C; `owner` keeps its code in memory."""

    function: Any
    owner: Any
    plan: Plan

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        (given,) = inputs.values()
        rows = np.ascontiguousarray(given, np.float32)
        answers = np.empty((len(rows), self.plan.buffers[OUTPUT].width), np.float32)
        if self.function(rows.ctypes.data, len(rows), answers.ctypes.data):
            raise ArtifactError("native code refused its rows")
        return name_answers(self.plan.outputs, answers)


def _require_own_processor(header: str) -> None:
    """Raise ArtifactError if a header says that its code is for a processor other than this one."""
    own = host_processor()
    if f"for {own.triple}, {own.cpu}." not in header:
        raise ArtifactError("this machine cannot run the code: it was made for another processor")


def _compile(code: bytes, suffix: str, symbol: str) -> tuple[Any, Any]:
    """Return the function of C code or of assembly, and what keeps it in memory."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise ArtifactError(f"native code in {suffix} files runs with a compiler of C: there is no cc")
    with temporary_directory() as directory:
        source, library = directory / f"model{suffix}", directory / "model.so"
        source.write_bytes(code)
        command = [compiler, "-std=c99", "-O2", "-shared", "-fPIC", str(source), "-o", str(library)]
        process = subprocess.run(command, capture_output=True, text=True, check=False)
        if process.returncode:
            raise ArtifactError(f"cc refuses the code: {process.stderr[:200]}")
        owner = ctypes.CDLL(str(library))
    return declare(ctypes.cast(owner[symbol], ctypes.c_void_p).value or 0), owner


def declare(address: int) -> Any:
    """Return the function for C at an address."""
    pointer = ctypes.c_void_p
    return ctypes.CFUNCTYPE(ctypes.c_int, pointer, ctypes.c_size_t, pointer)(address)
