"""Models that answer rows: what their calls do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sensenet.artifact import Executable
from sensenet.errors import InputError, LimitError
from sensenet.ir.types import Array
from sensenet.limits import limit_error, memory_errors_reported
from sensenet.models.model import Model
from sensenet.runtime.predictor import make_predictor


class RowModel(Model):
    """Answers rows with numbers."""

    def _use(self, executable: Executable) -> None:
        super()._use(executable)
        self._predict = make_predictor(executable, self._settings.image_path_prefix)

    def __call__(self, x: Any) -> Array:
        """Return f32[rows, outputs] for one row or several: the probabilities of `classes`, or one number.

        The features of images have the shape of the layer that they come from: f32[rows, ...].

        A row is a list or tuple of cells, a 1-D array, or a dict by field name or id; rows are a list of
        those, a 2-D array, or a data frame. A cell is a number or its text, the text of a category, an image
        (path, encoded bytes, array, Pillow's), or None if it is missing. By name, texts and lists of items
        are passed whole: see docs/fields.md.

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

    def answer_shape(self) -> tuple[int, ...]:
        """Return the shape of the answer for one row: (classes,), (1,), or that of an extractor's layer."""
        with memory_errors_reported():
            return self._predict.answer_shape()

    def answer_table(self, table: Any) -> Array:
        """Return the answers for the rows of a data frame, as a call of the model does."""
        return self(table)

    def find_errors(self, table: Any) -> dict[int, InputError]:
        """Return the errors of the rows of a data frame whose cells, but for images, cannot be read."""
        with memory_errors_reported():
            return self._predict.rows.find_errors(table)

    def encode(self, x: Any) -> dict[str, Array]:
        """Return the inputs of the network for rows, by name: the training input of its Keras model.

        `numeric_inputs` is f32[rows, columns], a category its position or -1; `image_pixel_inputs` is
        f32[rows, height, width, channels], or f32[rows, images, height, width, channels] if a row has
        several, with values from 0 to 255. Accepts the same rows as a call of the model, and raises the same
        errors.
        """
        with memory_errors_reported():
            return self._predict.encode(x)

    def answer_inputs(self, inputs: Mapping[str, Array]) -> Array:
        """Return f32[rows, outputs] for inputs of the network, one row or more, as `encode` returns them.

        Raises InputError for inputs that are missing, or of other types, shapes or numbers of rows.
        """
        with memory_errors_reported():
            return self._predict.answer_inputs(inputs)
