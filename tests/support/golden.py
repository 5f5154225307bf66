"""Golden files, `tests/passes/<pass>.ir`: small graphs, and what the pass makes of each.

    // case: fires_linear
    // Two linear layers are one.
    sensenet graph
    …
    =>
    sensenet graph
    …

Cases are separated by an empty line. The signature, which is empty, is left out.
"""

from __future__ import annotations

import re
from pathlib import Path

from attrs import evolve, frozen

from sensenet.ir.graph import Graph
from sensenet.ir.parser import parse_graph
from sensenet.ir.printer import print_graph

FOLDER = Path(__file__).parents[1] / "passes"
FILES = sorted(FOLDER.rglob("*.ir"))

CASE = "// case: "
GRAPH = "sensenet graph\n"
ARROW = "=>\n"


@frozen(kw_only=True)
class Golden:
    """A case: comments, the text of a graph, and that of the graph that the pass makes of it."""

    pass_name: str
    name: str
    comment: str
    before: str
    after: str

    @property
    def id(self) -> str:
        """`pass/case`"""
        return f"{self.pass_name}/{self.name}"

    @property
    def graph(self) -> Graph:
        return parse_graph(self.before)

    @property
    def text(self) -> str:
        """The case as its file has it."""
        return f"{CASE}{self.name}\n{self.comment}{self.before}{ARROW}{self.after}"


def read_goldens(path: Path) -> list[Golden]:
    """Return the cases of a file in order; the expected graph of a new case may be absent."""
    beginning, *texts = re.split(f"^{CASE}", path.read_text("utf-8"), flags=re.MULTILINE)
    assert not beginning, f"{path} does not begin with `{CASE}NAME`"
    return [_parse_golden(path.stem, text) for text in texts]


def _parse_golden(pass_name: str, text: str) -> Golden:
    name, _, rest = text.partition("\n")
    given, _, expected = (rest.rstrip("\n") + "\n").partition(ARROW)
    comment, found, before = given.partition(GRAPH)
    assert found, f"the case {name} of {pass_name} has no line `{GRAPH.strip()}`"
    return Golden(pass_name=pass_name, name=name, comment=comment, before=found + before, after=expected)


def print_goldens(goldens: list[Golden]) -> str:
    """Return the text of a file."""
    return "\n".join(golden.text for golden in goldens)


def update_golden(golden: Golden, after: Graph) -> None:
    """Write what the pass makes of a case into its file, as what is expected."""
    path = FOLDER / f"{golden.pass_name}.ir"
    updated = evolve(golden, before=print_golden(golden.graph), after=print_golden(after))
    goldens = [updated if each.name == golden.name else each for each in read_goldens(path)]
    path.write_text(print_goldens(goldens), "utf-8")


def find_golden(case: str) -> Golden:
    """Return the case that is called `pass/case`."""
    (found,) = (golden for golden in GOLDENS if golden.id == case)
    return found


def print_golden(graph: Graph) -> str:
    """Return the text form without the signature."""
    lines = print_graph(graph).splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("signature "))


GOLDENS = [golden for path in FILES for golden in read_goldens(path)]
