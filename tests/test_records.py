"""`sensenet.records.frozen` makes the classes that `attrs.frozen` makes, without compiling their methods."""

from __future__ import annotations

import itertools
import math
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

from sensenet import records


def declare(frozen):
    """Return classes that a decorator makes frozen."""

    @frozen
    class Point:
        x: Any
        y: Any = 0.0

    @frozen(kw_only=True)
    class Named(Point):
        name: str = attrs.field(default="", repr=False)
        note: str = attrs.field(default="", eq=False)

    class Derived(Point):
        """Inherits the methods, and is not a class of attrs itself."""

    @frozen
    class Empty:
        pass

    @frozen(slots=False)
    class Loose:
        only: int = 0

    @frozen
    class Own:
        x: int

        def __eq__(self, other):
            return isinstance(other, Own) and self.x % 2 == other.x % 2

        def __hash__(self):
            return self.x % 2

        def __repr__(self):
            return "own"

    return SimpleNamespace(**locals())


PACKAGE = Path(records.__file__).parent

OURS, THEIRS = declare(records.frozen), declare(attrs.frozen)

VALUES = [
    lambda c: c.Point(1),
    lambda c: c.Point(1.0, 0),
    lambda c: c.Point(0, 1),
    lambda c: c.Point(math.nan),
    lambda c: c.Point((c.Point("a"), c.Loose())),
    lambda c: c.Derived(1),
    lambda c: c.Named(x=1),
    lambda c: c.Named(x=1, name="n"),
    lambda c: c.Named(x=1, note="not compared"),
    lambda c: c.Empty(),
    lambda c: c.Loose(),
    lambda c: c.Loose(1),
    lambda c: c.Own(1),
    lambda c: c.Own(3),
]


def test_equality_is_that_of_attrs():
    for a, b in itertools.product(VALUES, repeat=2):
        assert (a(OURS) == b(OURS)) is (a(THEIRS) == b(THEIRS))
        assert (a(OURS) != b(OURS)) is (a(THEIRS) != b(THEIRS))
    same = [(value, value) for value in (each(OURS) for each in VALUES)]
    assert [a == b for a, b in same] == [value == value for value in (each(THEIRS) for each in VALUES)]


def test_equal_values_have_one_hash():
    for a, b in itertools.product([each(OURS) for each in VALUES], repeat=2):
        if a == b:
            assert hash(a) == hash(b)
    assert len({hash(each(OURS)) for each in VALUES}) == len({hash(each(THEIRS)) for each in VALUES})
    with pytest.raises(TypeError, match="unhashable"):
        hash(OURS.Point([]))


def test_repr_is_that_of_attrs():
    for each in VALUES:
        assert repr(each(OURS)) == repr(each(THEIRS))
    for classes in (OURS, THEIRS):
        around = classes.Point([])
        around.x.append(around)
        assert repr(around) == "Point(x=[...], y=0.0)"


def test_values_may_be_told_apart_and_shown_by_identity_alone():
    @records.frozen(eq=False, repr=False)
    class Alone:
        x: int = 0

    assert Alone() != Alone()
    assert Alone.__hash__ is object.__hash__
    assert Alone.__repr__ is object.__repr__


def test_values_are_frozen():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        OURS.Point(1).x = 2


def test_classes_share_their_methods():
    assert OURS.Point.__eq__.__code__ is OURS.Loose.__eq__.__code__
    assert OURS.Point.__hash__.__code__ is OURS.Empty.__hash__.__code__


def test_the_package_has_no_other_frozen_classes():
    others = re.compile(r"from attrs import .*\bfrozen\b|attrs\.frozen|@dataclass")
    found = [path.name for path in sorted(PACKAGE.rglob("*.py")) if others.search(path.read_text("utf-8"))]
    assert found == ["records.py"]
