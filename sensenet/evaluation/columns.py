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
    """The true values, and what some models read; `ignore` are other columns, which are not read.

    `truths` are the names that the column of true values may have, of which the first that is there counts.
    """

    scorers: tuple[Scorer, ...]
    truths: tuple[str, ...]
    ignore: frozenset[str]

    def find_truth(self, names: Sequence[str]) -> str:
        """Return the column of true values; raise InputError if it is not there."""
        found = next((name for name in self.truths if name in names), None)
        if found is not None:
            return found
        wanted = self.truths[-1]
        delimiter = self.scorers[0].layout.find_delimiter(names[0]) if len(names) == 1 else None
        if delimiter is not None:
            raise InputError(
                f"no column {describe(wanted)} with the true values; {describe(names[0])} are several "
                f"columns, so the delimiter is {delimiter!r}"
            )
        listed = ", ".join(map(describe, names[:MOST_NAMES])) + ", …" * (len(names) > MOST_NAMES)
        raise InputError(
            f"no column {describe(wanted)} with the true values; {suggest(wanted, names)}name it with "
            f"--truth; columns: {listed}"
        )

    def kept(self, names: Sequence[str]) -> Sequence[str]:
        """Return the columns that are kept, which is that of true values; raise as `find_truth` does."""
        return (self.find_truth(names),)

    def check(self, names: Sequence[str]) -> None:
        """Raise InputError if there are no true values, or a column that no model reads."""
        self.find_truth(names)
        for scorer in self.scorers:
            scorer.check(self.select(scorer, names))

    def reads(self, names: Sequence[str]) -> list[str]:
        """Return the columns that are read, in their order; raise InputError as `check` does."""
        self.check(names)
        of_scorers = (scorer.reads(self.select(scorer, names)) for scorer in self.scorers)
        read = {self.find_truth(names)}.union(*of_scorers)
        return [name for name in names if name in read]

    def select(self, scorer: Scorer, names: Sequence[str]) -> list[str]:
        """Return the columns that a model reads or must refuse: not those that only another one reads."""
        others = {*self.truths, *self.ignore}
        for other in self.scorers:
            if other is not scorer:
                others |= _known(other)
        own = _known(scorer)
        return [name for name in names if name not in self.ignore and (name in own or name not in others)]


def _known(scorer: Scorer) -> frozenset[str]:
    """Return the names of a model's fields; none if they are unknown, when it reads all columns."""
    layout = scorer.layout
    return frozenset((*layout.positions, *layout.objective_names, *layout.ambiguous))
