"""What the pages say of targets, and what they should."""

from __future__ import annotations

import re
from pathlib import Path

from sensenet.backends import TARGETS
from sensenet.backends.options import describe_options

ROOT = Path(__file__).resolve().parents[2]

HEADS = ("| target | option | values | default | meaning |", "|---|---|---|---|---|")


def targets_in_readme() -> list[str]:
    """The targets of the README's table, in order."""
    return re.findall(r"^\| `(\w+)` \|", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)


def options_in_page() -> list[str]:
    """The lines of the table of options in docs/targets.md."""
    lines = (ROOT / "docs/targets.md").read_text("utf-8").splitlines()
    start = lines.index(HEADS[0])
    return lines[start : lines.index("", start)]


def options_of_targets() -> list[str]:
    """The lines that the table should have."""
    rows = [
        f"| `{name}` | `{option.name}` | {option.values} | {option.default} | {option.meaning} |"
        for name, target in TARGETS.items()
        for option in describe_options(target.options)
    ]
    return [*HEADS, *rows]


def targets_without_section() -> list[str]:
    """The targets that no heading in docs/targets.md names."""
    page = (ROOT / "docs/targets.md").read_text("utf-8")
    named = {word for heading in re.findall(r"^## (.*)", page, re.MULTILINE) for word in heading.split()}
    return [name for name in TARGETS if name not in named]
