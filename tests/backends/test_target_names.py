"""Only a target's own module names it, so that a new one is seen everywhere."""

from __future__ import annotations

import ast
from pathlib import Path

import sensenet
from sensenet.backends import MODULES

PACKAGE = Path(sensenet.__file__).parent

CONSTANTS = {
    ("backends/__init__.py", "MODULES"): "the table",
    ("backends/__init__.py", "DEFAULT_TARGET"): "what `compile` makes if nothing says otherwise",
    ("llvm/cache.py", "FOLDER"): "a folder of machine code",
    ("llvm/installed.py", "EXTRA"): "what brings LLVM",
    ("models/engines.py", "INTERPRETER"): "what runs models without other packages",
    ("models/engines.py", "ROW_ENGINE"): "what runs models of rows soonest",
    ("models/engines.py", "LARGE_ENGINE"): "what runs large networks of images soonest",
}
"""Where a name is, and why."""

PUBLISHED = "published"
"""The room of names that the published package promises: `convert(…, to_format="tflite")`."""


def own_folder(module: str) -> str:
    """The file or folder of a target's module: sensenet.backends.keras.h5 is backends/keras/h5."""
    return "/".join(module.split(".")[1:])


def find_names(tree: ast.AST, path: str) -> list[tuple[str, int]]:
    """The names of targets in a file's text, and the lines that they are in, but for those of CONSTANTS."""
    allowed: set[ast.AST] = set()
    for node in ast.walk(tree):
        match node:
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                if (path, name) in CONSTANTS:
                    allowed |= set(ast.walk(node))
    return [
        (node.value, node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in MODULES and node not in allowed
    ]


def test_only_its_own_module_names_a_target():
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        path = file.relative_to(PACKAGE).as_posix()
        if path.startswith(f"{PUBLISHED}/"):
            continue
        for name, line in find_names(ast.parse(file.read_text("utf-8")), path):
            if not path.removesuffix(".py").startswith(own_folder(MODULES[name])):
                found.append(f"{path}:{line} names the target {name}")
    assert found == [], "put what depends on a target into its `Target`"


def test_names_are_found():
    lines = ('INTERPRETER = "numpy"', 'if target == "h5":', " match x:", '  case "ir":', "   pass")
    tree = ast.parse("\n".join(lines))
    assert find_names(tree, "models/engines.py") == [("h5", 2), ("ir", 4)]
    assert len(find_names(tree, "models/create.py")) == 3


def compares_with_a_target(node: ast.AST) -> bool:
    """Whether a comparison has an operand such as `keras.TARGET` or `keras.TARGET.name`."""
    return isinstance(node, ast.Compare) and any(
        getattr(each, "attr", getattr(each, "id", "")) == "TARGET" for each in ast.walk(node)
    )


def test_nothing_compares_with_a_target():
    assert compares_with_a_target(ast.parse("x == keras.TARGET.name", mode="eval").body)
    assert not compares_with_a_target(ast.parse("x == target.name", mode="eval").body)
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            assert not compares_with_a_target(node), f"{file}:{node.lineno}"


def test_every_exception_is_needed():
    for path, name in CONSTANTS:
        text = (PACKAGE / path).read_text("utf-8")
        assert f"\n{name}" in text, f"{path} has no {name}"
