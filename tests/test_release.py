"""What is released: built in clones of this repository, with tools that pip downloads."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tarfile
import tomllib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.slow


def run(command: Sequence[str | Path], folder: Path, environment: Mapping[str, str] | None = None) -> str:
    variables = {
        name: text for name, text in os.environ.items() if name not in ("PYTHONPATH", "SOURCE_DATE_EPOCH")
    }
    process = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=variables | (environment or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout.strip()


def clone(folder: Path, *options: str) -> Path:
    """Return a clone of the commit, without tags."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("this is not a git checkout")
    run(["git", "clone", "-q", "--no-tags", *options, f"file://{ROOT}", folder], ROOT)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("release")


@pytest.fixture(scope="module")
def tools(folder: Path) -> dict[str, str]:
    """The variable that names the environment of the tools, which the first build makes."""
    return {"SENSENET_RELEASE_TOOLS": str(folder / "tools")}


@pytest.fixture(scope="module")
def built(folder: Path, tools: dict[str, str]) -> Path:
    """A folder with the sdist and the wheel."""
    run([".ci/build", folder / "built"], clone(folder / "source"), tools)
    return folder / "built"


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def sdist(built: Path) -> Path:
    (path,) = built.glob("*.tar.gz")
    return path


def read_version(folder: Path, tools: dict[str, str]) -> str:
    """Return the version that a build would have."""
    python = Path(tools["SENSENET_RELEASE_TOOLS"]) / "bin/python"
    return run([python, "-m", "hatchling", "version"], folder)


def test_the_same_commit_gives_the_same_bytes(folder: Path, tools: dict[str, str], built: Path) -> None:
    source = clone(folder / "elsewhere" / "another name of the source")
    for path in source.rglob("*.py"):
        os.utime(path, (1, 10**9))
    source.joinpath("README.md").chmod(0o600)
    run([".ci/build", folder / "again"], source, tools)
    first, second = (
        {path.name: path.read_bytes() for path in each.iterdir()} for each in (built, folder / "again")
    )
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_the_wheel_has_every_file_of_the_package(folder: Path, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = archive.read(next(name for name in names if name.endswith(".dist-info/METADATA"))).decode()
    tracked = run(["git", "ls-files", "sensenet"], folder / "source").splitlines()
    assert {"sensenet/py.typed", "sensenet/drawing/page.css"} <= set(tracked)
    assert {name for name in names if ".dist-info/" not in name} == set(tracked)
    information = {name.partition(".dist-info/")[2] for name in names if ".dist-info/" in name}
    assert {"licenses/LICENSE", "licenses/NOTICE", "entry_points.txt"} <= information
    assert "License-Expression: Apache-2.0" in metadata.splitlines()
    assert "Name: sensenet-compiler" in metadata.splitlines()


def test_the_sdist_has_what_its_tests_need(folder: Path, sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    tracked = set(run(["git", "ls-files"], folder / "source").splitlines())
    folders = ("sensenet/", "tests/", "examples/", "docs/", "tools/", "benchmarks/", ".ci/")
    assert {name for name in tracked if name.startswith(folders)} - names == set()
    assert names - tracked == {"PKG-INFO"}


def test_the_wheel_works_without_a_network(wheel: Path) -> None:
    output = run([".ci/install-offline", wheel], ROOT)
    assert output.splitlines()[0] == f"sensenet {wheel.name.split('-')[1]}"
    assert "wrote ir numpy tfjs" in output
    assert "51 answers.csv" in output


def test_the_list_of_components_has_the_core(folder: Path, tools: dict[str, str], wheel: Path) -> None:
    lists = [folder / f"{number}.cdx.json" for number in range(2)]
    for path in lists:
        run([".ci/components", wheel, path], ROOT, tools)
    text, again = (path.read_text(encoding="utf-8") for path in lists)
    assert text == again
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = {re.match(r"[\w-]+", requirement)[0] for requirement in project["dependencies"]}
    found = {component["name"] for component in json.loads(text)["components"]}
    assert found | {"pysimdjson"} == required | {project["name"]}  # it has no wheels for some Pythons
    assert str(folder) not in text


def test_the_version_is_the_newest_tag_and_the_commits_since(
    folder: Path, tools: dict[str, str], built: Path
) -> None:
    source = clone(folder / "tagged")
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    assert re.fullmatch(r"0\.2\.1\.dev\d+\+g[0-9a-f]+", read_version(source, tools))
    run(["git", "tag", "v7.1.0"], source)
    assert read_version(source, tools) == "7.1.0"
    run(["git", *identity, "commit", "-q", "--allow-empty", "-m", "Later"], source)
    assert re.fullmatch(r"7\.1\.1\.dev1\+g[0-9a-f]+", read_version(source, tools))


def test_sources_without_history_have_a_version(
    folder: Path, tools: dict[str, str], sdist: Path, tmp_path: Path
) -> None:
    shallow = clone(folder / "shallow", "--depth", "1")
    assert re.fullmatch(r"0\.2\.1\.dev\d+\+g[0-9a-f]+", read_version(shallow, tools))
    shutil.rmtree(shallow / ".git")
    assert read_version(shallow, tools) == "0.2.0"
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    assert read_version(unpacked, tools) == sdist.name.removesuffix(".tar.gz").split("-")[1]
