"""The files of the target wasm, and the rows that run through them in Node."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from sensenet.artifact import Executable, Files
from sensenet.backends.native.executable import name_answers
from sensenet.backends.native.plan import OUTPUT
from sensenet.backends.native.planner import plan_graph
from sensenet.backends.wasm.code import write_wasm
from sensenet.backends.wasm.names import DECLARATIONS_FILE, MODULE_FILE, PACKAGE_FILE, SCRIPT_FILE
from sensenet.errors import ArtifactError
from sensenet.files.directories import temporary_directory
from sensenet.ir.graph import Graph
from sensenet.ir.types import Array

PACKAGE = {"type": "module", "main": SCRIPT_FILE, "types": DECLARATIONS_FILE}
"""Makes Node take model.js for a module."""

RUN = """
import {readFileSync, writeFileSync} from 'node:fs';
import {load} from './model.js';
const model = await load();
const {buffer, byteOffset, length} = readFileSync('rows');
writeFileSync('answers', model.compute(new Float32Array(buffer, byteOffset, length / 4)));
"""


def write_files(graph: Graph, *, exact: bool = False) -> Files:
    """Return the files of a graph by name; raises as `write_wasm` does."""
    here = Path(__file__).parent
    scripts = {name: (here / name).read_bytes() for name in (SCRIPT_FILE, DECLARATIONS_FILE)}
    package = json.dumps(PACKAGE, indent=2).encode() + b"\n"
    return {MODULE_FILE: write_wasm(graph, exact=exact), **scripts, PACKAGE_FILE: package}


def make_executable(files: Files, graph: Graph) -> Executable:
    """Run the files that were made of a graph, in a process of Node for each call."""
    plan = plan_graph(graph)
    (node,) = graph.inputs

    def run(inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        rows = np.ascontiguousarray(inputs[node.name], np.float32)
        answers = run_in_node(files, rows).reshape(len(rows), plan.buffers[OUTPUT].width)
        return name_answers(plan.outputs, answers)

    return Executable(signature=graph.signature, run=run)


def run_in_node(files: Files, rows: Array) -> Array:
    """Return the answers to f32[rows, columns]: the numbers of the first row, then those of the next, …

    Raises ArtifactError if Node is not installed, or fails.
    """
    program = shutil.which("node")
    if program is None:
        raise ArtifactError("running the files of target wasm needs Node, which is not installed")
    with temporary_directory() as directory:
        for file, content in files.items():
            (directory / file).write_bytes(content)
        (directory / "rows").write_bytes(rows.tobytes())
        command = [program, "--input-type=module", "--eval", RUN]
        result = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise ArtifactError(f"Node cannot run the files of target wasm: {result.stderr.strip()[-300:]}")
        return np.frombuffer((directory / "answers").read_bytes(), np.float32)
