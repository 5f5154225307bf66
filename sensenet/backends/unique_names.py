"""Names for the parts of a file, each of which may be used once."""

from __future__ import annotations

from collections import defaultdict

from attrs import Factory

from sensenet.records import frozen


@frozen
class UniqueNames:
    """The names in use."""

    taken: set[str] = Factory(set)
    numbers: dict[str, int] = Factory(lambda: defaultdict(int))

    def add(self, wanted: str) -> str:
        """Return a name that nothing else has: the one wanted, or that with a number behind it."""
        name = wanted
        while name in self.taken:
            self.numbers[wanted] += 1
            name = f"{wanted}_{self.numbers[wanted]}"
        self.taken.add(name)
        return name
