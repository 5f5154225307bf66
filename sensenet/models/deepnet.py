"""The models that callers hold: deepnets, feature extractors and object detectors."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from sensenet.artifact import Executable
from sensenet.compile.driver import compile
from sensenet.errors import ArtifactError
from sensenet.ir.signature import ModelKind, Signature, describe_column
from sensenet.ir.types import Array
from sensenet.runtime.detections import make_detector
from sensenet.runtime.predictor import make_predictor
from sensenet.settings import Settings


class Model:
    """What all models have. Made by `sensenet.models.wrappers`; threads may share one.

    The names with an underscore are those that clients of the published package use.
    """

    def __init__(
        self,
        executable: Executable,
        settings: Settings,
        preprocessors: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        self._executable = executable
        self._settings = settings
        self._columns = preprocessors
        self._keras_model = executable.model
        self._lock = threading.Lock()

    @property
    def signature(self) -> Signature:
        """What the model reads and answers: columns, fields, classes, the size of its pictures."""
        return self._executable.signature

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
        """The model as a `tf.keras.Model`, made at first use.

        Raises MissingPackageError without TensorFlow, ArtifactError for a saved file that has no such model.
        """
        with self._lock:
            if self._keras_model is None:
                if self._executable.graph is None:
                    raise ArtifactError(
                        "this model was opened from a file that keeps neither a Keras model nor the graph to "
                        "make one of; make the model from its document, or compile that for the target keras"
                    )
                self._keras_model = compile(self._executable.graph, "keras", optimize=0).model
            return self._keras_model

    @property
    def _preprocessors(self) -> list[dict[str, Any]]:
        """The columns as the document has them; of a saved artifact, what is known of them."""
        if self._columns is not None:
            return [dict(column) for column in self._columns]
        return [describe_column(column) for column in self.signature.columns]

    @property
    def _classes(self) -> list[str] | None:
        return list(self.classes) or None

    @property
    def _ncolumns(self) -> int:
        return len(self.signature.columns)

    @property
    def _nimages(self) -> int:
        return len(self.signature.image_columns)

    def __repr__(self) -> str:
        name = f" {self.signature.name!r}" if self.signature.name else ""
        classes = f", {len(self.classes)} classes" if self.classes else ""
        columns = f"{self._ncolumns} column" + ("" if self._ncolumns == 1 else "s")
        return f"<{type(self).__name__}{name}: {columns}{classes}>"


class Deepnet(Model):
    """Predicts rows: probabilities of the classes, or numbers; an extractor: the features of pictures."""

    def __init__(
        self,
        executable: Executable,
        settings: Settings,
        preprocessors: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__(executable, settings, preprocessors)
        self._predict = make_predictor(executable, settings.image_path_prefix)

    def __call__(self, x: Any) -> Array:
        """f32[rows, outputs] for one row or several.

        A row is a list or tuple of cells, a 1-D array, or a dict by field name or id; rows are a list of
        those, a 2-D array, or a data frame. A cell is a number or text that is one, the text of a category, a
        picture (path, encoded bytes, array), or None where it is missing. A model of one picture also takes
        that alone, and a 4-D array of them. Raises InputError, naming row and column, for what it can't read.
        """
        return self._predict(x)


class ObjectDetector(Model):
    """Finds objects on pictures."""

    def __init__(
        self,
        executable: Executable,
        settings: Settings,
        preprocessors: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__(executable, settings, preprocessors)
        self._detect = make_detector(executable, settings.image_path_prefix)

    def __call__(self, x: Any) -> Any:
        """`[{"box": [x1, y1, x2, y2], "label": …, "score": …}, …]` for a picture, best first.

        A picture is a path, encoded bytes or an array of pixels; for several, as a list or a 4-D array, there
        is a list of such answers. With the settings `output_unfiltered_boxes` or `pad_bounding_box_output`
        an answer is a dict of arrays instead. Raises InputError for a picture that can't be read.
        """
        return self._detect(x)


def make_model(
    executable: Executable, settings: Settings, preprocessors: Sequence[Mapping[str, Any]] | None = None
) -> Deepnet | ObjectDetector:
    """The model of an executable's kind."""
    kind = ObjectDetector if executable.signature.kind is ModelKind.DETECTOR else Deepnet
    return kind(executable, settings, preprocessors)
