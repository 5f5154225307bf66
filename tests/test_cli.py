"""sensenet compile: what it writes where, and with which exit status."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys

import numpy as np
import pytest
from support.small_network import DOCUMENT, predict, reference
from support.terminals import read_all, run_on_terminal, shown_lines

import sensenet
from sensenet.backends import TARGETS
from sensenet.cli.compile import main
from sensenet.ir.graph import same_graph
from sensenet.ir.parser import parse_graph
from sensenet.passes import ALL_PASSES, PIPELINES
from sensenet.passes.infrastructure.selection import LOWERING

COMMAND = [sys.executable, "-m", "sensenet.compile"]


@pytest.fixture(autouse=True)
def in_directory(tmp_path, monkeypatch):
    """Every test runs in a directory of its own, with a document in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.json").write_text(json.dumps(DOCUMENT))
    return tmp_path


def predictions(path):
    return sensenet.create_model(path)([[3.0, "b"], [1.0, None]])


def test_the_output_is_named_after_the_model(capsys, in_directory):
    assert main(["m.json", "--target", "numpy"]) == 0
    np.testing.assert_allclose(predictions("m.npz"), reference(), rtol=1e-6)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == ""  # what was written is told on a terminal only


@pytest.mark.parametrize("name", ["a.json", "a.json.gz", "a.b.json", "dir/a.json"])
def test_names_of_outputs(in_directory, name):
    path = in_directory / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(DOCUMENT))
    assert main([name, "-t", "numpy"]) == 0
    expected = path.name.replace(".json", "").replace(".gz", "") + ".npz"
    assert (in_directory / expected).is_file()


def test_the_suffix_of_the_output_chooses_the_target(in_directory):
    assert main(["m.json", "-o", "x.ir"]) == 0
    assert (in_directory / "x.ir").read_text().startswith("sensenet graph")
    assert (in_directory / "x.npz").is_file()


def test_saved_graphs_are_models(in_directory):
    assert main(["m.json", "-o", "x.ir", "-O0"]) == 0
    assert main(["x.ir", "-t", "numpy", "-o", "y.npz"]) == 0
    np.testing.assert_allclose(predictions("y.npz"), reference(), rtol=1e-6)


def test_an_existing_output_is_replaced_only_by_force(capsys, in_directory):
    (in_directory / "m.npz").write_bytes(b"mine")
    assert main(["m.json", "-t", "numpy"]) == 1
    assert capsys.readouterr().err.startswith("sensenet: error: m.npz already exists")
    assert (in_directory / "m.npz").read_bytes() == b"mine"
    assert main(["m.json", "-t", "numpy", "--force"]) == 0
    assert (in_directory / "m.npz").read_bytes() != b"mine"


def test_levels_and_settings():
    arguments = ["m.json", "-o", "n.npz", "-O1", "--setting", "regression_normalize=true"]
    assert main(arguments) == 0
    np.testing.assert_allclose(predictions("n.npz"), (reference() - 10) / 3, rtol=1e-5)


def test_print_ir(capsys, in_directory):
    assert main(["m.json", "-t", "ir", "-O0", "--print-ir"]) == 0
    text = capsys.readouterr().out
    assert "dropout" in text
    assert parse_graph(text).signature == sensenet.compile(DOCUMENT, "ir").graph.signature
    assert [path.name for path in in_directory.iterdir()] == ["m.json"]


def test_dump_ir(in_directory):
    assert main(["m.json", "-t", "numpy", "--dump-ir", "dump/stages"]) == 0
    directory = in_directory / "dump" / "stages"
    stages = ["imported", *[current.name for current in PIPELINES[2]], "legalize"]
    names = [f"{number:02d}-{stage}.ir" for number, stage in enumerate(stages)]
    assert sorted(path.name for path in directory.iterdir()) == [*names, "weights.npz"]
    with np.load(directory / "weights.npz") as archive:
        weights = dict(archive)
    for name in names:
        graph = parse_graph((directory / name).read_text("utf-8"), weights)
        assert same_graph(sensenet.compile(directory / name, "numpy", optimize=0).graph, graph)
        np.testing.assert_allclose(predict(sensenet.compile(graph, "numpy")), reference(), rtol=1e-6)


def test_dump_ir_writes_the_stages_before_a_failure(monkeypatch, in_directory, capsys):
    def fail(graph):
        raise ValueError("no")

    broken = [*PIPELINES[2][:2], type(PIPELINES[2][2])(name="broken", run=fail)]
    monkeypatch.setitem(PIPELINES, 2, tuple(broken))
    monkeypatch.setitem(ALL_PASSES, "broken", broken[-1])
    assert main(["m.json", "-t", "numpy", "--dump-ir", "d"]) == 1
    assert "the pass broken failed: no" in capsys.readouterr().err
    names = sorted(path.name[:2] for path in (in_directory / "d").iterdir())
    assert names == ["00", "01", "02", "we"]


@pytest.fixture
def stages(capsys):
    """What the command line prints, by the stage that stands in the comment above."""

    def run(*arguments):
        assert main(["m.json", "-t", "numpy", *arguments]) == 0
        _, *parts = re.split(r"^// after (.+)\n", capsys.readouterr().out, flags=re.MULTILINE)
        return dict(zip(parts[::2], parts[1::2], strict=True))

    return run


def test_print_after(stages, in_directory):
    printed = stages(
        "--print-after", "legalize", "--print-after", "remove-identities", "--print-after", "imported"
    )
    assert list(printed) == ["imported", "remove-identities", "legalize"]
    dropouts = ["dropout" in {n.op.mnemonic() for n in parse_graph(text).nodes} for text in printed.values()]
    assert dropouts == [True, False, False]
    assert [path.name for path in in_directory.iterdir()] == ["m.json"]


def test_print_after_goes_with_an_output(stages, in_directory):
    assert list(stages("--print-after", "fold-constants", "-o", "n.npz")) == ["fold-constants"]
    np.testing.assert_allclose(predictions("n.npz"), reference(), rtol=1e-6)


def test_print_after_prints_before_a_later_failure(monkeypatch, capsys):
    def fail(graph):
        raise ValueError("no")

    broken = type(PIPELINES[2][0])(name="broken", run=fail)
    monkeypatch.setitem(ALL_PASSES, "broken", broken)
    passes = ["--passes", "remove-identities,broken", "--print-after", "remove-identities"]
    assert main(["m.json", "-t", "numpy", *passes]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("// after remove-identities\nsensenet graph\n")
    assert "the pass broken failed: no (passes before it: remove-identities)" in err


LEVEL_1 = [each.name for each in PIPELINES[1]]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-O0"], []),
        (["-O1"], LEVEL_1),
        (
            ["-O1", "--disable-pass", LEVEL_1[1], "--disable-pass", LEVEL_1[3]],
            [LEVEL_1[0], LEVEL_1[2], *LEVEL_1[4:]],
        ),
        (["-O1", "--disable-pass", "merge-dense"], LEVEL_1),  # it is not there to begin with
        (["-O1", "--stop-after", LEVEL_1[2]], LEVEL_1[:3]),
        (
            ["--passes", "merge-dense,fold-constants,merge-dense"],
            ["merge-dense", "fold-constants", "merge-dense"],
        ),
        (["--passes", "merge-dense,fold-constants", "--stop-after", "merge-dense"], ["merge-dense"]),
        (["--passes", ""], []),
    ],
)
def test_choosing_passes(capsys, arguments, expected):
    assert main(["m.json", "-t", "numpy", "--time-passes", *arguments]) == 0
    told = [line.split()[0] for line in capsys.readouterr().err.splitlines()]
    assert told == ["frontend", *expected, "legalize", "backend"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--passes", "fold-constants,merge-dence"],
            "unknown pass 'merge-dence'; did you mean merge-dense?",
        ),
        (["--disable-pass", "fold-gather"], "did you mean fold-gathers?"),
        (["--disable-pass", "zzz"], "unknown pass 'zzz'; expected one of: remove-identities, "),
        (
            ["--stop-after", "merge-dense", "-O1"],
            "the pass merge-dense does not run here; expected one of: remove",
        ),
        (
            ["--stop-after", "merge-dense", "-O0"],
            "the pass merge-dense does not run here; expected one of: (none)",
        ),
        (
            ["--print-after", "merge-dense", "-O1"],
            "merge-dense does not run here; expected one of: imported, remove-",
        ),
        (["--print-after", "import"], "did you mean imported?"),
        (["--passes", "legalize"], "legalize is the target's own pass: it always runs, after all others"),
    ],
)
def test_wrong_names_of_passes(capsys, arguments, message):
    with pytest.raises(SystemExit) as end:
        main(["m.json", "-t", "numpy", *arguments])
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_dump_ir_replaces_only_its_own_files(capsys, in_directory):
    arguments = ["m.json", "-t", "numpy", "--dump-ir", "d"]
    assert main(arguments) == 0
    assert main([*arguments, "-o", "n.npz"]) == 1
    assert "d is not empty" in capsys.readouterr().err
    assert main([*arguments, "-O0", "--force"]) == 0
    assert len(list((in_directory / "d").iterdir())) == 3
    (in_directory / "d" / "mine.txt").write_text("")
    assert main([*arguments, "--force"]) == 1
    assert "it holds mine.txt" in capsys.readouterr().err


def test_time_passes(capsys):
    assert main(["m.json", "-t", "numpy", "--time-passes"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0].startswith("frontend")
    assert lines[-1].startswith("backend numpy")
    assert len(lines) == len(PIPELINES[2]) + 3


def test_list_targets(capsys):
    assert main(["--list-targets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(TARGETS)


def test_list_passes(capsys):
    assert main(["--list-passes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [*ALL_PASSES, *LOWERING]
    assert "fold-batch-normalization         -O2" in lines


def test_help_shows_examples(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    assert "--target tflite -o deepnet.tflite" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.json"], "nowhere.json: no such file"),
        (["m.json", "-t", "numpy", "-o", "no/m.npz"], "no such directory no"),
        (["m.json", "-t", "numpy", "--option", "fast=true"], "no option 'fast'"),
        (["m.json", "-t", "ir", "-o", "-"], "has 2 files"),
        (["bad.json", "-t", "numpy"], "bad.json"),
        (["m.json", "-t", "numpy", "--dump-ir", "m.json"], "m.json cannot be written"),
    ],
)
def test_bad_input_is_one_line(capsys, monkeypatch, in_directory, arguments, message):
    (in_directory / "bad.json").write_text('{"layers": \n [')
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO()))
    assert main(arguments) == 1
    err = capsys.readouterr().err
    assert err.startswith("sensenet: error: ")
    assert err.count("\n") == 1
    assert message in err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["m.json", "-t", "caffe"],
        ["m.json", "-O3"],
        ["m.json", "--setting", "iou=1"],
        ["m.json", "--setting", "max_objects=x"],
        ["m.json", "--option", "fast"],
        ["m.json", "--option", "settings=1"],
        ["m.json", "-o", "-", "--print-ir", "-t", "numpy"],
        ["m.json", "-o", "-", "--print-after", "imported", "-t", "numpy"],
        ["m.json", "--print-after", "imported", "-t", "numpy", "-t", "ir"],
        ["m.json", "--nonsense"],
    ],
)
def test_a_wrong_command_line_is_exit_status_2(capsys, monkeypatch, arguments):
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO()))
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_standard_input_and_output(in_directory):
    content = (in_directory / "m.json").read_bytes()
    result = subprocess.run([*COMMAND, "-", "-t", "numpy"], input=content, capture_output=True, check=True)
    assert result.stderr == b""
    (in_directory / "piped.npz").write_bytes(result.stdout)
    np.testing.assert_allclose(predictions("piped.npz"), reference(), rtol=1e-6)


def test_a_reader_that_has_enough(in_directory):
    """A closed pipe ends the command without a traceback."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as stdout:
        result = subprocess.run(
            [*COMMAND, "m.json", "-t", "numpy", "-o", "-"],
            stdout=stdout,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert result.stderr == b""
    assert result.returncode == 1


def test_no_binary_on_a_terminal():
    terminal, device = pty.openpty()
    result = subprocess.run(
        [*COMMAND, "m.json", "-t", "numpy", "-o", "-"],
        stdout=device,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(device)
    assert read_all(terminal) == ""
    os.close(terminal)
    assert result.returncode == 2
    assert "refusing to write a file to a terminal" in result.stderr


def test_progress_on_a_terminal_only():
    status, written = run_on_terminal([*COMMAND, "m.json", "-t", "numpy"])
    assert status == 0
    assert "after legalize" in written
    line, end = shown_lines(written)
    assert re.fullmatch(r"m\.npz: [\d.]+ kB for numpy, \d+ nodes", line)
    assert end == ""


def test_an_interruption(monkeypatch, in_directory):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("sensenet.cli.compile.compile_request", interrupt)
    assert main(["m.json", "-t", "numpy"]) == 130
    assert [path.name for path in in_directory.iterdir()] == ["m.json"]
