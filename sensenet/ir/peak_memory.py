"""The memory that values take while operators run in order, each freed after its last reader."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping

from sensenet.records import frozen


@frozen(kw_only=True)
class Step:
    """An operator: the values that it reads, those that it gives with their bytes, and the bytes besides."""

    reads: Collection[Hashable]
    results: Mapping[Hashable, int]
    working: int = 0


def peak_bytes(steps: Iterable[Step], kept: Collection[Hashable]) -> int:
    """Return the most bytes at once; values in `kept` are never freed, and those that no step gives are free.

    A value that is read before it is given is kept as well.
    """
    ordered = list(steps)
    last_reader = {value: place for place, step in enumerate(ordered) for value in step.reads}
    sizes: dict[Hashable, int] = {}
    live = most = 0
    for place, step in enumerate(ordered):
        sizes |= step.results
        live += sum(step.results.values())
        most = max(most, live + step.working)
        for value in {*step.reads, *step.results}:
            if last_reader.get(value, place) == place and value not in kept:
                live -= sizes.pop(value, 0)
    return most
