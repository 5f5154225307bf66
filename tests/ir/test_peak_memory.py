"""The memory of values that are freed after their last reader."""

from __future__ import annotations

import pytest

from sensenet.ir.peak_memory import Step, peak_bytes


def step(reads, working=0, **results):
    return Step(reads=reads.split(), results=results, working=working)


CHAIN = [step("", a=10), step("a", b=20), step("b", c=30), step("c", d=1)]


@pytest.mark.parametrize(
    ("steps", "kept", "expected"),
    [
        ([], "", 0),
        (CHAIN, "d", 20 + 30),
        (CHAIN, "a d", 10 + 20 + 30),
        ([*CHAIN, step("a", e=1)], "d e", 10 + 20 + 30),
        ([step("", unread=50), step("", a=10), step("a", b=1)], "b", 50),
        ([step("", a=10), step("a", b=20), step("a b a", c=5)], "c", 10 + 20 + 5),
        ([step("", a=10), step("a", working=100, b=5), step("b", c=1)], "c", 10 + 100 + 5),
        ([step("constant", a=10), step("constant a", b=5)], "b", 15),
        ([step("late", a=1), step("", late=40), step("", b=7)], "b", 40 + 7),
        ([step("", a=10, b=20), step("a", c=4), step("b", d=4)], "c d", 10 + 20 + 4),
    ],
    ids=["none", "chain", "kept", "long-lived", "unread", "twice", "working", "free", "late", "several"],
)
def test_most_bytes_at_once(steps, kept, expected):
    assert peak_bytes(steps, set(kept.split())) == expected
