"""What a planted fault is, and which tests are to notice it."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).parents[2]

SOONEST = ("tests/passes/test_golden.py", "tests/passes/test_precision.py")
"""Files of tests that take a second."""

DEFAULT_TESTS = (
    *SOONEST,
    *sorted({f"tests/passes/{path.name}" for path in (ROOT / "tests/passes").glob("test_*.py")} - {*SOONEST}),
    "tests/test_properties.py",
)
"""What should notice: whole files, those of all passes."""


@frozen(kw_only=True)
class Mutation:
    """`old`, which stands in `file` exactly once, becomes `new`; `reason` says why that is wrong."""

    name: str
    reason: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...] = DEFAULT_TESTS

    def apply(self, source: str) -> str:
        """The text of the file with the fault; raises ValueError unless `old` stands there once."""
        count = source.count(self.old)
        if count != 1:
            raise ValueError(f"{self.name}: the text to replace stands {count} times in {self.file}")
        return source.replace(self.old, self.new)
