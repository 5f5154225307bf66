"""Encodes the columns and concatenates them: the first nodes of every graph (SPEC §2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sensenet.errors import DocumentError
from sensenet.frontend.columns import ColumnEncoding
from sensenet.frontend.emit import emit, width_of
from sensenet.frontend.json.cursor import Cursor
from sensenet.ir.graph import Node, Value, apply
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.rearrangement import Concatenate, Gather
from sensenet.ir.ops.tabular import OneHot, Standardize
from sensenet.ir.types import FLOAT32_TINY, Tensor, f32
from sensenet.records import frozen
from sensenet.signature import NUMERIC_INPUT, CategoricalColumn, ImageColumn, NumericColumn


@frozen(kw_only=True)
class Block:
    """Encoded columns of one kind: `widths[i]` features of `value` belong to column `positions[i]`."""

    value: Value
    positions: tuple[int, ...]
    widths: tuple[int, ...]


@frozen(kw_only=True)
class ColumnEncoder:
    """Encodes all columns of a document; `preprocess` is the cursor at them, for errors."""

    preprocess: Cursor
    encodings: Sequence[ColumnEncoding]

    def positions_of(self, kind: type) -> tuple[int, ...]:
        return tuple(i for i, encoding in enumerate(self.encodings) if isinstance(encoding.column, kind))

    def numeric_input(self) -> Node | None:
        """Return the input of numbers and category codes, f32[?, columns]; None if all are images."""
        if len(self.positions_of(ImageColumn)) == len(self.encodings):
            return None
        return apply(Input(type=f32(None, len(self.encodings))), name=NUMERIC_INPUT)

    def encode(self, numbers: Node | None, images: Sequence[Value]) -> Value:
        """Return the features, in the order of the columns; `images` are the features of a row's images.

        Raises DocumentError if there are no features, or if an image's features are not a vector, but there
        are other columns.
        """
        blocks = self._tabular_blocks(numbers.value) if numbers else []
        positions = self.positions_of(ImageColumn)
        blocks += [self._image_block(*pair) for pair in zip(images, positions, strict=True)]
        if not blocks:
            raise self.preprocess.error("the columns have no features")
        if len(blocks) == 1:
            return blocks[0].value
        joined = emit(self.preprocess, Concatenate(), *(block.value for block in blocks), name="columns")
        order = _feature_order(blocks)
        if np.array_equal(order, np.arange(len(order))):
            return joined
        return emit(self.preprocess, Gather(indices=Tensor.int32(order)), joined, name="features")

    def _tabular_blocks(self, inputs: Value) -> list[Block]:
        numeric = self.positions_of(NumericColumn)
        depths = {
            position: len(column.values)
            for position, encoding in enumerate(self.encodings)
            if isinstance(column := encoding.column, CategoricalColumn) and column.values
        }
        blocks = []
        if numeric:
            value = self._standardize(self._take(inputs, numeric, "numbers"), numeric)
            blocks.append(Block(value=value, positions=numeric, widths=(1,) * len(numeric)))
        if depths:
            codes = self._take(inputs, tuple(depths), "categories")
            value = apply(OneHot(depths=tuple(depths.values())), codes, name="one_hot").value
            blocks.append(Block(value=value, positions=tuple(depths), widths=tuple(depths.values())))
        return blocks

    def _take(self, inputs: Value, positions: tuple[int, ...], name: str) -> Value:
        """Return the columns of the input at these positions; the input itself if they are all columns."""
        if len(positions) == len(self.encodings):
            return inputs
        return apply(Gather(indices=Tensor.int32(positions)), inputs, name=name).value

    def _standardize(self, numbers: Value, positions: tuple[int, ...]) -> Value:
        """Return standardized numbers; a standard deviation that is 0 or subnormal in float32 counts as 1.

        TensorFlow and LiteRT take subnormal numbers for 0.
        """
        mean = Tensor.float32([self.encodings[position].mean for position in positions])
        stdev = np.asarray([self.encodings[position].stdev for position in positions], np.float32)
        stdev[np.abs(stdev) < FLOAT32_TINY] = 1
        return apply(Standardize(mean=mean, stdev=Tensor(stdev)), numbers, name="standardize").value

    def _image_block(self, value: Value, position: int) -> Block:
        width = width_of(value)
        if len(self.encodings) > 1 and (value.type.rank != 2 or width is None):
            raise DocumentError(
                f"the image network returns {value.type}: next to other columns, expected a vector, "
                "as from global pooling or flatten",
                f"{self.preprocess.path}[{position}]",
            )
        return Block(value=value, positions=(position,), widths=(width or 0,))


def _feature_order(blocks: Sequence[Block]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return int64[features]: the position in the concatenated blocks of each feature in column order."""
    positions = np.concatenate([np.repeat(block.positions, block.widths) for block in blocks])
    return np.argsort(positions, kind="stable")
