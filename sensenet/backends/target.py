"""What a target is: one frozen value, which the target's own module holds as `TARGET`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

from sensenet.artifact import Artifact, Executable, Files, Report
from sensenet.backends.options import AnyOptions, read_options
from sensenet.ir.graph import Graph
from sensenet.ir.legality import Legal
from sensenet.records import frozen

if TYPE_CHECKING:
    from sensenet.ir.layer_costs import LayerFacts


def list_files(path: Path) -> Iterable[Path]:
    """Return the files of a saved artifact: the file itself, or all below a directory, sorted."""
    return [each for each in sorted(path.rglob("*")) if each.is_file()] if path.is_dir() else [path]


@frozen(kw_only=True)
class Target(Generic[AnyOptions]):
    """How artifacts of one kind are made, recognized and run in their own runtime.

    Modules of targets are imported whenever a file is opened, so they import their runtime, and most of their
    own room, in the functions below. A package that is not installed raises MissingPackageError.
    """

    name: str
    """What `compile` and the command line call it."""

    suffix: str
    """How the names of its files end."""

    description: str
    """What it makes, for people, in one line."""

    options: type[AnyOptions]
    """Its options: `Options` itself if it has none. If one makes answers less exact than float32, their
    `rounding` says by how much; `verify` and its users allow that."""

    legal: Callable[[], Legal]
    """Returns which nodes `build` takes; other nodes are lowered first."""

    build: Callable[[Graph, Report, AnyOptions], Artifact]
    """Makes the artifact of a graph of legal nodes."""

    load: Callable[[Artifact], Executable]
    """Runs an artifact in memory; raises ArtifactError for one that cannot be run."""

    open: Callable[[Path], Executable]
    """Runs a saved artifact; raises ArtifactError for one that cannot be run."""

    recognizes: Callable[[Path, bytes], bool]
    """Whether what is at a path is an artifact of this target, given the first bytes of a file.

    There are none of a directory. Exactly one target recognizes a saved artifact."""

    runs: bool = True
    """Whether a saved artifact can predict by itself."""

    executes: bool = False
    """Whether models may run in it although saved artifacts cannot: it executes graphs."""

    level: int | None = None
    """The optimization level, if there is only one."""

    rows: int = 1
    """How many rows callers usually send at a time: forests are lowered for that."""

    simplifies: bool = False
    """Whether the lowered graph is simplified further: nobody looks for the network's layers in it."""

    interpreted: bool = False
    """Whether artifacts run in the interpreter, by their graph, unless an engine is asked for: Python has not
    the target's own runtime."""

    trainable: bool = False
    """Whether its executables hold a `tf.keras.Model` that can be trained and decompiled."""

    execute: Callable[[Graph], Executable] | None = None
    """Runs a graph without making files: of targets whose runtime takes graphs that are not lowered."""

    read_graph: Callable[[Path], Graph | None] | None = None
    """Reads the graph that a saved artifact keeps next to what the runtime runs, and loads nothing else."""

    read_layers: Callable[[Path], Sequence[LayerFacts]] | None = None
    """Lists the operators of a saved artifact without its graph, with their constants, after `open`."""

    load_weights: Callable[[Graph, Path], Graph] | None = None
    """Replaces the weights of a graph by those of a file: of targets that hold weights alone."""

    list_files: Callable[[Path], Iterable[Path]] = list_files
    """Lists the files of a saved artifact, all in the directory of the path or below it."""

    find_suffix: Callable[[AnyOptions], str] | None = None
    """Returns how the names of its files end with some options, if that is not always `suffix`."""

    copy_files: Callable[[Executable], Files] | None = None
    """Returns the files of an executable as it is now; if None, they are those that it was opened from."""

    def read_options(self, given: Mapping[str, Any]) -> AnyOptions:
        """Return the options of those names and values; raises UnknownTargetError for others."""
        return read_options(self.name, self.options, given)

    def suffix_of(self, given: Mapping[str, Any]) -> str:
        """Return how the names of its files end, with the options of those names and values."""
        return self.suffix if self.find_suffix is None else self.find_suffix(self.read_options(given))
