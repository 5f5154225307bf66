"""Write docs/passes.md from the docstrings of the passes and the table of the pipeline.

    python tools/passes_page.py

The page ends with benchmarks/passes.md, if that exists. A test compares the page with
what this makes, so run it after any change of a pass's docstring or place.
"""

from __future__ import annotations

import importlib
import inspect
from itertools import groupby
from pathlib import Path
from types import ModuleType

import sensenet.passes
from sensenet.passes import LEVELS, PIPELINE, Step
from sensenet.passes.infrastructure.selection import LOWERING

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "passes.md"
WORTH = ROOT / "benchmarks" / "passes.md"

INTRODUCTION = """\
# The passes

[Written by `tools/passes_page.py` from docstrings of `sensenet/passes`: change those, and run it again.]: #

A pass rewrites a graph into one that answers the same. `-O0` runs none; those of `-O1` change no bit of any
answer; those of `-O2` may round otherwise, within 1e-6 + 1e-5 · |answer|. After them, a target's own last
passes leave only ops that the target has: `legalize`, and `simplify-lowered` for a target that is made of
tensor ops. [ir.md](ir.md) defines the ops, [cli.md](cli.md#looking-inside) shows how to run single passes and
look at their results, and [writing_a_pass.md](writing_a_pass.md) how to write one.

Each pass below shows a graph before and after in the text form; `…` replaces attributes that do not matter,
`K` and `b` are weights. The file of its cases shows when it fires, and when it must not: a case whose name
begins with `leaves_` is a graph that stays as it is.

A pass that only `-O2` runs declines to change weights if float32 would make the answer wrong, and `--explain`
prints why:

- a number of the graph's layers or of its objective is above 2⁶⁴, or a column's deviation below 2⁻¹⁰⁰, which
  would amplify the rounding of others;
- the largest number of a new kernel would be below 2⁻⁶⁴ or above 2⁶⁴, where float32 soon overflows or loses
  digits;
- large terms would cancel: those of a weight are together larger than 256, and than 256 times their sum (8192
  in a convolution); of a bias, the sum without terms that an input may cancel. A mean of 10 times a weight of
  1e12 stays a subtraction, which is exact, and does not go into the bias, where float32 would be off by 1e5.
"""


def module_of(name: str) -> ModuleType:
    """Return the module of a pass, which has its name; raises LookupError if there is none."""
    room = f"{sensenet.passes.__name__}.lowering" if name in LOWERING else sensenet.passes.__name__
    module = f"{room}.{name.replace('-', '_')}"
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        file = f"{module.replace('.', '/')}.py"
        raise LookupError(f"there is no {file} for the pass {name}: name the pass after its file") from error


def split_docstring(name: str) -> tuple[str, list[tuple[bool, str]]]:
    """Return a pass in a line, and the parts below: whether each is in the text form, and its text."""
    text = inspect.getdoc(module_of(name)) or ""
    title, _, rest = text.partition("\n")
    summary = title.removeprefix(f"{name}: ")
    parts = [
        (shown, inspect.cleandoc("\n".join(lines)))
        for shown, lines in groupby(rest.splitlines(), lambda line: line.startswith("    "))
    ]
    return summary, [(shown, part) for shown, part in parts if part]


def describe(name: str, levels: str) -> str:
    """Return the section of a pass."""
    summary, parts = split_docstring(name)
    source = Path(inspect.getfile(module_of(name))).relative_to(Path(sensenet.passes.__file__).parent)
    lines = [
        f"## {name}",
        summary[0].upper() + summary[1:],
        f"{levels} · [source](../sensenet/passes/{source}) · [cases](../tests/passes/{name}.ir)",
        *(f"```text\n{part}\n```" if shown else part for shown, part in parts),
    ]
    return "\n\n".join(lines) + "\n"


def describe_pipeline() -> str:
    """Return the table of all passes in order: the levels that run each, and the reason for its place."""
    rows = [
        f"| {place} | [{step.pass_.name}](#{step.pass_.name}) | {levels_of(step)} | {step.reason} |"
        for place, step in enumerate(PIPELINE, start=1)
    ]
    return "\n".join(["| | pass | levels | why there |", "|---|---|---|---|", *rows, ""])


def levels_of(step: Step) -> str:
    """`-O1 -O2`: the levels that run a pass."""
    return " ".join(f"-O{level}" for level in LEVELS if step.level <= level)


def make_page() -> str:
    """Return the text of docs/passes.md."""
    levels = {step.pass_.name: levels_of(step) for step in PIPELINE}
    levels |= {name: f"every level, {purpose}" for name, purpose in LOWERING.items()}
    sections = [describe(name, where) for name, where in levels.items()]
    worth = [f"## What each is worth\n\n{WORTH.read_text(encoding='utf-8')}"] if WORTH.exists() else []
    return "\n".join([INTRODUCTION, "## The pipeline\n", describe_pipeline(), *sections, *worth])


if __name__ == "__main__":
    PAGE.write_text(make_page(), encoding="utf-8")
