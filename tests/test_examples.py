"""The documents of examples/ are what their scripts make, and predict well; what the README shows happens."""

from __future__ import annotations

import csv
import doctest
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from support.shell import run_shell

from sensenet.cli.sensenet import COMMANDS
from sensenet.models.wrappers import create_model

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in ROOT.glob("docs/*.md"))]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Predict one row"),
        (["nowhere.json"], "error: nowhere.json: no such file"),
        (["iris.json", "petal lenght=1"], "error: unknown field 'petal lenght': did you mean 'petal length'"),
        (["iris.json", "petal"], "error: unknown field 'petal'"),
    ],
)
def test_the_script_that_predicts_says_what_is_wrong(arguments, message):
    command = [sys.executable, "predict.py", *arguments]
    done = subprocess.run(command, cwd=EXAMPLES, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(message)


@pytest.fixture(scope="module")
def iris() -> ModuleType:
    pytest.importorskip("sklearn")
    return importlib.import_module("train_iris")


@pytest.fixture(scope="module")
def diabetes() -> ModuleType:
    pytest.importorskip("sklearn")
    return importlib.import_module("train_diabetes")


@pytest.fixture
def copied_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the examples in it, for what writes files."""
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def assert_same_network(made: object, committed: object) -> None:
    """Equal but for the last digits of numbers, which another processor may round otherwise."""
    if isinstance(made, dict):
        assert isinstance(committed, dict)
        assert made.keys() == committed.keys()
        for key, value in made.items():
            assert_same_network(value, committed[key])
    elif isinstance(made, list):
        assert isinstance(committed, list)
        assert len(made) == len(committed)
        for one, other in zip(made, committed, strict=True):
            assert_same_network(one, other)
    elif isinstance(made, float):
        assert made == pytest.approx(committed, rel=1e-3, abs=1e-3)
    else:
        assert made == committed


def test_iris_script_reproduces_its_document(iris: ModuleType) -> None:
    assert_same_network(iris.make_document(), json.loads((EXAMPLES / "iris.json").read_text()))


def test_diabetes_script_reproduces_its_document(diabetes: ModuleType) -> None:
    assert_same_network(diabetes.make_document(), json.loads((EXAMPLES / "diabetes.json").read_text()))


def test_iris_document_predicts_flowers_that_it_was_not_trained_on(iris: ModuleType) -> None:
    _, rows, _, numbers, classes = iris.split_iris()
    model = create_model(str(EXAMPLES / "iris.json"))
    assert list(model.classes) == classes
    assert np.mean(model(rows).argmax(axis=1) == numbers) >= 0.96


def test_exported_trees_answer_as_those_of_scikit_learn(diabetes: ModuleType) -> None:
    rows, _, progression, _ = diabetes.split_diabetes()
    features = diabetes.encode(rows, diabetes.make_columns(rows))
    forests, head = diabetes.train(features, (progression - progression.mean()) / progression.std())
    answers = [
        forest.predict(features[:, start:end])
        for forest, (start, end) in zip(forests, diabetes.RANGES, strict=True)
    ]
    expected = head.predict(np.column_stack([*answers, features]))
    model = create_model(str(EXAMPLES / "diabetes.json"), {"regression_normalize": True})
    np.testing.assert_allclose(model(rows)[:, 0], expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.tensorflow
def test_digits_script_writes_what_keras_computes() -> None:
    pytest.importorskip("sklearn")
    tf = pytest.importorskip("tensorflow")
    script = importlib.import_module("train_digits")
    tf.keras.utils.set_random_seed(1)
    network = script.make_model(tf)
    random = np.random.default_rng(1)
    network.set_weights([random.uniform(0.1, 0.5, each.shape).round(4) for each in network.get_weights()])
    images = script.split_digits()[1][:20]
    expected = network.predict(images.astype(np.float32) / 255, verbose=0)
    found = create_model(script.export(network))([[image] for image in images])
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_rows_of_the_table_are_the_flowers_held_out(iris: ModuleType) -> None:
    _, rows, _, numbers, classes = iris.split_iris()
    with (EXAMPLES / "iris.csv").open(newline="", encoding="utf-8") as stream:
        table = list(csv.DictReader(stream))
    assert [[float(row[name]) for name in iris.FIELDS] for row in table] == rows.tolist()
    assert [row["species"] for row in table] == [classes[number] for number in numbers]


@pytest.mark.parametrize("script", ["train_iris.py", "train_diabetes.py"])
def test_scripts_write_their_document_and_say_how_good_it_is(script: str, copied_examples: Path) -> None:
    pytest.importorskip("sklearn")
    document = copied_examples / "examples" / script.replace("train_", "").replace(".py", ".json")
    document.unlink()
    result = subprocess.run(
        [sys.executable, f"examples/{script}"],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert re.fullmatch(r"held-out \S+ 0\.\d{3} of \d+ \w+\n", result.stdout)
    assert_same_network(json.loads(document.read_text()), json.loads((EXAMPLES / document.name).read_text()))


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "page", [page for page in PAGES if ">>> " in (ROOT / page).read_text(encoding="utf-8")]
)
def test_python_of_the_documentation_prints_what_it_shows(page: str, copied_examples: Path) -> None:
    for package in ("tensorflow", "onnxruntime"):
        pytest.importorskip(package)
    text = re.sub(r"^```.*$", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE)
    test = doctest.DocTestParser().get_doctest(text, {}, page, page, 0)
    output: list[str] = []
    doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=output.append)
    assert not output, "".join(output)


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "page", [page for page in PAGES if "```console\n" in (ROOT / page).read_text(encoding="utf-8")]
)
def test_commands_of_the_documentation_print_what_they_show(page: str, copied_examples: Path) -> None:
    pytest.importorskip("tensorflow")
    text = (ROOT / page).read_text(encoding="utf-8")
    for name, code in re.findall(r"`(\w+\.c)`[^`]*:\n\n```c\n(.*?)^```$", text, re.M | re.S):
        if not shutil.which("gcc"):
            pytest.skip("gcc is not installed: C is not compiled")
        (copied_examples / name).write_text(code, encoding="utf-8")
    blocks = re.findall(r"^```console\n(.*?)^```$", text, re.M | re.S)
    commands = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE) if part]
    assert commands
    checker = doctest.OutputChecker()
    for part in commands:
        command, _, expected = part.replace("\\\n", "").partition("\n")
        result = run_shell(command)
        assert checker.check_output(expected, result, OPTIONS), f"$ {command}\n{result}"


OTHER_PAGES = {
    **{"diff": "inspection", "evaluate": "evaluation", "explain": "explanation", "inspect": "inspection"},
    **{"page": "web", "pretrained": "pretrained", "serve": "serving"},
}
"""The page of each command that docs/cli.md only lists."""


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_a_command_is_documented(command: str) -> None:
    options = set(re.findall(r"--[a-z][a-z-]*", run_shell(f"sensenet {command} --help")))
    assert {"--help"} <= options
    pages = {"cli", OTHER_PAGES.get(command, "cli")}
    texts = "".join((ROOT / f"docs/{page}.md").read_text("utf-8") for page in pages)
    assert f"`{command}`" in texts
    assert options - set(re.findall(r"--[a-z][a-z-]*", texts)) == set()


@pytest.mark.parametrize(
    "page",
    sorted(path.name for path in ROOT.glob("*.md"))
    + sorted(f"docs/{path.name}" for path in ROOT.glob("docs/*.md")),
)
def test_links_of_the_documentation_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text(encoding="utf-8"))
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []


def test_the_readme_leads_to_every_page() -> None:
    links = re.findall(r"\]\((docs/\w+\.md)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert {f"docs/{path.name}" for path in ROOT.glob("docs/*.md")} - set(links) == set()
