"""Write docs/api.md from the signatures and docstrings of the public names, in the order of `api_names.py`.

    python tools/api_page.py

A test compares the page with what this makes, and `api_names.py` with the names that there are. So run it
after any change of a public signature or docstring, and add a new name there.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import json
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
from api_names import SECTIONS
from attrs import frozen

import sensenet
from sensenet import errors
from sensenet.published import constants
from sensenet.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "api.md"
WIDTH = 100
"""Most characters of a line of code on the page; a longer signature has a line for each parameter."""
TEXT_WIDTH = 118

INTRODUCTION = """\
# The public names

[Written by `tools/api_page.py` from docstrings and signatures: change those, and run it again.]: #

Programs may import these names and rely on them; any other name may change. `import sensenet` is enough for
names of one word after `sensenet.`, and imports nothing else until one of them is used.
`sensenet.__version__` is the version, as text.

```python
>>> import sensenet
>>> model = sensenet.create_model("examples/iris.json")
>>> model
<Deepnet 'iris': 4 columns, 3 classes>
>>> answers = model([[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]])
>>> answers.shape, answers.dtype
((2, 3), dtype('float32'))
>>> artifact = sensenet.compile("examples/iris.json", target="numpy")
>>> artifact.report.level
2
>>> path = artifact.save("iris.npz")
>>> sensenet.create_model(path).classes
('setosa', 'versicolor', 'virginica')
>>> try:
...     sensenet.create_model("examples/iris.json", {"max_object": 3})
... except sensenet.SensenetError as error:
...     print(error)
unknown setting 'max_object'; did you mean 'max_objects'? expected one of: ...
```

The command `sensenet` is in [cli.md](cli.md); what differs from the published package is in
[migrating.md](migrating.md).
"""


@frozen
class Assignment:
    """A name that is assigned in a module or class: its source, and the text below."""

    annotation: str
    value: str
    text: str


@functools.cache
def read_assignments(owner: Any) -> Mapping[str, Assignment]:
    """Return the assignments of a module, or of the body of a class."""
    source = textwrap.dedent(inspect.getsource(owner))
    tree = ast.parse(source)
    body = tree.body[0].body if inspect.isclass(owner) else tree.body  # type: ignore[attr-defined]
    found = {}
    for statement, following in pairwise([*body, ast.Pass()]):
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=kind, value=value):
                annotation = ast.get_source_segment(source, kind) or ""
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                annotation = ""
            case _:
                continue
        match following:
            case ast.Expr(value=ast.Constant(value=str(text))):
                text = inspect.cleandoc(text)
            case _:
                text = ""
        assigned = "" if value is None else ast.get_source_segment(source, value) or ""
        found[name] = Assignment(annotation, assigned, text)
    return found


def tabulate(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of Markdown."""
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for row in rows:
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |")
    return "\n".join(lines)


def tabulate_settings() -> str:
    """Return the table of settings."""
    rows = []
    for name, assignment in read_assignments(Settings).items():
        whose, meaning, default = split_setting(" ".join(assignment.text.split()))
        rows.append((f"`{name}`", assignment.annotation.removesuffix(" | None"), default, whose, meaning))
    return tabulate(("setting", "type", "default", "for", "meaning"), rows)


def split_setting(text: str) -> tuple[str, str, str]:
    """Return the models, meaning and default of a setting: `Detectors: what it means. Default: 32.`"""
    match = re.fullmatch(r"([A-Z][a-z ]+): (.+\.) Default: (.+)\.", text)
    if match is None:
        raise SystemExit(f"the text of a setting is 'Models: what it means. Default: value.'; found {text!r}")
    whose, meaning, default = match.groups()
    return whose.lower(), meaning[0].upper() + meaning[1:], default


def tabulate_errors() -> str:
    """Return the table of exceptions, in the order of their module."""
    rows = []
    for name, error in vars(errors).items():
        if inspect.isclass(error) and issubclass(error, errors.SensenetError):
            bases = ", ".join(f"`{base.__name__}`" for base in error.__bases__)
            rows.append((f"`{name}`", bases, " ".join((inspect.getdoc(error) or "").split())))
    return tabulate(("error", "is a", "meaning"), rows)


def tabulate_constants() -> str:
    """Return the table of `sensenet.constants`; a text is below the last name of its group."""
    rows = []
    group: list[str] = []
    for name, assignment in read_assignments(constants).items():
        group.append(f"`{name}` = `{getattr(constants, name)!r}`")
        if assignment.text:
            rows.append((", ".join(group), " ".join(assignment.text.split())))
            group = []
    return tabulate(("constants", "what they are"), rows)


TABLES = {"settings": tabulate_settings, "errors": tabulate_errors, "constants": tabulate_constants}


@frozen
class Entry:
    """A public name: of a module, or of one of its classes."""

    module: ModuleType
    path: str
    value: Any

    @property
    def is_member(self) -> bool:
        return "." in self.path

    @property
    def title(self) -> str:
        """Return the shortest name by which a program refers to it; a member begins with its class."""
        if self.is_member:
            return self.path
        if self.path in sensenet.__all__:
            named = inspect.unwrap(getattr(sensenet, self.path))
            if named is inspect.unwrap(self.value):
                return f"{sensenet.__name__}.{self.path}"
        return f"{self.module.__name__}.{self.path}"


def find(module: str, path: str) -> Entry:
    """Return the value of a name of a module; raises AttributeError if there is none."""
    home = importlib.import_module(module)
    *classes, name = path.split(".")
    owner = functools.reduce(getattr, classes, home)
    value = inspect.getattr_static(owner, name) if classes else getattr(home, name)
    return Entry(home, path, value)


def describe(entry: Entry) -> str:
    """Return the part of the page about a name: its declaration and its docstring."""
    form, text = write_form(entry)
    if not text:
        raise SystemExit(f"{entry.module.__name__}.{entry.path} has no docstring")
    level = "####" if entry.is_member else "###"
    return f"{level} `{entry.title}`\n\n```python\n{form}\n```\n\n{text}\n"


def write_form(entry: Entry) -> tuple[str, str]:
    """Return a name as Python declares it, and its docstring."""
    name = entry.path.rpartition(".")[2]
    match entry.value:
        case type() as made:
            return write_class(made), inspect.getdoc(made) or ""
        case property(fget=function) | cached_property(func=function):
            annotations = inspect.get_annotations(function)  # type: ignore[arg-type]
            return f"{name}: {annotations['return']}", inspect.getdoc(function) or ""
        case classmethod(__func__=function):
            return write_function(name, function), inspect.getdoc(function) or ""
        case function if inspect.isfunction(function):
            return write_function(name, function), inspect.getdoc(function) or ""
    assignment = find_assignment(entry.module, name)
    if assignment.annotation:  # a table, which is for programs to read
        return f"{name}: {assignment.annotation}", assignment.text
    return f"{name} = {assignment.value}", assignment.text


def find_assignment(module: ModuleType, name: str) -> Assignment:
    """Return the assignment of a name, in the module that a module imports it from."""
    own = read_assignments(module)
    return own[name] if name in own else find_assignment(find_source(module, name), name)


def find_source(module: ModuleType, name: str) -> ModuleType:
    """Return the module that a module imports a name from."""
    for statement in ast.parse(inspect.getsource(module)).body:
        match statement:
            case ast.ImportFrom(module=str(source), names=names) if name in {each.name for each in names}:
                return importlib.import_module(source)
    raise SystemExit(f"{module.__name__} neither assigns nor imports {name}")


def write_class(made: type) -> str:
    """Return a class with its fields, if it has any; those of the settings have a table."""
    (base,) = made.__bases__
    head = f"class {made.__name__}" + ("" if base is object else f"({base.__module__}.{base.__name__})")
    if not attrs.has(made) or issubclass(made, Settings):
        return head
    fields = [f"    {field.name}: {field.type}{write_default(field.default)}" for field in attrs.fields(made)]
    return "\n".join([f"{head}:", *fields])


def write_function(name: str, function: Callable[..., Any]) -> str:
    """Return the signature of a function, in one line if it fits."""
    signature = inspect.signature(function)
    parameters = []
    for parameter in signature.parameters.values():
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parameters:
            parameters.append("*")
        stars = "**" if parameter.kind is parameter.VAR_KEYWORD else ""
        kind = "" if parameter.annotation is parameter.empty else f": {parameter.annotation}"
        parameters.append(f"{stars}{parameter.name}{kind}{write_default(parameter.default)}")
    result = f" -> {signature.return_annotation}"
    line = f"{name}({', '.join(parameters)}){result}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"{name}(", *(f"    {parameter}," for parameter in parameters), f"){result}"])


def write_default(default: Any) -> str:
    """Return ` = value`, nothing if there is none, and `…` for a function, which has no short name."""
    if default is inspect.Parameter.empty or default is attrs.NOTHING:
        return ""
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        return f" = {default.factory()!r}"
    if isinstance(default, str):
        return f" = {json.dumps(default, ensure_ascii=False)}"  # in the quotes of this repository
    return " = …" if callable(default) else f" = {default!r}"


def make_page() -> str:
    """Return the text of docs/api.md."""
    parts = [INTRODUCTION]
    for section in SECTIONS:
        text = textwrap.fill(section.text, TEXT_WIDTH, break_long_words=False, break_on_hyphens=False)
        parts.append(f"## {section.title}\n\n{text}\n")
        if section.table:
            parts.append(f"{TABLES[section.table]()}\n")
        parts += [describe(find(module, path)) for module, paths in section.names.items() for path in paths]
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(make_page(), encoding="utf-8")
