"""The base of all models: what calls, saving and pickling have in common."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from sensenet.artifact import Executable
from sensenet.backends import get_target, keras, smbundle, tfjs
from sensenet.backends.keras import h5
from sensenet.errors import ArtifactError
from sensenet.files.paths import as_path
from sensenet.forks import PerProcess
from sensenet.ir.graph import Graph
from sensenet.models.engines import run_imported
from sensenet.settings import Settings
from sensenet.signature import Signature, describe_column


class Model:
    """The base of all models, created by `sensenet.models.create`; threads may share a model.

    Models can be pickled and copied, with their settings and engine: see docs/processes.md.

    The underscored names are used by clients of the published package.
    """

    def __init__(
        self,
        executable: Executable,
        settings: Settings,
        preprocessors: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        self._settings = settings
        self._columns = preprocessors
        self._lock = PerProcess(threading.Lock)
        self._use(executable)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._executable, self._settings, self._columns)

    def _use(self, executable: Executable) -> None:
        """Use an executable for all further calls."""
        self._executable = executable
        self._keras_model = executable.model

    @property
    def signature(self) -> Signature:
        """The interface of the model: columns, fields, classes, image size."""
        return self._executable.signature

    @property
    def engine(self) -> str | None:
        """The target whose runtime runs the model: see `sensenet.models.engines`."""
        return self._executable.engine

    @property
    def settings(self) -> Settings:
        """The settings that the model was made with."""
        return self._settings

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, in the order of the answers; empty for a regression."""
        return self.signature.classes

    @property
    def _model(self) -> Any:
        """The model as a `tf.keras.Model`, made at first use; for a document, the network as trained.

        Raises MissingPackageError without TensorFlow, ArtifactError for a saved file that has no such model.
        """
        with self._lock.get():
            if self._keras_model is None:
                from sensenet.compiler.driver import compile

                self._keras_model = compile(self._graph(), keras.TARGET.name, optimize=0).model
            return self._keras_model

    def _graph(self) -> Graph:
        """Return the graph of the model; as imported if it was made from a document."""
        if self._executable.graph is None:
            raise ArtifactError(
                "this model was opened from a file without a Keras model or a graph to compile; "
                "make the model from its document instead"
            )
        return self._executable.graph

    def _trained_graph(self) -> Graph:
        """Return the graph as imported, with the trained weights; raise ArtifactError if there is none."""
        if not self._executable.as_imported:
            raise ArtifactError(
                "this model was made from an artifact, whose weights may differ from the trained ones; "
                "make the model from its document instead"
            )
        return self._graph()

    def load_weights(self, path: str | os.PathLike[str]) -> None:
        """Use the weights of an h5 file for all further calls (see the target h5).

        Raises ArtifactError for a file with the weights of another network, or for a model that was not made
        from a document; MissingPackageError without h5py.
        """
        self._use(run_imported(h5.load_weights(self._trained_graph(), as_path(path)), self.engine))

    def save_as(self, target: str, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Compile the model for a target, and save that; raises what `compile` and `Artifact.save` raise."""
        from sensenet.compiler.driver import compile

        graph = self._graph() if get_target(target).level is None else self._trained_graph()
        compile(graph, target).save(path, force=force)

    def save_weights(self, path: str | os.PathLike[str]) -> None:
        """Write the weights as an h5 file; raise ArtifactError if that is impossible."""
        self.save_as(h5.TARGET.name, path)

    def save_bundle(
        self, path: str | os.PathLike[str], tfjs_path: str | os.PathLike[str] | None = None
    ) -> None:
        """Write the model as an smbundle, and add the suffix if it is missing.

        With `tfjs_path`, also as a TensorFlow.js model, in that directory. Raises as `save_as` does.
        """
        name, suffix = str(as_path(path)), smbundle.SUFFIX
        self.save_as(smbundle.TARGET.name, name if name.endswith(suffix) else name + suffix)
        if tfjs_path is not None:
            self.save_tfjs(tfjs_path)

    def save_tfjs(self, path: str | os.PathLike[str]) -> None:
        """Write the model as a TensorFlow.js model, a directory; raises as `save_as` does."""
        self.save_as(tfjs.TARGET.name, path)

    @property
    def _preprocessors(self) -> list[dict[str, Any]]:
        """The columns in the form of the document; for a saved artifact, as far as known."""
        if self._columns is not None:
            return [dict(column) for column in self._columns]
        return [describe_column(column) for column in self.signature.columns]

    @property
    def _classes(self) -> list[str] | None:
        """The classes as a list; None for a regression."""
        return list(self.classes) or None

    @property
    def _ncolumns(self) -> int:
        """The number of columns, images among them."""
        return len(self.signature.columns)

    @property
    def _nimages(self) -> int:
        """The number of columns that are images."""
        return len(self.signature.image_columns)

    def _repr_html_(self) -> str:
        from sensenet.facts.notebooks import show_model

        facts = {"engine": self.engine or ""}
        facts |= {f"setting {name}": str(value) for name, value in self.settings.given().items()}
        return show_model(type(self).__name__, self.signature, facts, self._executable.graph)

    def __repr__(self) -> str:
        name = f" {self.signature.name!r}" if self.signature.name else ""
        classes = f", {len(self.classes)} classes" if self.classes else ""
        columns = f"{self._ncolumns} column" + ("" if self._ncolumns == 1 else "s")
        return f"<{type(self).__name__}{name}: {columns}{classes}>"
