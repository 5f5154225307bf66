"""Frozen classes: those of attrs, whose equality, hash and repr are functions that all of them share.

attrs writes these methods for each class and compiles them when the class is made. That would take more than
half of the time that attrs needs for a class, and a first row needs more than a hundred classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["frozen"]

if TYPE_CHECKING:
    from attrs import frozen
else:
    import functools
    import operator
    import reprlib

    import attrs

    def frozen(cls=None, *, eq=True, repr=True, **options):
        """Return what `attrs.frozen` returns; `eq` and `repr` say whether values are compared and shown."""
        if cls is None:
            return functools.partial(frozen, eq=eq, repr=repr, **options)
        record = attrs.frozen(cls, eq=False, repr=False, **options)
        fields = attrs.fields(record)
        methods = {
            **(_compare([field.name for field in fields if field.eq], record) if eq else {}),
            **(_show([field.name for field in fields if field.repr]) if repr else {}),
        }
        for name, method in methods.items():
            if name not in vars(record):  # a class may have its own
                setattr(record, name, method)
        return record

    def _compare(names, record):
        """Return equality, for values of the very same class, and hash by the attributes of these names."""
        values = _reader(names)

        def equal(self, other):
            if other.__class__ is not self.__class__:
                return NotImplemented
            return all(map(operator.eq, values(self), values(other)))

        def hashed(self):
            return hash((record, values(self)))

        return {"__eq__": equal, "__hash__": hashed}

    def _show(names):
        """Return `Name(attribute=value, …)` as a method, `...` for a value in itself."""
        values = _reader(names)

        @reprlib.recursive_repr()
        def shown(self):
            parts = ", ".join(f"{name}={value!r}" for name, value in zip(names, values(self), strict=True))
            return f"{type(self).__qualname__.rpartition('>.')[2]}({parts})"

        return {"__repr__": shown}

    def _reader(names):
        """Return a function from an object to the tuple of its attributes of these names."""
        if len(names) > 1:
            return operator.attrgetter(*names)
        return lambda record: tuple(getattr(record, name) for name in names)
