"""What a compilation gives: files, the graph they were made from, and a report.

Saving is atomic (see `sensenet.files.writing`), and an existing path is never replaced unless asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
from attrs import frozen

from sensenet.errors import ArtifactError, LimitError
from sensenet.files.destinations import Layout, is_stream
from sensenet.files.writing import Content, require_free, require_replaceable, write_all
from sensenet.forks import cached_property
from sensenet.ir.graph import Graph
from sensenet.ir.types import Array
from sensenet.signature import Signature

Files = Mapping[str, bytes]
"""Content of files by relative path."""


@frozen(kw_only=True)
class PassRecord:
    """What one pass did: its name, time, and the number of nodes before and after."""

    name: str
    seconds: float
    nodes_before: int
    nodes_after: int
    changed: bool


@frozen(kw_only=True)
class Verification:
    """How many rows an artifact was run on, and the largest difference from the interpreter's answers."""

    rows: int
    difference: float


@frozen(kw_only=True)
class Report:
    """How a compilation went; seconds are wall time, `notes` remarks such as on files passed over."""

    target: str
    level: int
    frontend_seconds: float = 0.0
    passes: tuple[PassRecord, ...] = ()
    backend_seconds: float = 0.0
    verification: Verification | None = None
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """A table for people, one line a stage."""
        rows = [("frontend", self.frontend_seconds, "")]
        rows += [
            (record.name, record.seconds, f"{record.nodes_before} → {record.nodes_after} nodes")
            for record in self.passes
        ]
        rows.append((f"backend {self.target}", self.backend_seconds, ""))
        return [f"{name:<40} {seconds * 1e3:10.2f} ms  {note}".rstrip() for name, seconds, note in rows]


@attrs.frozen(kw_only=True, eq=False, slots=False, repr=False)
class Artifact:
    """The result of `sensenet.compile` for one target.

    `graph` is the graph that the backend lowered; `model` is the `tf.keras.Model` for the target keras and
    None otherwise. `produce` makes the files: relative path → content; a single-file target gives one entry.
    `beside` says that several files stand side by side at the saved path with other suffixes (the target ir)
    instead of in a directory; while such files are replaced, `bridge(old, new)`, of files by the names in
    `files`, gives those that serve both. `layout` tells by what a directory of this target is recognized
    before it is replaced; without it none is.
    """

    target: str
    graph: Graph
    report: Report
    produce: Callable[[], Mapping[str, bytes]]
    beside: bool = False
    bridge: Callable[[Files, Files], Files] | None = None
    layout: Layout | None = None
    model: Any = None

    @cached_property
    def files(self) -> Mapping[str, bytes]:
        """Relative path → content; made at first use. Raises LimitError if memory does not suffice."""
        try:
            return dict(self.produce())
        except LimitError:
            raise
        except MemoryError as error:
            raise LimitError(f"the files of target {self.target} need more memory than there is") from error

    def __bytes__(self) -> bytes:
        """The content of a single-file artifact; raises ArtifactError for a target of several files."""
        if len(self.files) != 1:
            raise ArtifactError(
                f"the target {self.target} has {len(self.files)} files: save it to a path instead"
            )
        return next(iter(self.files.values()))

    def __reduce__(self) -> tuple[Any, ...]:
        """With its files, and without its model, which the files hold too."""
        made = {"beside": self.beside, "bridge": self.bridge, "layout": self.layout}
        return _remake, (self.target, self.graph, self.report, dict(self.files), made)

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> Path:
        """Write the artifact to a path: a file, or a directory for a target of several files.

        Returns where it is. Raises ArtifactError, and leaves nothing behind, if the path exists, its
        directory does not, or writing fails; LimitError if memory does not suffice.

        With `force` an existing file is replaced, or a directory that holds nothing but an artifact of this
        target. It is there until the new one is, keeps its mode, and is replaced where a link points to. A
        single file is written into a device or a pipe, such as `/dev/stdout`.
        """
        chosen = Path(path)
        require_free(chosen, force)  # before the work that making the files may be
        contents = self._contents(chosen)
        for destination, content in contents.items():
            require_free(destination, force)
            require_replaceable(destination, content, self.layout)
        write_all(contents, force, self.layout, self._bridge if self.beside else None)
        return next(iter(contents))

    def _contents(self, path: Path) -> dict[Path, Content]:
        """What goes where: one file, one directory, or files side by side."""
        if len(self.files) == 1:
            return {path: bytes(self)}
        if not self.beside:
            return {path: self.files}
        if not path.name.strip(".") or is_stream(path):
            raise ArtifactError(f"{path} cannot be the name of {len(self.files)} files: give another path")
        suffixes = [Path(name).suffix for name in self.files]
        stem = path.with_suffix("") if path.suffix in suffixes else path
        return {stem.with_name(stem.name + Path(name).suffix): part for name, part in self.files.items()}

    def _bridge(self, old: Mapping[Path, bytes]) -> dict[Path, bytes]:
        """The files that serve both the old ones, which are replaced, and the new ones, by their paths."""
        if self.bridge is None:
            return {}
        names = {Path(name).suffix: name for name in self.files}
        paths = {names[path.suffix]: path for path in old}
        between = self.bridge({name: old[path] for name, path in paths.items()}, self.files)
        return {paths[name]: content for name, content in between.items()}

    def __repr__(self) -> str:
        return f"<Artifact for {self.target} at -O{self.report.level}>"


def _remake(target: str, graph: Graph, report: Report, files: Files, made: Mapping[str, Any]) -> Artifact:
    return Artifact(target=target, graph=graph, report=report, produce=lambda: files, **made)


Remake = tuple[Callable[..., "Executable"], tuple[Any, ...]]
"""A function of a module that makes an executable, and what it takes; both can be pickled."""


@frozen(kw_only=True, eq=False)
class Executable:
    """An artifact in its own runtime: `run` takes and gives named arrays, any batch size, from any thread.

    `model` is the `tf.keras.Model` behind it where there is one, `graph` the graph where it is known, and
    `as_imported` says whether that is the one that the frontend made, with the weights of the document.
    `engine` is the target whose runtime it is, where whoever made it said so. `remake` gives how another
    process makes the same; without it, an executable cannot be pickled.
    """

    signature: Signature
    run: Callable[[Mapping[str, Array]], Mapping[str, Array]]
    model: Any = None
    graph: Graph | None = None
    as_imported: bool = False
    engine: str | None = None
    remake: Callable[[], Remake] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        if self.remake is None:
            raise ArtifactError("this executable cannot be pickled: pickle a model of create_model instead")
        return self.remake()
