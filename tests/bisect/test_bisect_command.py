"""sensenet bisect: what it tells and writes, and with which exit status."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
from support.documents import typed

import sensenet
from sensenet.backends import get_target
from sensenet.cli.bisect import main
from sensenet.cli.compile import main as compile_main
from sensenet.ir.graph import apply
from sensenet.ir.ops.dense import Dense, Dropout
from sensenet.passes import ALL_PASSES, PIPELINES
from sensenet.passes.infrastructure.rules import rewriting_pass

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(autouse=True)
def in_directory(tmp_path, monkeypatch):
    """Every test runs in a directory of its own, with documents and rows in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.json").write_text(json.dumps(typed()))
    for name in ("iris.json", "iris.csv"):
        shutil.copy(EXAMPLES / name, tmp_path)
    return tmp_path


@pytest.fixture
def planted(monkeypatch):
    """A wrong pass, fourth at -O2."""

    def drop_bias(node, _):
        if not isinstance(node.op, Dense) or node.op.bias is None:
            return None
        return apply(attrs.evolve(node.op, bias=None), *node.inputs, name=node.name).value

    wrong = rewriting_pass("drop-bias", drop_bias)
    monkeypatch.setitem(ALL_PASSES, "drop-bias", wrong)
    monkeypatch.setitem(PIPELINES, 2, (*PIPELINES[2][:3], wrong, *PIPELINES[2][3:]))


def test_nothing_is_found_in_a_process_of_its_own(in_directory):
    command = [sys.executable, "-m", "sensenet.bisect", "iris.json", "--rows", "iris.csv", "-t", "numpy"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    expected = rf"no answer differs: by \d\S* at most, after any of {len(PIPELINES[2])} passes\n"
    assert re.fullmatch(expected, result.stdout)
    assert result.stderr == ""
    assert not (in_directory / "smallest.ir").exists()


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("target", ["keras", "tflite"])
def test_nothing_is_found_in_targets(target, capsys):
    pytest.importorskip("tensorflow")
    assert main(["m.json", "-t", target, "--passes", "remove-identities,fold-batch-normalization"]) == 0
    assert "after any of 2 passes" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["m.json"], ["m.json", "-t", "numpy"], ["iris.json", "--rows", "iris.csv"]]
)
def test_a_planted_pass_is_found(planted, capsys, in_directory, arguments):
    assert main(arguments) == 3
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert re.fullmatch(r"after the pass drop-bias: answers differ by up to \d\S*", lines[0])
    assert re.fullmatch(r"since its rewrite \d+: the rule drop_bias at node \w+", lines[1])
    assert re.fullmatch(
        r"smallest\.ir: 2 nodes that show the fault \(answers differ by up to \d\S*\)", lines[2]
    )
    assert re.fullmatch(r"caused there by the rule drop_bias at node \w+", lines[3])
    given = " -t numpy" if "numpy" in arguments else ""
    assert lines[4] == f"to find it again: sensenet bisect smallest.ir --passes drop-bias{given}"
    again, see = (shlex.split(line.partition(": sensenet ")[2])[1:] for line in lines[4:])
    assert main([*again, "-o", "again.ir"]) == 3
    assert (in_directory / "again.ir").read_text() == (in_directory / "smallest.ir").read_text()
    capsys.readouterr()
    assert compile_main(see) == 0
    assert "bias=none" in capsys.readouterr().out


def test_a_path_with_a_space_is_quoted_in_the_commands(planted, capsys):
    assert main(["m.json", "-o", "a graph.ir"]) == 3
    again, see = (
        shlex.split(line.partition(": sensenet ")[2])[1:]
        for line in capsys.readouterr().out.splitlines()[-2:]
    )
    assert again[0] == see[0] == "a graph.ir"
    assert main([*again, "-o", "again.ir"]) == 3


def test_a_target_that_goes_wrong_after_a_pass_is_told(monkeypatch, capsys):
    """It answers nothing but zeros for networks without dropout."""
    backend = get_target("numpy")

    def load(artifact):
        executable = backend.load(artifact)
        if any(isinstance(node.op, Dropout) for node in artifact.graph.nodes):
            return executable
        return attrs.evolve(executable, run=lambda x: {n: 0 * y for n, y in executable.run(x).items()})

    monkeypatch.setattr(
        "sensenet.compiler.bisect.trial.get_target", lambda _: attrs.evolve(backend, load=load)
    )
    assert main(["m.json", "-t", "numpy"]) == 3
    out = capsys.readouterr().out
    assert out.startswith("after the pass remove-identities: answers differ by up to ")
    assert "\nthe interpreter's answers on that graph are right: the fault is in numpy\n" in out
    assert "\nto find it again: sensenet bisect smallest.ir -O0 -t numpy\n" in out
    assert main(["smallest.ir", "-O0", "-t", "numpy", "-f"]) == 3
    assert capsys.readouterr().out.startswith("in numpy: answers differ by up to ")


def test_the_smallest_graph_compiles_again(planted):
    assert main(["m.json", "-o", "found.ir"]) == 3
    artifact = sensenet.compile("found.ir", "numpy")
    assert len(artifact.graph.nodes) == 2


def test_other_levels_and_passes_are_searched(planted, capsys):
    assert main(["m.json", "-O1"]) == 0
    assert main(["m.json", "--disable-pass", "drop-bias"]) == 0
    assert main(["m.json", "--stop-after", PIPELINES[2][2].name]) == 0
    assert main(["m.json", "-O1", "--passes", "fold-constants,drop-bias"]) == 3


def test_a_target_of_weights_alone_is_made_of_the_graph_as_imported(planted, capsys):
    pytest.importorskip("h5py")
    assert main(["m.json", "-t", "h5"]) == 0
    assert "after any of 0 passes" in capsys.readouterr().out


def test_an_existing_output_is_replaced_only_by_force(planted, capsys, in_directory):
    (in_directory / "smallest.ir").write_text("mine")
    assert main(["m.json"]) == 1
    assert "smallest.ir already exists" in capsys.readouterr().err
    assert (in_directory / "smallest.ir").read_text() == "mine"
    assert main(["m.json", "-f"]) == 3
    assert (in_directory / "smallest.ir").read_text().startswith("sensenet graph")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.json"], "nowhere.json: no such file"),
        (["m.json", "--rows", "no.csv"], "no.csv cannot be read"),
        (["m.json", "--rows", "m.json"], "m.json"),
        (["m.json", "-o", "no/found.ir"], "no such directory no"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, message):
    assert main(arguments) == 1
    err = capsys.readouterr().err
    assert err.startswith("sensenet: error: ")
    assert err.count("\n") == 1
    assert message in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "MODEL"),
        (["m.json", "-t", "caffe"], "invalid choice: 'caffe'"),
        (["m.json", "--passes", "merge-dence"], "did you mean merge-dense?"),
        (["m.json", "-O3"], "invalid choice: 3"),
    ],
)
def test_a_wrong_command_line_is_exit_status_2(capsys, arguments, message):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert message in capsys.readouterr().err
