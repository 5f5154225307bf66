"""The target native: a network of rows as an object file with its C header, or as source for other compilers.

The files are linked into programs; none of them is opened. `plan`, `module` and the modules that they import
write code of LLVM's language, `emitting` makes objects of it with llvmlite, and `source` writes C99 alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import attrs

from sensenet.artifact import Artifact, Executable, Report
from sensenet.backends.native.names import FORMS, HEADER_SUFFIX, describe_file
from sensenet.backends.options import Options, Prefix, ProcessorName
from sensenet.backends.target import Target
from sensenet.errors import ArtifactError
from sensenet.files.reading import read_head
from sensenet.ir.graph import Graph
from sensenet.ir.legality import every_op
from sensenet.records import frozen


@frozen(kw_only=True)
class NativeOptions(Options):
    """What is written, and the processor and the names that it is written for."""

    emit: Literal["object", "assembly", "llvm", "source", "header"] = "object"
    """What is written: machine code, the same as text, in LLVM's language, or C99; with its header, or that
    alone."""

    triple: ProcessorName | None = None
    """The system of the machine code as LLVM names it, such as `aarch64-linux-gnu`; this one by default."""

    cpu: ProcessorName | None = None
    """The processor as LLVM names it, such as `cortex-m4`; by default this one, or a generic one of the
    triple."""

    prefix: Prefix | None = None
    """What names in C begin with, instead of the model's name: one for each model of a program."""

    stack: int | None = None
    """The most bytes of the stack for numbers between steps; 16 KiB by default, or more if a row needs it."""

    exact: bool = False
    """Round every product before it is added, and add biases last: the same bits on every processor."""


def build(graph: Graph, report: Report, options: NativeOptions) -> Artifact:
    """Return the code of a graph and its header, made at once.

    Raises UnsupportedOpError for a graph that is not of rows, MissingPackageError without llvmlite,
    UnknownTargetError for a processor that LLVM does not know, SettingsError for a network of images and for
    a stack that is too small.
    """
    from sensenet.backends.native.files import write_files

    files = write_files(graph, **attrs.asdict(options))
    return Artifact(target="native", graph=graph, report=report, produce=lambda: files, separate_files=True)


def execute(graph: Graph) -> Executable:
    """Return a graph of rows that answers in machine code: the engine native.

    Raises UnsupportedOpError for another graph, MissingPackageError without llvmlite.
    """
    from sensenet.backends.native.executable import make_executable

    return make_executable(graph)


def load(artifact: Artifact) -> Executable:
    """Run the code of an artifact in this process; C and assembly are compiled by `cc`.

    Raises ArtifactError for a header alone, and for code of another processor.
    """
    from sensenet.backends.native.running import make_executable

    return make_executable(artifact.files, artifact.graph)


def open(path: Path) -> Executable:
    """Raise ArtifactError: the files are linked into programs."""
    raise ArtifactError(
        f"{path} is {describe_file(read_head(path))}, which compilers and linkers read: compile the document "
        "with -t numpy for a file that sensenet opens"
    )


def recognizes(_: Path, head: bytes) -> bool:
    """Return whether a file begins as ours do, or is an object file."""
    return describe_file(head) is not None


def list_files(path: Path) -> Iterable[Path]:
    """Return the code, and the header next to it."""
    header = path.with_suffix(HEADER_SUFFIX)
    return [path, header] if header != path and header.exists() else [path]


def find_suffix(options: NativeOptions) -> str:
    """Return how the name of the first file ends."""
    return FORMS[options.emit]


TARGET = Target(
    name="native",
    suffix=".o",
    description="an object file with its C header, or C99: machine code for models of rows",
    options=NativeOptions,
    legal=every_op,
    build=build,
    load=load,
    open=open,
    recognizes=recognizes,
    runs=False,
    executes=True,
    execute=execute,
    list_files=list_files,
    find_suffix=find_suffix,
)
