"""The model classes: deepnets, feature extractors and object detectors."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sensenet.artifact import Executable
from sensenet.backends import get_target, keras, smbundle, tfjs
from sensenet.backends.keras import h5
from sensenet.errors import ArtifactError, LimitError, VerifyError
from sensenet.forks import PerProcess
from sensenet.ir.graph import Graph
from sensenet.ir.interface import check_graph, check_signature
from sensenet.ir.types import Array
from sensenet.limits import limit_error, memory_errors_reported
from sensenet.models.engines import run_imported
from sensenet.runtime.predictor import make_predictor
from sensenet.settings import Settings
from sensenet.signature import ModelKind, Signature, describe_column


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
        self._use(run_imported(h5.load_weights(self._trained_graph(), Path(path)), self.engine))

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
        name, suffix = os.fspath(path), smbundle.SUFFIX
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

    def __repr__(self) -> str:
        name = f" {self.signature.name!r}" if self.signature.name else ""
        classes = f", {len(self.classes)} classes" if self.classes else ""
        columns = f"{self._ncolumns} column" + ("" if self._ncolumns == 1 else "s")
        return f"<{type(self).__name__}{name}: {columns}{classes}>"


class Deepnet(Model):
    """Predicts class probabilities or numbers of rows; an extractor predicts features of images."""

    def _use(self, executable: Executable) -> None:
        super()._use(executable)
        self._predict = make_predictor(executable, self._settings.image_path_prefix)

    def __call__(self, x: Any) -> Array:
        """Return f32[rows, outputs] for one row or several: the probabilities of `classes`, or one number.

        The features of images have the shape of the layer that they come from: f32[rows, ...].

        A row is a list or tuple of cells, a 1-D array, or a dict by field name or id; rows are a list of
        those, a 2-D array, or a data frame. A cell is a number or its text, the text of a category, an image
        (path, encoded bytes, array), or None if it is missing. By name, texts and lists of items are passed
        whole: see docs/fields.md.

        A model of one image per row also accepts the image alone, a list of images and an array [n, h, w, c]:
        see docs/images.md. Raises InputError, naming row and column, for invalid or ambiguous input, and
        LimitError for images that would take more memory than allowed.
        """
        try:  # not `memory_errors_reported`: that takes a microsecond, and one row some twenty
            return self._predict(x)
        except LimitError:
            raise
        except MemoryError as error:
            raise limit_error(error) from error

    def encode(self, x: Any) -> dict[str, Array]:
        """Return the inputs of the network for rows, by name: the training input of its Keras model.

        `numeric_inputs` is f32[rows, columns], a category its position or -1; `image_pixel_inputs` is
        f32[rows, height, width, channels], or f32[rows, images, height, width, channels] if a row has
        several, with values from 0 to 255. Accepts the same rows as a call of the model, and raises the same
        errors.
        """
        with memory_errors_reported():
            return self._predict.encode(x)


class ObjectDetector(Model):
    """Finds objects in images."""

    def _use(self, executable: Executable) -> None:
        from sensenet.runtime.detections import make_detector

        super()._use(executable)
        self._detect = make_detector(executable, self._settings.image_path_prefix)

    def __call__(self, x: Any) -> Any:
        """Return `[{"box": [x1, y1, x2, y2], "label": …, "score": …}, …]` for an image, best first.

        A box is its upper left and lower right corner in pixels of the image, four ints, possibly beyond the
        edges; a score is a float from 0 to 1. An image is a path, encoded bytes or an array of pixels, or a
        dict with one of these by field name. For a list or 4-D array of images, returns a list of such
        answers.

        With the settings `output_unfiltered_boxes` or `pad_bounding_box_output` an answer is a dict of arrays
        instead: `boxes` f32[1, boxes, 4], `scores` f32[1, boxes], `classes` i32[1, boxes], positions in the
        model's `classes`, and for padded boxes `num_valid`, an int: the number of valid boxes.

        Raises InputError for an image that cannot be read, LimitError for one that would take more memory
        than allowed.
        """
        with memory_errors_reported():
            return self._detect(x)


def require_fit(executable: Executable) -> None:
    """Raise ArtifactError unless an executable has the signature of a model that fits its graph."""
    try:
        check_signature(executable.signature)
        if executable.graph is not None:
            check_graph(executable.graph)
    except VerifyError as error:
        raise ArtifactError(f"this is not a model: {error}") from error


def make_model(
    executable: Executable, settings: Settings, preprocessors: Sequence[Mapping[str, Any]] | None = None
) -> Deepnet | ObjectDetector:
    """Return the model of an executable's kind; raise ArtifactError if its signature does not fit."""
    require_fit(executable)
    kind = ObjectDetector if executable.signature.kind is ModelKind.DETECTOR else Deepnet
    return kind(executable, settings, preprocessors)
