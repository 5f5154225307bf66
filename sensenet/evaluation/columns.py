"""Which columns of a table are read to evaluate models on it."""

from __future__ import annotations

from collections.abc import Sequence

from sensenet.batches.scoring import Scorer
from sensenet.errors import InputError
from sensenet.records import frozen
from sensenet.runtime.cells import describe
from sensenet.runtime.layout import MOST_NAMES
from sensenet.suggestions import suggest


@frozen(kw_only=True)
class EvaluationColumns:
    """The true values, and what some models read; `ignore` are other columns, which are not read."""

    scorers: tuple[Scorer, ...]
    truth: str
    ignore: frozenset[str]

    @property
    def keep(self) -> tuple[str, ...]:
        return (self.truth,)

    def check(self, names: Sequence[str]) -> None:
        """Raise InputError if there are no true values, or a column that no model reads."""
        if self.truth not in names:
            listed = ", ".join(map(describe, names[:MOST_NAMES])) + ", …" * (len(names) > MOST_NAMES)
            raise InputError(
                f"no column {self.truth!r} with the true values; {suggest(self.truth, names)}name it with "
                f"--truth; columns: {listed}"
            )
        for scorer in self.scorers:
            scorer.check(self.select(scorer, names))

    def reads(self, names: Sequence[str]) -> list[str]:
        """Return the columns that are read, in their order; raise InputError as `check` does."""
        self.check(names)
        read = {self.truth}.union(*(scorer.reads(self.select(scorer, names)) for scorer in self.scorers))
        return [name for name in names if name in read]

    def select(self, scorer: Scorer, names: Sequence[str]) -> list[str]:
        """Return the columns that a model reads or must refuse: not those that only another one reads."""
        others = {self.truth} | self.ignore
        for other in self.scorers:
            if other is not scorer:
                others |= _known(other)
        own = _known(scorer)
        return [name for name in names if name not in self.ignore and (name in own or name not in others)]


def _known(scorer: Scorer) -> frozenset[str]:
    """Return the names of a model's fields; none if they are unknown, when it reads all columns."""
    layout = scorer.layout
    return frozenset(layout.positions) | layout.others | layout.ambiguous
