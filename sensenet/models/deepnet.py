"""The model classes: deepnets, feature extractors and object detectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MethodType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sensenet.artifact import Executable
from sensenet.errors import ArtifactError, InputError, SettingsError, VerifyError
from sensenet.forks import cached_property
from sensenet.ir.interface import check_graph, check_signature
from sensenet.ir.types import Array
from sensenet.limits import memory_errors_reported
from sensenet.models.model import Model
from sensenet.models.row_model import RowModel
from sensenet.settings import Settings
from sensenet.signature import ModelKind

if TYPE_CHECKING:
    from sensenet.models.labels import Labels


class Deepnet(RowModel):
    """Predicts class probabilities or numbers of rows; an extractor predicts features of images.

    scikit-learn takes it for a fitted classifier or regressor, and a dict by field name has the answers of
    BigML's bindings: see docs/answers.md.
    """

    def predict(
        self, x: Any, operating_point: Any = None, operating_kind: str | None = None, full: bool = False
    ) -> Any:
        """Return the predictions for rows: an array [rows] of classes, as text, or f32[rows] of a regression.

        Rows have any form that calls accept. But for a dict, one row by field name, the answer is that of
        BigML's bindings: the class or the number itself; with `full` a dict of `prediction`, `unused_fields`,
        and for classes `probability`, `confidence` and `distribution`.

        `operating_point` is `{"kind": "probability", "positive_class": …, "threshold": …}`: that class is
        predicted if its probability is above the threshold, otherwise the most probable of the others.
        `operating_kind` may be "probability". With either, the answer for a dict is a dict of `prediction`,
        `probability` and `confidence`.

        Raises what calls raise; SettingsError for an invalid operating point or kind; InputTypeError for
        `full` with anything but a dict; ArtifactError for an extractor.
        """
        self._check_operation(operating_point, operating_kind)
        if not isinstance(x, Mapping) and not full:
            if not self.classes:
                return self._numbers(x)
            labels = self._labels
            return labels.classes[labels.choose(self._probabilities(x), operating_point, operating_kind)]
        from sensenet.models.answers import PREDICTION, keep_known, require_row

        row = require_row(x)
        if not (self.classes or full):
            return float(self._numbers(keep_known(row, self._predict.rows.layout))[0])
        (answer,) = self._answer([row], operating_point, operating_kind)
        return answer if full or operating_point or operating_kind else answer[PREDICTION]

    def predict_probability(self, x: Any, compact: bool = False) -> list[Any] | dict[str, Any]:
        """Return what BigML's bindings do for a dict, one row by field name.

        For classes that is a list of dicts of `category` and `probability`, or, if `compact`, of the
        probabilities alone, in alphabetical order of the classes; for a regression the answer of `predict`
        with `full`, or, if `compact`, a list of the number. Raises what `predict` raises.
        """
        from sensenet.models.answers import require_row

        row = require_row(x)
        if not self.classes:
            return [self.predict(row)] if compact else self.predict(row, full=True)
        distribution = self.predict(row, full=True)["distribution"]
        return [each["probability"] for each in distribution] if compact else distribution

    def batch_predict(
        self,
        rows: Any,
        outputs: Mapping[str, Sequence[str]] | None = None,
        all_fields: bool = True,
        operating_point: Any = None,
        operating_kind: str | None = None,
    ) -> Any:
        """Return rows with their predictions: a list of dicts for a list of dicts, a frame for a frame.

        `outputs["output_fields"]` are what to add of the answer that `predict` returns with `full`, by
        default `prediction` and `probability`; `outputs["output_headers"]` are other names for them. Without
        `all_fields`, the rows have nothing else. Operating points and errors are those of `predict`.
        """
        from sensenet.models.batch_answers import answer_batch

        self._check_operation(operating_point, operating_kind)

        def answer(rows: Sequence[Mapping[Any, Any]]) -> list[dict[str, Any]]:
            return self._answer(rows, operating_point, operating_kind) if rows else []

        return answer_batch(answer, rows, outputs, all_fields)

    def fit(self, x: Any = None, y: Any = None, **parameters: Any) -> Self:  # noqa: ARG002
        """Return the model as it is, as scikit-learn's `FrozenEstimator` does: it is trained already."""
        return self

    @property
    def predict_proba(self) -> Callable[[Any], Array]:
        """A method that returns f32[rows, classes] for rows: the probabilities of `classes_`.

        Raises AttributeError if the model is not a classifier, as scikit-learn's do.
        """
        self._require_classes("predict_proba")
        return MethodType(predict_proba, self)

    @property
    def classes_(self) -> Array:
        """The classes in alphabetical order, an array of text; AttributeError if there are none."""
        self._require_classes("classes_")
        return self._labels.classes.copy()

    @property
    def feature_names_in_(self) -> Array:
        """The names of the model's fields, or ids where names repeat; AttributeError if they are unknown."""
        layout = self._predict.rows.layout
        if layout.refusal:
            raise AttributeError(f"this model has no feature_names_in_: {layout.refusal}")
        return np.array(self.signature.field_keys, object)

    @property
    def n_features_in_(self) -> int:
        """The number of fields, which is that of a data frame's columns; of cells, if fields are unknown."""
        layout = self._predict.rows.layout
        return self.signature.row_width if layout.refusal else len(layout.fields)

    def score(self, x: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy of the predicted classes, or R² of the numbers, for rows and true values.

        Raises MissingPackageError without scikit-learn, and what it raises for `y`, besides what `predict`
        raises.
        """
        from sensenet.models.estimators import import_sklearn

        metrics = import_sklearn("sklearn.metrics")
        measure = metrics.accuracy_score if self.classes else metrics.r2_score
        return float(measure(y, self.predict(x), sample_weight=sample_weight))

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002
        """Return no parameters: nothing about a trained model can be searched for."""
        return {}

    def __sklearn_tags__(self) -> Any:
        from sensenet.models.estimators import make_tags

        return make_tags(self.signature)

    def __sklearn_clone__(self) -> Self:
        return self

    @cached_property
    def _labels(self) -> Labels:
        from sensenet.models.labels import read_labels

        return read_labels(self.signature)

    def _require_classes(self, name: str) -> None:
        if not self.classes or self.signature.kind is ModelKind.EXTRACTOR:
            raise AttributeError(f"this model is not a classifier, so it has no {name}")

    def _check_operation(self, operating_point: Any, operating_kind: Any) -> None:
        """Raise SettingsError for a regression at an operating point, ArtifactError for an extractor."""
        if self.signature.kind is ModelKind.EXTRACTOR:
            raise ArtifactError("a feature extractor predicts nothing: call it for the features")
        if (operating_point or operating_kind) and not self.classes:
            raise SettingsError("operating points and kinds are for classes, but this model predicts numbers")

    def _probabilities(self, x: Any) -> Array:
        """Return f32[rows, classes] in alphabetical order."""
        return self._labels.sort(self(x))

    def _numbers(self, x: Any) -> Array:
        """Return f32[rows], or f32[rows, outputs] of several outputs."""
        answers = self(x)
        return answers[:, 0] if answers.shape[1:] == (1,) else answers

    def _answer(
        self, rows: Sequence[Mapping[Any, Any]], operating_point: Any, operating_kind: Any
    ) -> list[dict[str, Any]]:
        """Return BigML's answers for rows by field name, of which there are some."""
        from sensenet.models.answers import describe_numbers, describe_rows, find_unused, keep_known

        layout = self._predict.rows.layout
        known = [keep_known(row, layout) for row in rows]
        if not self.classes:
            answers = describe_numbers(self._numbers(known))
        else:
            answers = describe_rows(self._labels, self._probabilities(known), operating_point, operating_kind)
        if not (operating_point or operating_kind):
            for answer, row in zip(answers, rows, strict=True):
                answer["unused_fields"] = find_unused(row, layout, self.signature)
        return answers


def predict_proba(model: Deepnet, x: Any) -> Array:
    """Return f32[rows, classes], a method of classifiers; scikit-learn asks for its name."""
    return model._probabilities(x)


class ObjectDetector(Model):
    """Finds objects in images."""

    def _use(self, executable: Executable) -> None:
        from sensenet.runtime.detections import make_detector

        super()._use(executable)
        self._detect = make_detector(executable, self._settings.image_path_prefix)

    def __call__(self, x: Any) -> Any:
        """Return `[{"box": [x1, y1, x2, y2], "label": …, "score": …}, …]` for an image, best first.

        A box is its upper left and lower right corner in pixels of the image, four ints, possibly beyond the
        edges; a score is a float from 0 to 1. An image is a path, encoded bytes, an array of pixels, Pillow's
        image, or a dict with one of these by field name. For a list or 4-D array of images, returns a list of
        such answers.

        With the settings `output_unfiltered_boxes` or `pad_bounding_box_output` an answer is a dict of arrays
        instead: `boxes` f32[1, boxes, 4], `scores` f32[1, boxes], `classes` i32[1, boxes], positions in the
        model's `classes`, and for padded boxes `num_valid`, an int: the number of valid boxes.

        Raises InputError for an image that cannot be read, LimitError for one that would take more memory
        than allowed.
        """
        with memory_errors_reported():
            return self._detect(x)

    def predict(self, x: Any) -> Any:
        """Return what BigML's bindings do for an image: `{"prediction": [{"box", "label", "score"}, …]}`.

        A box is that of a call, as parts of the image's width and height; numbers have five decimals. For a
        list or 4-D array of images, returns a list of such dicts. Raises what calls raise, and SettingsError
        if settings make answers arrays.
        """
        from sensenet.models.answers import describe_regions

        if self.answers_arrays:
            raise SettingsError(
                "predictions have only filtered, unpadded boxes: leave out output_unfiltered_boxes and "
                "pad_bounding_box_output, or call the model"
            )
        with memory_errors_reported():
            return self._detect.describe_each(x, describe_regions)

    @property
    def answers_arrays(self) -> bool:
        """Whether answers are dicts of arrays instead of lists of objects."""
        return self._detect.raw

    def find_errors(self, table: Any) -> dict[int, InputError]:  # noqa: ARG002
        """Return no errors: rows have nothing but images."""
        return {}

    def answer_table(self, table: Any) -> list[Any]:
        """Return the answers for the images of a data frame: a list, of one image too."""
        with memory_errors_reported():
            return self._detect.answer_table(table)


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
