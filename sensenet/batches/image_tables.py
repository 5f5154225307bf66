"""Makes record batches of the paths of images, for models that read images alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sensenet.batches.arrow import import_arrow
from sensenet.batches.outputs import Model
from sensenet.batches.parts import ColumnChoice, Part, PartReader
from sensenet.batches.scoring import IMAGES_AT_ONCE
from sensenet.errors import InputError
from sensenet.signature import ModelKind


def reads_images_alone(model: Model) -> bool:
    """Return whether a model takes images without rows around them."""
    signature = model.signature
    return signature.kind is ModelKind.DETECTOR or len(signature.image_columns) == len(signature.columns) == 1


def read_image_table(
    model: Model,
    paths: Sequence[str],
    others: Mapping[str, Sequence[str]],
    rows_at_once: int = IMAGES_AT_ONCE,
) -> PartReader:
    """Return the reader of images as a table: their paths as the model's field, and other columns of text.

    The reader raises InputError for a name of a file that is not UTF-8.
    """
    fields = model.signature.fields
    columns = {fields[0].id if fields else "image": paths, **others}

    def read(_: ColumnChoice) -> Iterator[Part]:
        pa = import_arrow()
        for start in range(0, len(paths), rows_at_once):
            end = min(start + rows_at_once, len(paths))
            try:
                cells = {name: pa.array(texts[start:end], pa.string()) for name, texts in columns.items()}
            except UnicodeEncodeError as error:
                raise InputError(f"{error.object!r}: the name is not UTF-8: rename it") from error
            yield Part(pa.record_batch(cells), lambda row, start=start: paths[start + row], end / len(paths))  # type: ignore[misc]

    return read
