"""The command line of the server: what it opens, by which names, and what it refuses."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support import processes

from sensenet.cli.serve import NAMED, _open, main

EXAMPLES = Path(__file__).parents[2] / "examples"
IRIS = str(EXAMPLES / "iris.json")


@pytest.mark.parametrize(
    ("given", "name", "version"),
    [
        (IRIS, "iris", "1"),
        (f"flowers={IRIS}", "flowers", "1"),
        (f"flowers:7={IRIS}", "flowers", "7"),
        (f"a.b-c_d:2026-11={IRIS}", "a.b-c_d", "2026-11"),
    ],
)
def test_models_have_names_and_versions(given, name, version):
    served = _open(given, argparse.Namespace(settings=[], engine=None))
    assert (served.name, served.version) == (name, version)


def test_a_path_with_an_equals_sign_is_a_path():
    assert NAMED.fullmatch("models/a=b.json") is None


def test_a_setting_and_an_engine_are_passed_on():
    served = _open(
        str(EXAMPLES / "diabetes.json"),
        argparse.Namespace(settings=[("regression_normalize", True)], engine="numpy"),
    )
    assert served.model.settings.regression_normalize is True
    assert served.model.engine == "numpy"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.json"], "nothing.json"),
        ([IRIS, IRIS], "two models are named iris:1"),
        ([IRIS, "--max-body", "1GiB"], "set --memory-limit"),
        ([IRIS, "--host", "no.such.host.invalid"], "cannot listen at no.such.host.invalid"),
    ],
)
def test_what_cannot_be_served_is_an_error(arguments, message, capsys):
    assert main(arguments) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        [IRIS, "--port", "65536"],
        [IRIS, "--port", "x"],
        [IRIS, "--batch", "0"],
        [IRIS, "--timeout", "0"],
        [IRIS, "--timeout", "nan"],
        [IRIS, "--window", "-1"],
        [IRIS, "--max-body", "much"],
        [IRIS, "--engine", "none"],
    ],
)
def test_a_wrong_command_line_is_a_usage_error(arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_every_option_is_documented():
    command = [sys.executable, "-m", "sensenet.serve", "--help"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    options = set(re.findall(r"--[a-z][a-z-]*", result.stdout)) - {"--help"}
    assert "--max-body" in options
    page = (EXAMPLES.parent / "docs/serving.md").read_text("utf-8")
    assert options - set(re.findall(r"--[a-z][a-z-]*", page)) == set()


@pytest.mark.parametrize("package", ["uvicorn", "starlette", "orjson", "prometheus_client"])
def test_a_missing_package_is_named_with_its_extra(package):
    code = f"""if True:
        import sys
        sys.modules[{package!r}] = None
        from sensenet.cli.serve import main
        print(main([{IRIS!r}]))
    """
    out, err = processes.start(code).communicate(timeout=60)
    assert out == "1\n"
    assert "pip install 'sensenet-compiler[serve]'" in err
    assert len(err.splitlines()) == 1
