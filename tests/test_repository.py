"""The repository itself: what the README tells people to run, the pinned versions, the size of its files."""

from __future__ import annotations

import ast
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from sensenet.distribution import DISTRIBUTION, install_command

ROOT = Path(__file__).resolve().parent.parent
LOCK = runpy.run_path(str(ROOT / ".ci" / "lock.py"))
LARGEST_FILE = 400_000

DISTRIBUTIONS = {"PIL": "pillow", "google": "protobuf", "simdjson": "pysimdjson"}
"""Of packages that are imported by another name."""

STRANGER = re.compile(r"(?:pip install|uv add)[^\n&]*[ '\"]sensenet(?![-\w/.])|['\"]sensenet\[[a-z,]+\]['\"]")
"""An instruction to install `sensenet`, which is a package of others."""

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
CONSTRAINTS = [
    Requirement(line)
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
REQUIREMENTS = {
    extra: [requirement for requirement in map(Requirement, texts) if requirement.name != PROJECT["name"]]
    for extra, texts in {"": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}.items()
}
"""Extra → what it requires, but for other extras; the core is ""."""


def applies(requirement: Requirement, python: str) -> bool:
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    return requirement.marker is None or requirement.marker.evaluate(environment)


def readme_command(number: int) -> str:
    script = ROOT / ".ci" / "readme-command"
    return subprocess.run([script, str(number)], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("number", "last"), [(1, "examples/predict.py iris.tflite"), (2, ".venv/bin/python -m pytest")]
)
def test_each_command_of_the_readme_is_enough_by_itself(number: int, last: str) -> None:
    command = readme_command(number)
    assert len(command.replace("\\\n", "").splitlines()) == 1
    assert command.startswith("python3 -m venv .venv &&")
    assert " -c constraints.txt " in command
    assert last in command.split("&&")[-1]


def test_ci_runs_the_commands_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert '$(.ci/readme-command "$1")' in script
    assert re.findall(r"^run_readme_command (\d)$", script, re.MULTILINE) == ["1", "2"]
    assert "-m 'not slow'" in readme_command(2)
    assert "\n.venv/bin/python -m pytest -n auto -m slow\n" in script
    assert script.rstrip().endswith("run_readme_command 2")  # its summary is the last line


def test_ci_tries_every_python_and_both_ends_of_tensorflow() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "\n.ci/smoke\n" in script
    assert "\n.ci/newest\n" in script
    smoke = (ROOT / ".ci" / "smoke").read_text(encoding="utf-8")
    assert f"\nfor version in {' '.join(LOCK['PYTHONS'])}; do\n" in smoke
    versions = [pin for pin in CONSTRAINTS if pin.name == "tensorflow"]
    ends = {
        python: str(pin.specifier) for pin in versions for python in LOCK["PYTHONS"] if applies(pin, python)
    }
    allowed = next(each for each in REQUIREMENTS["tensorflow"] if each.name == "tensorflow").specifier
    assert ends["3.11"].removeprefix("==").startswith(next(s.version for s in allowed if s.operator == ">="))
    assert ends.keys() == {"3.11", "3.12", "3.13"}
    assert ends["3.12"] == ends["3.13"] != ends["3.11"]


def test_ci_fails_where_graph_and_passes_are_not_covered() -> None:
    assert "\n.ci/coverage\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    script = (ROOT / ".ci" / "coverage").read_text(encoding="utf-8")
    for option in ("--cov=sensenet/ir", "--cov=sensenet/passes", "--cov-fail-under=95"):
        assert option in script


@pytest.mark.parametrize("python", LOCK["PYTHONS"])
def test_every_requirement_is_pinned_to_a_version_that_it_allows(python: str) -> None:
    applying = [pin for pin in CONSTRAINTS if applies(pin, python)]
    pins = {normalize(pin.name): pin for pin in applying}
    assert len(pins) == len(applying)
    for requirements in REQUIREMENTS.values():
        for requirement in requirements:
            if not applies(requirement, python):
                continue
            (exact,) = pins[normalize(requirement.name)].specifier
            assert requirement.specifier.contains(exact.version), requirement


def test_constraints_pin_exact_versions_from_no_place_in_particular() -> None:
    for pin in CONSTRAINTS:
        assert pin.url is None
        assert [specifier.operator for specifier in pin.specifier] == ["=="]


def test_constraints_hold_neither_paths_nor_hosts() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert "/" not in re.sub(r"^#.*$", "", text, flags=re.MULTILINE)


def test_merged_pins_have_a_marker_only_where_versions_differ() -> None:
    old = LOCK["parse_pins"]("a==1\nB==2\nonly-old==5\n")
    new = LOCK["parse_pins"]("a==1\nB==3\n")
    assert LOCK["merge"]({"3.10": old, "3.11": new, "3.12": new}) == [
        "a==1",
        'B==2 ; python_version == "3.10"',
        'B==3 ; python_version == "3.11" or python_version == "3.12"',
        "only-old==5",
    ]


def imported_packages(path: Path) -> set[str]:
    """What a module imports, also inside functions and by `import_package`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=str(module), level=0):
                found.add(module)
            case ast.Call(func=ast.Name(id="import_package"), args=[ast.Constant(value=str(name)), *_]):
                found.add(name)
    return {name.split(".")[0] for name in found}


def test_every_package_that_is_imported_is_declared() -> None:
    imported = set().union(*(imported_packages(path) for path in (ROOT / "sensenet").rglob("*.py")))
    foreign = imported - set(sys.stdlib_module_names) - {"sensenet"}
    assert {"numpy", "tensorflow"} <= foreign
    declared = {normalize(requirement.name) for extra in REQUIREMENTS.values() for requirement in extra}
    assert {normalize(DISTRIBUTIONS.get(name, name)) for name in foreign} - declared == set()


def test_no_test_module_is_imported_by_another() -> None:
    """pytest would load it twice, under two names; what tests share is in `tests/support`."""
    modules = [path for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert any(path.name.startswith("test_") for path in modules)
    imported = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in modules
        for name in re.findall(r"(?:from|import) ((?:\w+\.)*test_\w+)", path.read_text("utf-8"))
    }
    assert imported == set()


def list_files() -> list[Path]:
    """Return the files in git; skip the test if this is not a git checkout."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is not a git checkout")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def test_no_file_in_git_is_large() -> None:
    assert [path.name for path in list_files() if path.stat().st_size > LARGEST_FILE] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("pip install sensenet", True),
        ("pip install -U 'sensenet[tflite]'", True),
        ('requires "sensenet[arrow]"', True),
        ("uv add sensenet", True),
        ("pip install 'sensenet-compiler[tflite]'", False),
        ("pip uninstall bigml-sensenet", False),
        ("pip install . && python -m sensenet.compile", False),
    ],
)
def test_strangers_packages_are_recognized(text: str, found: bool) -> None:
    assert bool(STRANGER.search(text)) == found


def test_no_text_installs_the_package_of_others() -> None:
    """`sensenet` on PyPI is another project."""
    texts = {path: path.read_text("utf-8", errors="ignore") for path in list_files()}
    texts.pop(Path(__file__).resolve())
    found = {path.name: STRANGER.findall(text) for path, text in texts.items()}
    assert {name: matches for name, matches in found.items() if matches} == {}


def test_one_constant_names_the_distribution() -> None:
    assert PROJECT["name"] == DISTRIBUTION == "sensenet-compiler"
    assert install_command("tflite") == "pip install 'sensenet-compiler[tflite]'"
    required = {
        Requirement(text).name for texts in PROJECT["optional-dependencies"].values() for text in texts
    }
    assert {name for name in required if "sensenet" in name} == {DISTRIBUTION}


def test_the_container_has_the_files_that_a_build_reads() -> None:
    (copied,) = re.findall(r"^COPY (.*) /source/$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert {"pyproject.toml", PROJECT["readme"], *PROJECT["license-files"]} <= set(copied.split())


def test_every_copy_of_the_source_has_a_version() -> None:
    """A clone without tags and a folder without git count as the newest version of the changelog."""
    version = PYPROJECT["tool"]["hatch"]["version"]
    newest = re.search(r"^## \[(\d.*)\] ", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert newest is not None
    assert f"\nversion: {newest.group(1)}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
    assert version == {"source": "vcs", "fallback-version": newest.group(1)}
    assert "dynamic" in PROJECT
    assert "version" not in PROJECT


def normalize(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
