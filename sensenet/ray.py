"""Scores data sets of Ray: `Scorer` is the class for the actors of `Dataset.map_batches`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sensenet.batches.arrow import import_arrow
from sensenet.batches.outputs import Model, OnError, Probabilities, join_schema
from sensenet.batches.parts import Part
from sensenet.batches.row_names import name_row
from sensenet.batches.scoring import make_scorer
from sensenet.errors import InputTypeError
from sensenet.runtime.cells import describe

Table = Any
"""A `pyarrow.Table`."""


class Scorer:
    """Scores the batches of a `ray.data.Dataset`; each actor of a pool makes one, and opens the model once.

        dataset.map_batches(
            Scorer,
            fn_constructor_args=[model],
            fn_constructor_kwargs={"keep": ["path"], "on_error": "null"},
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=2),
        )

    The arguments, the columns of the answers, and what is raised, are those of `sensenet.batches.score`.
    Since rows of Ray have no order, `keep` columns that identify them: an InputError names them too. The
    machines of the actors need sensenet and pyarrow installed, and no file of the model.
    """

    def __init__(
        self,
        model: Model,
        outputs: Sequence[str] | None = None,
        keep: Sequence[str] = (),
        *,
        probabilities: Probabilities = "struct",
        on_error: OnError = "raise",
    ) -> None:
        self._scorer = make_scorer(model, outputs, keep, probabilities=probabilities, on_error=on_error)

    def __call__(self, table: Table) -> Table:
        """Return the answers for the rows of a `pyarrow.Table`, as one; raise InputError."""
        pa = import_arrow()
        if not isinstance(table, pa.Table):
            raise InputTypeError(f'expected batch_format="pyarrow" in map_batches; found {describe(table)}')
        scorer = self._scorer
        kept = [table.schema.field(name) for name in scorer.keep]
        schema = join_schema(scorer.outputs, kept, scorer.on_error)
        return pa.Table.from_batches([self._score(batch) for batch in table.to_batches()], schema)

    def _score(self, batch: Any) -> Any:
        def where(row: int) -> str:
            return f"row {row} of a batch{name_row(batch, row, self._scorer.keep)}"

        return self._scorer.score(Part(batch, where))[0]
