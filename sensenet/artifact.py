"""Results of a compilation: files, the graph that they were made from, and a report.

Saving is atomic (see `sensenet.files.writing`), and an existing path is replaced only with `force`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensenet.errors import ArtifactError, LimitError
from sensenet.files.destinations import Layout, is_stream
from sensenet.forks import cached_property
from sensenet.ir.graph import Graph
from sensenet.ir.types import Array
from sensenet.notebook_views import make_view
from sensenet.records import frozen
from sensenet.signature import Signature

if TYPE_CHECKING:
    from sensenet.files.writing import Content

Files = Mapping[str, bytes]
"""Content of files by relative path."""

ROWS_AT_ONCE = 65_536
"""Rows without images that a runtime gets in one call: limits memory, and is faster than larger batches."""


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
class LayerRecord:
    """How a layer is stored: int8 or float32, and in how many bytes, with its bias and scales.

    `difference` is the largest absolute difference of the network's answers if this layer alone is int8, on
    some calibration rows; None if no kernel takes it.
    """

    name: str
    scheme: str
    size: int
    difference: float | None


@frozen(kw_only=True)
class Report:
    """Statistics of a compilation; seconds are wall time, `notes` are remarks, such as on skipped files.

    `layers` are those of which `quantize="auto"` chose how they are stored, in the graph's order.
    """

    target: str
    level: int
    frontend_seconds: float = 0.0
    passes: tuple[PassRecord, ...] = ()
    backend_seconds: float = 0.0
    verification: Verification | None = None
    notes: tuple[str, ...] = ()
    layers: tuple[LayerRecord, ...] = ()

    def lines(self) -> list[str]:
        """Return a table as text, one line per stage."""
        rows = [("frontend", self.frontend_seconds, "")]
        rows += [
            (record.name, record.seconds, f"{record.nodes_before} → {record.nodes_after} nodes")
            for record in self.passes
        ]
        rows.append((f"backend {self.target}", self.backend_seconds, ""))
        return [f"{name:<40} {seconds * 1e3:10.2f} ms  {note}".rstrip() for name, seconds, note in rows]

    def layer_lines(self) -> list[str]:
        """Return a table of `layers` as text, one line per layer below a header; empty without layers."""
        rows = [("layer", "stored as", "bytes", "effect")] if self.layers else []
        for each in self.layers:
            effect = "" if each.difference is None else f"{each.difference:.3g}"
            rows.append((each.name, each.scheme, f"{each.size:,}", effect))
        return [f"{row[0]:<40} {row[1]:<10} {row[2]:>12}  {row[3]}".rstrip() for row in rows]


@frozen(kw_only=True, eq=False, slots=False, repr=False)
class Artifact:
    """The result of `sensenet.compile` for one target.

    `graph` is the graph that the backend lowered; `model` is the `tf.keras.Model` for the target keras and
    None otherwise. `produce` makes the files: relative path → content; one entry for a single-file target.
    `separate_files` means that several files are saved next to each other with different suffixes (the target
    ir) instead of in a directory; while such files are replaced, `bridge(old, new)`, of files by name,
    returns intermediate ones that fit both. `layout` describes how a directory of this target is recognized
    before it is replaced; without it, no directory is replaced.
    """

    target: str
    graph: Graph
    report: Report
    produce: Callable[[], Mapping[str, bytes]]
    separate_files: bool = False
    bridge: Callable[[Files, Files], Files] | None = None
    layout: Layout | None = None
    model: Any = None

    @cached_property
    def files(self) -> Mapping[str, bytes]:
        """The content of files by relative path, made at first use; raises LimitError if memory runs out."""
        try:
            return dict(self.produce())
        except LimitError:
            raise
        except MemoryError as error:
            raise LimitError(f"not enough memory to make the files of target {self.target}") from error

    def __bytes__(self) -> bytes:
        """Return the content of a single-file artifact; raise ArtifactError for several files."""
        if len(self.files) != 1:
            raise ArtifactError(
                f"the target {self.target} has {len(self.files)} files, not one: save it to a path instead"
            )
        return next(iter(self.files.values()))

    def __reduce__(self) -> tuple[Any, ...]:
        """Return the artifact with its files, without its model, which the files contain too."""
        made = {"separate_files": self.separate_files, "bridge": self.bridge, "layout": self.layout}
        return _remake, (self.target, self.graph, self.report, dict(self.files), made)

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> Path:
        """Write the artifact to a path: a file, or a directory for a target of several files.

        Returns the path. Raises ArtifactError, and leaves nothing behind, if the path exists, its directory
        does not, or writing fails; LimitError if memory is insufficient; InputTypeError for anything but a
        path.

        With `force`, an existing file is replaced, or a directory that contains only an artifact of this
        target. It exists until the new one does, keeps its mode, and is replaced at the target of a link. A
        single file is written into a device or a pipe, such as `/dev/stdout`.
        """
        from sensenet.files.paths import as_path
        from sensenet.files.writing import require_free, require_replaceable, write_all

        chosen = as_path(path)
        require_free(chosen, force)  # before the files are made, which may take long
        contents = self._contents(chosen)
        for destination, content in contents.items():
            require_free(destination, force)
            require_replaceable(destination, content, self.layout)
        write_all(contents, force, self.layout, self._bridge if self.separate_files else None)
        return next(iter(contents))

    def _contents(self, path: Path) -> dict[Path, Content]:
        """Return the content for each path: one file, one directory, or files next to each other."""
        if len(self.files) == 1:
            return {path: bytes(self)}
        if not self.separate_files:
            return {path: self.files}
        if not path.name.strip(".") or is_stream(path):
            raise ArtifactError(f"{path} cannot name {len(self.files)} files: choose another path")
        suffixes = [Path(name).suffix for name in self.files]
        stem = path.with_suffix("") if path.suffix in suffixes else path
        return {stem.with_name(stem.name + Path(name).suffix): part for name, part in self.files.items()}

    def _bridge(self, old: Mapping[Path, bytes]) -> dict[Path, bytes]:
        """Return, by path, the intermediate files that fit both the old and the new ones."""
        if self.bridge is None:
            return {}
        names = {Path(name).suffix: name for name in self.files}
        paths = {names[path.suffix]: path for path in old}
        between = self.bridge({name: old[path] for name, path in paths.items()}, self.files)
        return {paths[name]: content for name, content in between.items()}

    def _repr_html_(self) -> str:
        """Return how notebooks show the artifact."""
        html: str = make_view("show_artifact", self)
        return html

    def __repr__(self) -> str:
        return f"<Artifact for {self.target} at -O{self.report.level}>"


def _remake(target: str, graph: Graph, report: Report, files: Files, made: Mapping[str, Any]) -> Artifact:
    return Artifact(target=target, graph=graph, report=report, produce=lambda: files, **made)


Remake = tuple[Callable[..., "Executable"], tuple[Any, ...]]
"""A module-level function that makes an executable, and its arguments; both can be pickled."""


@frozen(kw_only=True)
class CallMemory:
    """What a call takes: `size` bytes for so many rows, and for more rows as much again."""

    rows: int = 1
    size: int = 0


@frozen(kw_only=True, eq=False)
class Executable:
    """An artifact in its own runtime: `run` maps named arrays to named arrays, of any batch size, in any
    thread.

    `model` is its `tf.keras.Model`, if there is one, `graph` its graph, if known, and `as_imported` is
    whether that is the graph from the frontend, with the weights of the document. Without a graph,
    `call_memory` is what the file tells of the memory of a call. `engine` is the target of the runtime, if
    known. `remake` returns how another process makes the same; without it, an executable cannot be pickled.
    `answer_row` returns the predictions f32[1, outputs] for a list or tuple of cells, faster than the other
    ways, or None if it cannot; it may raise anything for cells that are not numbers or None.
    `read_rows` returns the numbers of rows of cells, f32[rows, columns], as `sensenet.runtime.rows` does, but
    faster; it may raise anything for cells that are not numbers or None.
    `rows_at_once` is the number of rows without images that a call of `run` should get at most.
    """

    signature: Signature
    run: Callable[[Mapping[str, Array]], Mapping[str, Array]]
    model: Any = None
    graph: Graph | None = None
    as_imported: bool = False
    call_memory: CallMemory = CallMemory()
    engine: str | None = None
    remake: Callable[[], Remake] | None = None
    answer_row: Callable[[Sequence[Any]], Array | None] | None = None
    read_rows: Callable[[Sequence[Sequence[Any]]], Array] | None = None
    rows_at_once: int = ROWS_AT_ONCE

    def __reduce__(self) -> tuple[Any, ...]:
        if self.remake is None:
            raise ArtifactError("this executable cannot be pickled: pickle a model from create_model instead")
        return self.remake()
