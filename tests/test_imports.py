"""What importing costs, in which order names appear, and which room may import which."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sensenet.notebook_views import VIEWS

PACKAGE = Path(__file__).parents[1] / "sensenet"

LEAVES = frozenset(
    {
        *("distribution", "errors", "foreign_errors", "forks", "json_numbers", "limits"),
        *("notebook_views", "optional_packages"),
        *("plain_numbers", "plain_text", "processors", "progress", "records", "suggestions", "validators"),
    }
)
"""Modules that anything may import, and that import nothing of ours but leaves."""

BASE = LEAVES | {"signature", "ir", "settings", "artifact", "files"}

COMPILER = BASE | {"frontend", "layer_schema", "passes", "backends", "runtime", "pretrained"}

ARROWS = {
    "distribution": frozenset(),
    "errors": frozenset({"distribution"}),
    "limits": frozenset({"errors"}),
    "foreign_errors": frozenset(),
    "forks": frozenset(),
    "json_numbers": frozenset(),
    "notebook_views": frozenset(),
    "optional_packages": frozenset({"errors", "foreign_errors", "forks"}),
    "plain_numbers": frozenset(),
    "plain_text": frozenset(),
    "processors": frozenset(),
    "progress": frozenset({"errors", "plain_text"}),
    "records": frozenset(),
    "suggestions": frozenset(),
    "validators": frozenset(),
    "callable_module": frozenset(),
    "settings": LEAVES,
    "files": LEAVES,
    "signature": LEAVES,
    "ir": LEAVES | {"signature"},
    "artifact": LEAVES | {"signature", "ir", "files"},
    "layer_schema": LEAVES | {"ir"},
    "drawing": BASE,
    "facts": BASE | {"drawing"},
    "llvm": LEAVES,
    "frontend": BASE | {"layer_schema", "llvm"},
    "passes": BASE,
    "backends": BASE | {"layer_schema", "llvm", "passes", "drawing"},
    "runtime": BASE,
    "pretrained": BASE,
    "compiler": COMPILER | {"callable_module"},
    "models": COMPILER | {"compiler", "facts", "llvm"},
    "batches": COMPILER | {"compiler", "models"},
    "explanation": COMPILER | {"compiler", "models", "drawing"},
    "evaluation": COMPILER | {"compiler", "models", "batches", "drawing"},
    "inspection": COMPILER | {"compiler", "drawing", "facts", "models"},
    "published": COMPILER | {"compiler", "models"},
    "spark": BASE | {"backends", "runtime", "batches"},
    "ray": BASE | {"runtime", "batches"},
    "serve": COMPILER | {"compiler", "drawing", "llvm", "models"},
    "cli": COMPILER
    | {"compiler", "models", "batches", "drawing", "evaluation", "explanation", "inspection", "serve"},
    "keras": BASE | {"backends"},
    "mlflow": COMPILER | {"compiler", "models"},
}
"""Each room, and the other rooms that it may import from."""

DOORS = {
    *("__main__", "accessors", "bisect", "compile", "constants", "decompile", "ir.drawing", "load"),
    *("models.bundle", "models.settings", "models.wrappers", "passes.manager", "passes.selection", "predict"),
    *("pretrained.__main__", "serve.__main__"),
}
"""Old paths of names, and commands: modules, and folders of them, that only lead to another room."""

OPTIONAL_PACKAGES = frozenset(
    {"tensorflow", "keras", "tf_keras", "ai_edge_litert", "h5py", "tensorflowjs", "pandas", "llvmlite"}
)


def room_of(module):
    """`sensenet.ir.ops.dense` lies in the room ir."""
    return module.split(".")[1]


def is_door(module):
    """Whether a module is one of DOORS, or in one."""
    return any(f"{module}.".startswith(f"sensenet.{door}.") for door in DOORS)


def find_modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        if name != "sensenet":
            yield pytest.param(name, path, id=name)


MODULES = list(find_modules())


def imported_modules(nodes):
    """Every module that some nodes of a syntax tree import."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the room"
            assert node.module
            if node.module == "sensenet":
                yield from (f"sensenet.{alias.name}" for alias in node.names)
            else:
                yield node.module


def parse(path):
    return ast.parse(path.read_text("utf-8"))


@pytest.mark.parametrize(("name", "path"), MODULES)
def test_rooms_import_along_the_arrows(name, path):
    if is_door(name):
        return
    room = room_of(name)
    assert room in ARROWS, f"give the room {room} a line in ARROWS"
    ours = [
        module for module in imported_modules(ast.walk(parse(path))) if module.split(".")[0] == "sensenet"
    ]
    forbidden = [m for m in ours if room_of(m) != room and room_of(m) not in ARROWS[room]]
    assert not forbidden, f"{name} imports {forbidden}"


def test_doors_hold_nothing_but_a_way():
    for name, path in (module.values for module in MODULES if is_door(module.values[0])):
        for statement in parse(path).body:
            match statement:
                case ast.Import() | ast.ImportFrom() | ast.Assign(targets=[ast.Name(id="__all__")]):
                    continue
                case ast.Expr(value=ast.Constant() | ast.Call(func=ast.Name(id="make_callable" | "exit"))):
                    continue
                case ast.Expr(value=ast.Call(func=ast.Attribute(attr="exit"))):
                    continue
            pytest.fail(f"{name} has code of its own in line {statement.lineno}")


def find_circle(imports):
    """Modules that import each other in a circle, or one that does, in a graph of imports."""
    remaining = {name: set(targets) & imports.keys() for name, targets in imports.items()}
    while free := [name for name, targets in remaining.items() if not targets & remaining.keys()]:
        for name in free:
            del remaining[name]
    return sorted(remaining)


def test_no_files_import_each_other_in_a_circle():
    names = {module.values[0] for module in MODULES}

    def targets(path):
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.ImportFrom):
                found = {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)} & names
                yield from found - {node.module} or found

    imports = {module.values[0]: set(targets(module.values[1])) for module in MODULES}
    assert find_circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"e"}, "e": set()}) == ["a", "b", "c"]
    assert not find_circle(imports)


@pytest.mark.parametrize(("name", "path"), MODULES)
def test_optional_packages_are_imported_late_and_by_backends_only(name, path):
    tree = parse(path)
    nodes = tree.body if room_of(name) == "backends" else ast.walk(tree)
    assert not OPTIONAL_PACKAGES & {module.split(".")[0] for module in imported_modules(nodes)}


def test_contributing_has_the_rooms_and_their_arrows():
    page = (PACKAGE.parent / "CONTRIBUTING.md").read_text("utf-8")
    rows = re.findall(
        r"^\| `(\w+)` \| .+ \|(.*)\|$", page.split("## The rooms")[1].split("\n## ")[0], re.MULTILINE
    )
    documented = {room: set(re.findall(r"`(\w+)`", imports)) for room, imports in rows}
    assert documented == {
        room: targets - (BASE if targets >= BASE else LEAVES)
        for room, targets in ARROWS.items()
        if room not in LEAVES
    }


def test_the_rooms_that_show_values_in_notebooks_are_above_the_leaf_that_names_them():
    for name, module in VIEWS.items():
        assert callable(getattr(importlib.import_module(module), name))
    used = {
        node.args[0].value
        for _, path in (module.values for module in MODULES)
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "make_view"
    }
    assert used == set(VIEWS)


def test_arrows_have_no_cycle():
    remaining = dict(ARROWS)
    while remaining:
        free = [room for room, targets in remaining.items() if not targets & remaining.keys()]
        assert free, f"a cycle among {sorted(remaining)}"
        for room in free:
            del remaining[room]


def run_python(code, *arguments):
    """What a fresh Python prints; warnings are errors."""
    command = [sys.executable, "-W", "error", *arguments, *(["-c", code] if code else [])]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout


def test_importing_brings_in_few_modules():
    code = "import sys; n = len(sys.modules); import sensenet; print(len(sys.modules) - n)"
    assert int(run_python(code)) <= 40  # of Python itself


def test_importing_brings_in_nothing_else():
    code = "import sys, sensenet; print(*sorted(m for m in sys.modules if m.startswith('sensenet.')), end='')"
    assert run_python(code) == ""
    code = "import sys, sensenet; print('numpy' in sys.modules, 'tensorflow' in sys.modules)"
    assert run_python(code).split() == ["False", "False"]


def test_predicting_needs_no_tensorflow(tmp_path):
    document = {
        "preprocess": [{"type": "numeric", "index": 0, "mean": 0, "stdev": 1}],
        "layers": [{"type": "dense", "weights": [[2.0]], "offset": [1.0], "activation_function": "linear"}],
        "output_exposition": {"type": "numeric", "mean": 0, "stdev": 1},
    }
    path = tmp_path / "model.json"
    path.write_text(json.dumps(document))
    code = f"""if True:
        import sys, sensenet
        print(sensenet.create_model({str(path)!r})([3.0]).tolist())
        print(*{set(OPTIONAL_PACKAGES)!r}.intersection(sys.modules))
    """
    assert run_python(code) == "[[7.0]]\n\n"


LATER = (
    *("argparse", "concurrent.futures", "difflib", "hashlib", "logging", "shutil", "tempfile", "zipfile"),
    *("decimal", "fractions", "numpy.typing", "PIL", "llvmlite", "narwhals", "threadpoolctl"),
    "sensenet.backends.batching",
    "sensenet.backends.formats.hdf5",
    "sensenet.backends.formats.npz",
    "sensenet.backends.interpreter.executable",
    "sensenet.backends.optional",
    "sensenet.llvm.compilation",
    "sensenet.optional_packages",
    "sensenet.compiler.driver",
    "sensenet.compiler.pretrained_weights",
    "sensenet.compiler.request",
    "sensenet.facts",
    "sensenet.files.archives",
    "sensenet.files.writing",
    "sensenet.frontend.detector",
    "sensenet.frontend.images",
    "sensenet.frontend.trees",
    "sensenet.ir.cost",
    "sensenet.ir.ops.detection",
    "sensenet.ir.ops.elementwise",
    "sensenet.ir.ops.quantization",
    "sensenet.ir.ops.shape",
    "sensenet.ir.ops.table",
    "sensenet.ir.parser",
    "sensenet.models.saved",
    "sensenet.passes.lowering.legalize",
    "sensenet.pretrained",
    "sensenet.progress",
    "sensenet.runtime.decode_image",
    "sensenet.runtime.detections",
    "sensenet.runtime.image_batches",
    "sensenet.runtime.prefetch",
    "sensenet.runtime.terms",
)
"""Modules that the first row of a table's model does not need in the engine native; importing them would take
a fifth of its time."""


def test_a_first_row_imports_only_what_it_needs():
    pytest.importorskip("llvmlite")
    code = f"""if True:
        import sys, sensenet
        sensenet.create_model({str(PACKAGE.parent / "examples/iris.json")!r})([5.1, 3.5, 1.4, 0.2])
        print(*sorted(set({LATER!r}) & set(sys.modules)))
    """
    assert run_python(code) == "\n"
    assert all(importlib.util.find_spec(name) for name in LATER)


ORDERS = {
    "attribute": "import sensenet; f = sensenet.compile",
    "name": "from sensenet import compile as f",
    "star": "from sensenet import *; f = compile",
    "submodule first": "import sensenet.compile; f = sensenet.compile",
    "driver first": "import sensenet.compiler.driver; import sensenet; f = sensenet.compile",
    "models first": "import sensenet.models.wrappers; import sensenet; f = sensenet.compile",
    "create_model first": "import sensenet; sensenet.create_model; f = sensenet.compile",
    "all names first": "import sensenet; [getattr(sensenet, n) for n in dir(sensenet)]; f = sensenet.compile",
}


@pytest.mark.parametrize("statement", ORDERS.values(), ids=ORDERS)
def test_compile_is_the_function_in_any_order(statement):
    code = f"""if True:
        {statement}
        try:
            f({{}}, "nowhere")
        except Exception as error:
            print(type(error).__name__)
        import sensenet
        print(sensenet.compile is f)
    """
    assert run_python(code).split() == ["UnknownTargetError", "True"]


def test_only_a_data_frame_brings_in_narwhals():
    code = f"""
import sys, numpy, sensenet
model = sensenet.create_model({str(PACKAGE.parent / "examples/iris.json")!r})
row = dict(zip(["petal length", "petal width"], [1.4, 0.2]))
for x in ([5.1, 3.5, 1.4, 0.2], [[5.1, 3.5, 1.4, 0.2]] * 2, numpy.ones((3, 4)), row, [row, row]):
    model(x)
for x in (None, 3, "text", {{1, 2}}, range(4)):
    try:
        model(x)
    except sensenet.SensenetError:
        pass
print("narwhals" in sys.modules)
import pandas
model(pandas.DataFrame([row]))
print("narwhals" in sys.modules, end="")
"""
    assert run_python(code) == "False\nTrue"


def test_compile_shows_its_parameters():
    code = "import inspect, sensenet; print(*inspect.signature(sensenet.compile).parameters)"
    assert run_python(code).split()[:3] == ["source", "target", "settings"]


def test_compile_runs_as_a_module_without_a_warning():
    assert "tflite" in run_python("", "-m", "sensenet.compile", "--list-targets")


def test_public_names():
    import sensenet

    others = set(dir(sensenet)) - set(sensenet.__all__)
    assert set(sensenet.__all__) <= set(dir(sensenet))
    assert "errors" in others  # it is imported, so sensenet.errors may be written
    assert all(f"sensenet.{name}" in sys.modules for name in others)
    assert all(getattr(sensenet, name) is not None for name in sensenet.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sensenet.nothing  # noqa: B018
