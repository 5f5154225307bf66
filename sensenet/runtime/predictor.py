"""Predicts rows: encodes a caller's rows and runs the model, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sensenet.artifact import Executable
from sensenet.errors import ArtifactError, InputError
from sensenet.ir.types import Array
from sensenet.limits import require_memory
from sensenet.records import frozen
from sensenet.runtime.layout import RowLayout
from sensenet.runtime.memory import MostRows, most_rows, pixel_shapes
from sensenet.runtime.rows import RowEncoder, row_encoder
from sensenet.runtime.tables import Table, as_table, is_row
from sensenet.signature import NUMERIC_INPUT, PIXEL_INPUT, PREDICTIONS, Signature

if TYPE_CHECKING:
    from sensenet.runtime.image_batches import ImageReader

LISTS = (list, tuple)
"""A union of them would be made anew for each row, which takes longer than the answer to one."""

Inputs = Mapping[str, Array]


@frozen(kw_only=True)
class Predictor:
    """Predicts with an executable; made by `make_predictor`. Threads may share it."""

    run: Callable[[Inputs], Inputs]
    rows: RowEncoder
    images: ImageReader | None
    has_numbers: bool
    """Whether the model has the input `numeric_inputs`."""
    most_rows: MostRows
    rows_at_once: int
    """Rows without images that are run together."""
    answer_row: Callable[[Sequence[Any]], Array | None] | None
    """Returns the predictions f32[1, outputs] for a row of cells, if it can: see `Executable`."""

    def __call__(self, x: Any) -> Array:
        """Return f32[rows, outputs]; see `sensenet.runtime.tables` for the forms of rows. Raises
        InputError."""
        if self.images is None and isinstance(x, LISTS) and x and not is_row(x[0]):
            return self._predict_row(x)
        return self._answer(self._batches(x))

    def answer_inputs(self, inputs: Inputs) -> Array:
        """Return f32[rows, outputs] for inputs of the network, of any number of rows. Raises InputError."""
        require_arrays(inputs)
        return self._answer([inputs])

    def _answer(self, batches: Iterable[Inputs]) -> Array:
        results = [self._predict(*part) for inputs in batches for part in self._parts(inputs)]
        if not results:
            return self._answer_blank()[:0]
        return results[0] if len(results) == 1 else np.concatenate(results)

    def _predict_row(self, row: Sequence[Any]) -> Array:
        """Return f32[1, outputs] for a row of cells, without making arrays if the runtime can do without."""
        if self.answer_row is not None:
            try:
                answers = self.answer_row(row)
            except Exception:  # anything that a cell's class raises
                answers = None  # the other way names the cell
            if answers is not None:
                return answers
        return self._predict({NUMERIC_INPUT: self.rows.encode_row(row)}, 1)

    def encode(self, x: Any) -> dict[str, Array]:
        """Return the tensors that the network reads for all rows, by the names of its inputs.

        Raises InputError, also if images of different sizes share no tensor, and LimitError if all images
        together take more memory than allowed.
        """
        batches: list[Inputs] = []
        size = 0
        for batch in self._batches(x):
            size += batch[PIXEL_INPUT].nbytes if PIXEL_INPUT in batch else 0
            require_memory(size, "holding the images of all rows")
            batches.append(batch)
        batches = batches or [{name: part[:0] for name, part in self._blank().items()}]
        if len({batch[PIXEL_INPUT].shape[1:] for batch in batches if PIXEL_INPUT in batch}) > 1:
            raise InputError("the images have different sizes, and the network does not rescale them")
        return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}

    def _predict(self, inputs: Inputs, rows: int) -> Array:
        answers = np.array(self.run(inputs)[PREDICTIONS], np.float32)  # a copy: the caller may write to it
        if len(answers) != rows:
            raise ArtifactError(f"the model returned {len(answers)} rows for {rows}")
        return answers

    def _batches(self, x: Any) -> Iterator[Inputs]:
        if self.images is None:
            return self._batches_of_numbers(as_table(x, self.rows.layout))
        if self.images.is_batch(x):
            return ({PIXEL_INPUT: pixels} for pixels in self.images.read_batch(x))
        return self._batches_with_images(self.images, self.images.as_table(x))

    def _batches_of_numbers(self, table: Table) -> Iterator[Inputs]:
        numbers = self.rows.encode(table)
        for start in range(0, table.length, self.rows_at_once):
            yield {NUMERIC_INPUT: numbers[start : start + self.rows_at_once]}

    def _batches_with_images(self, images: ImageReader, table: Table) -> Iterator[Inputs]:
        numbers = {NUMERIC_INPUT: self.rows.encode(table)} if self.has_numbers else {}
        start = 0
        for rows in images.read(table):
            pixels = np.stack(rows) if len(rows) > 1 else rows[0][None]
            batch = {name: array[start : start + len(rows)] for name, array in numbers.items()}
            start += len(rows)
            yield batch | {PIXEL_INPUT: pixels}

    def _parts(self, inputs: Inputs) -> Iterator[tuple[Inputs, int]]:
        """Yield the inputs in parts that fit the limit on memory, with the number of rows of each.

        Raises LimitError if one row is too large.
        """
        most = self.most_rows({name: (1, *array.shape[1:]) for name, array in inputs.items()})
        rows = max(map(len, inputs.values()))
        for start in range(0, rows, most):
            part = {name: array[start : start + most] for name, array in inputs.items()}
            yield part, min(most, rows - start)

    def answer_shape(self) -> tuple[int, ...]:
        """Return the shape of the answer for one row, such as (classes,); runs the model on a blank row."""
        return tuple(self._answer_blank().shape[1:])

    def _answer_blank(self) -> Array:
        return self._predict(self._blank(), 1)

    def _blank(self) -> Inputs:
        """Return one row of inputs, for engines that cannot run zero rows."""
        numbers = np.zeros((1, len(self.rows.columns)), np.float32)
        pixels = {PIXEL_INPUT: self.images.blank()} if self.images else {}
        return ({NUMERIC_INPUT: numbers} if self.has_numbers else {}) | pixels


def make_predictor(executable: Executable, path_prefix: str | None = None) -> Predictor:
    """Return a predictor of a deepnet or feature extractor; relative paths are taken from `path_prefix`."""
    signature = executable.signature
    rows = row_encoder(signature, executable.read_rows)
    find_most_rows = most_rows(executable)
    find_most_rows(pixel_shapes(signature))  # raises LimitError now if one row is too large
    return Predictor(
        run=executable.run,
        rows=rows,
        images=_image_reader(signature, rows.layout, path_prefix),
        has_numbers=len(signature.image_columns) < len(signature.columns),
        most_rows=find_most_rows,
        rows_at_once=executable.rows_at_once,
        answer_row=executable.answer_row,
    )


def require_arrays(inputs: object) -> None:
    """Raise InputError for anything but arrays of equally many rows by name; the runtime checks the rest."""
    arrays = list(inputs.values()) if isinstance(inputs, Mapping) else []
    if not arrays or not all(isinstance(array, np.ndarray) and array.ndim for array in arrays):
        raise InputError("expected a dict of arrays by the names of inputs, as encode() returns it")
    lengths = {len(array) for array in arrays}
    if len(lengths) > 1:
        raise InputError(f"the inputs have different numbers of rows: {', '.join(map(str, sorted(lengths)))}")


def _image_reader(signature: Signature, layout: RowLayout, path_prefix: str | None) -> ImageReader | None:
    """Return the reader of a model's images, if it has any."""
    if not signature.image_columns or signature.image is None:
        return None
    from sensenet.runtime.image_batches import image_reader

    return image_reader(signature.image, signature, layout, path_prefix)
