"""The command `sensenet`: its subcommands, their help, misspelled names, and what is imported."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest

from sensenet.cli import sensenet as command
from sensenet.cli import start
from sensenet.cli.sensenet import COMMANDS, main

ROOT = Path(__file__).parents[2]
IRIS = ROOT / "examples/iris.json"
DOORS = {"bisect", "compile", "decompile", "predict", "pretrained", "serve"}


def exit_status(*arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return caught.value.code


def run(*command, status=0):
    result = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == status, result.stderr
    return result


def test_the_package_installs_the_command():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    module, _, function = project["scripts"]["sensenet"].partition(":")
    assert getattr(importlib.import_module(module), function) is start.main


def test_every_subcommand_runs_as_a_module_and_by_name():
    assert (
        run("-m", "sensenet", "compile", "--list-targets").stdout
        == run("-m", "sensenet.compile", "--list-targets").stdout
    )


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_lists_every_subcommand_in_a_line(arguments, capsys):
    assert exit_status(*arguments) == 0
    out, err = capsys.readouterr()
    lines = [line.split(maxsplit=1) for line in out.splitlines() if line.startswith("    ")]
    assert [(line[0], line[1]) for line in lines if line[0] in COMMANDS] == list(COMMANDS.items())
    assert err == ""


def test_version(capsys):
    assert exit_status("--version") == 0
    assert capsys.readouterr().out == f"sensenet {version('sensenet-compiler')}\n"


def test_the_version_of_a_source_tree_that_is_not_installed_is_unknown(capsys, monkeypatch):
    monkeypatch.setattr("sensenet.distribution.DISTRIBUTION", "never-installed")
    assert exit_status("--version") == 0
    assert capsys.readouterr().out == "sensenet 0+unknown\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_every_subcommand_has_one_style(name, capsys):
    assert exit_status(name, "--help") == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: sensenet {name} [-h]")
    description = text.split("\n\n")[1]
    assert description[0].isupper()
    assert description.endswith(".")
    examples = text.partition("\nexamples:\n")[2].partition("\n\n")[0].splitlines()
    assert examples
    assert all(f"sensenet {name} " in line for line in examples)
    assert text.partition("\nexit status: ")[2].startswith("0")


@pytest.mark.parametrize("name", sorted(DOORS))
def test_help_of_a_module_names_the_module(name):
    text = run("-m", f"sensenet.{name}", "--help").stdout
    assert text.startswith(f"usage: python -m sensenet.{name} [-h]")
    assert f"  python -m sensenet.{name} " in text.partition("\nexamples:\n")[2]
    assert f"sensenet {name}" not in text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["comple"], "invalid choice: 'comple'; did you mean 'compile'?"),
        (["xyzzy"], f"invalid choice: 'xyzzy'; choose from {', '.join(COMMANDS)}"),
        (["--versoin"], "unknown option --versoin; did you mean '--version'?"),
        (
            ["--print-completon", "bash"],
            "unknown option --print-completon; did you mean '--print-completion'?",
        ),
        (["--print-completion", "bsh"], "invalid choice: 'bsh'; did you mean 'bash'?"),
        (["compile", "--targt", "tflite"], "unknown option --targt; did you mean '--target'?"),
        (["compile", "--targt=tflite"], "unknown option --targt; did you mean '--target'?"),
        (["-V"], "unknown option -V; see --help"),
        (["inspect", "-q", "m.json"], "unknown option -q; see --help"),
        (["compile", "-t", "tflit"], "invalid choice: 'tflit'; did you mean 'tflite'?"),
        (["compile", "a.json", "b.json"], "unrecognized arguments: b.json"),
        (["pretrained", "fetsh", "x"], "invalid choice: 'fetsh'; did you mean 'fetch'?"),
        (
            ["pretrained", "fetch", "--extract0r", "x"],
            "unknown option --extract0r; did you mean '--extractor'?",
        ),
        (["pretrained", "--jason", "list"], "unknown option --jason; see --help"),
    ],
)
def test_a_misspelled_name_suggests_the_nearest(arguments, expected, capsys):
    assert exit_status(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert expected in err.splitlines()[-1]


def test_what_follows_two_dashes_is_not_an_option(capsys):
    assert main(["compile", "--print-ir", "--", "--nowhere"]) == 1
    assert "neither a file '--nowhere' nor a pretrained network" in capsys.readouterr().err


def test_the_exit_status_is_that_of_the_subcommand(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["compile", str(IRIS), "-o", "iris.npz"]) == 0
    assert main(["compile", str(IRIS), "-o", "iris.npz"]) == 1
    assert capsys.readouterr().err.startswith("sensenet: error: iris.npz already exists")


@pytest.mark.parametrize("name", ["pretrained", "decompile"])
def test_only_the_module_of_the_subcommand_is_imported(name):
    code = f"""if True:
        import sys
        from sensenet.cli.sensenet import main
        try:
            main([{name!r}, "--help"])
        except SystemExit:
            pass
        print(*(m for m in sys.modules if m.startswith("sensenet.cli.")), file=sys.stderr)
        print("shtab" in sys.modules, file=sys.stderr)
    """
    loaded, shtab = run("-c", code).stderr.splitlines()
    assert {each.split(".")[2] for each in loaded.split()} & set(COMMANDS) == {name}
    assert shtab == "False"


def test_the_command_alone_imports_no_numpy():
    code = "import sys; from sensenet.cli.sensenet import main; main(['--version'])"
    result = run("-X", "importtime", "-c", code)
    assert "sensenet.cli.common" in result.stderr
    assert not {"numpy", "shtab", "sensenet.ir"} & {
        line.rpartition("|")[2].strip() for line in result.stderr.splitlines()
    }


def test_lists_as_json(capsys):
    assert main(["compile", "--list-targets", "--json"]) == 0
    targets = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert targets["tflite"]["suffix"] == ".tflite"
    assert "quantize" in {option["name"] for option in targets["tflite"]["options"]}
    assert main(["compile", "--list-passes", "--json"]) == 0
    passes = {each["name"]: each["levels"] for each in json.loads(capsys.readouterr().out)}
    assert passes["remove-identities"] == [1, 2]
    assert passes["legalize"] == [0, 1, 2]
    assert main(["pretrained", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {"name": "tinyyolov4", "kind": "detector", "side": 416, "cached": []}.keys() == listed["networks"][
        0
    ].keys()


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_is_one_line(unbuffered):
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "sensenet", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        )
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)


def test_the_table_has_a_module_for_each_line():
    for name in COMMANDS:
        module = importlib.import_module(f"sensenet.cli.{name}")
        assert module.make_parser().prog == module.PROGRAM
        assert module.PROGRAM.split() == [command.PROGRAM, name]


def test_ctrl_c_waits_until_a_command_is_imported(monkeypatch):
    """NumPy would say that its installation is broken."""
    imported = []

    def interrupted(name):
        os.kill(os.getpid(), signal.SIGINT)
        imported.append(name)
        return importlib.import_module(name)

    monkeypatch.setattr(command, "importlib", SimpleNamespace(import_module=interrupted))
    assert main(["inspect", str(IRIS)]) == 130
    assert imported == ["sensenet.cli.inspect"]


def test_ctrl_c_while_the_command_itself_is_imported():
    code = """if True:
        import sys

        class Interrupt:
            def find_spec(self, name, *_):
                if name == "attr":
                    raise KeyboardInterrupt

        sys.meta_path.insert(0, Interrupt())
        from sensenet.cli.start import main
        sys.exit(main(["--version"]))
    """
    result = run("-c", code, status=130)
    assert (result.stdout, result.stderr) == ("", "")


def test_sigterm_leaves_no_part_of_a_file(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "sensenet", "predict", str(IRIS), "-", "-o", str(tmp_path / "out.csv")],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        while process.poll() is None and not list(tmp_path.iterdir()):
            time.sleep(0.01)
        assert [path.suffix for path in tmp_path.iterdir()] == [".partial"]
        process.terminate()
        _, errors = process.communicate()
    assert (process.returncode, errors) == (143, "")
    assert list(tmp_path.iterdir()) == []
