"""What commands print with `--json`: the members that docs/json.md lists, and facts that hold."""

from __future__ import annotations

import hashlib
import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import attrs
import pytest

from sensenet.backends.interpreter import ir
from sensenet.cli.sensenet import COMMANDS, main
from sensenet.ir.graph import apply
from sensenet.ir.ops.dense import Dense
from sensenet.passes import ALL_PASSES, PIPELINES
from sensenet.passes.infrastructure.rules import rewriting_pass
from sensenet.pretrained.cache import SMALLEST_NETWORK

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/json.md").read_text("utf-8")
EXAMPLES = ROOT / "examples"
IRIS, ROWS = str(EXAMPLES / "iris.json"), str(EXAMPLES / "iris.csv")
EXPLAIN = ("explain", IRIS, "petal length=1.4", "--html", "out.html")
SHAPES, IMAGE = str(EXAMPLES / "shapes.json.gz"), str(EXAMPLES / "shapes.png")


@pytest.fixture(autouse=True)
def in_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def documented(start):
    """The members in the row of a table of the page."""
    (cell,) = re.findall(rf"^\| {re.escape(start)} \| (.*) \|$", PAGE, re.MULTILINE)
    return set(re.findall(r"`(\w+)`", cell))


def run(capsys, *arguments, status=0):
    assert main([*arguments, "--json"]) == status
    out = capsys.readouterr().out
    assert out.isascii()
    return json.loads(out)


def check_files(files):
    """The facts on each file are true."""
    for each in files:
        content = Path(each["path"]).read_bytes()
        assert each == {
            "path": each["path"],
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
    return [each["path"] for each in files]


@pytest.mark.parametrize(
    ("row", "arguments", "written"),
    [
        ("`compile --strip-weights`", ("compile", IRIS, "--strip-weights"), ["iris.stripped.json"]),
        ("`predict`", ("predict", IRIS, ROWS, "-o", "out.csv"), ["out.csv"]),
        ("`evaluate`", ("evaluate", IRIS, ROWS, "--html", "out.html"), ["out.html"]),
        ("`inspect`", ("inspect", IRIS, "--draw", "out.svg"), ["out.svg"]),
        ("`page`", ("page", IRIS, "--single-file", "out.html"), ["out.html"]),
        ("`explain`", (*EXPLAIN, "--what-if", "petal length", "--importance", ROWS), ["out.html"]),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_commands_that_write_files(row, arguments, written, capsys):
    found = run(capsys, *arguments)
    assert found.keys() == documented(row)
    assert check_files(found["files"]) == written


def test_compile(capsys):
    found = run(capsys, "compile", IRIS, "-t", "numpy", "-t", "tfjs", "-o", "made")
    assert found.keys() == documented("`compile`")
    numpy, folder = found["artifacts"]
    assert numpy.keys() == folder.keys() == documented("`artifacts`")
    assert (numpy["target"], numpy["path"]) == ("numpy", "made/iris.npz")
    assert numpy["nodes"] > 0
    assert check_files(numpy["files"]) == ["made/iris.npz"]
    assert folder["path"] == "made/iris_tfjs"
    assert check_files(folder["files"]) == sorted(map(str, Path("made/iris_tfjs").iterdir()))


@pytest.mark.parametrize("name", ["graph", "graph.ir", "graph.v2"])
def test_the_pair_of_files_of_a_graph(name, capsys):
    (artifact,) = run(capsys, "compile", IRIS, "-t", "ir", "-o", name)["artifacts"]
    assert sorted(check_files(artifact["files"])) == sorted(map(str, Path().iterdir()))


def test_a_folder(capsys):
    found = run(capsys, "page", IRIS, "-o", "site")
    written = [str(path) for path in Path("site").rglob("*") if path.is_file()]
    assert check_files(found["files"]) == sorted(written)


def test_a_device_keeps_nothing(capsys):
    found = run(capsys, "predict", IRIS, ROWS, "-o", "/dev/null")
    assert found["files"] == [{"path": "/dev/null", "bytes": None, "sha256": None}]
    assert (found["rows"], found["failed"]) == (50, 0)


def test_rows_without_an_answer_are_counted(capsys):
    pytest.importorskip("pyarrow")
    Path("rows.jsonl").write_text('{"petal length": 1.4}\n{"petal length": "long"}\n')
    found = run(capsys, "predict", IRIS, "rows.jsonl", "--on-error", "null", "-o", "out.csv")
    assert (found["rows"], found["failed"]) == (2, 1)


def test_images_and_their_drawings(capsys):
    Path("wrong.png").write_bytes(b"not an image")
    Path("drawn").mkdir()
    images = ("predict", SHAPES, IMAGE, "wrong.png", "-o", "out.jsonl", "--draw", "drawn")
    found = run(capsys, *images, status=1)
    assert (found["rows"], found["failed"]) == (2, 1)
    assert check_files(found["files"]) == ["out.jsonl", "drawn/shapes.png"]


def test_diff(capsys):
    found = run(capsys, "diff", IRIS, IRIS)
    assert found.keys() == documented("`diff`")
    assert found["same"] is True


def test_bisect_without_a_fault(capsys):
    found = run(capsys, "bisect", IRIS)
    assert found.keys() == documented("`bisect`")
    assert (found["same"], found["culprit"], found["smallest"]) == (True, None, None)
    assert found["passes"] == [each.name for each in PIPELINES[2]]


def test_bisect(capsys, monkeypatch):
    def drop_bias(node, _):
        if not isinstance(node.op, Dense) or node.op.bias is None:
            return None
        return apply(attrs.evolve(node.op, bias=None), *node.inputs, name=node.name).value

    wrong = rewriting_pass("drop-bias", drop_bias)
    monkeypatch.setitem(ALL_PASSES, "drop-bias", wrong)
    found = run(capsys, "bisect", IRIS, "--passes", "remove-identities,drop-bias", status=3)
    assert found.keys() == documented("`bisect`")
    assert found["same"] is False
    assert found["difference"] > 0
    culprit, smallest = found["culprit"], found["smallest"]
    assert culprit.keys() == documented("`culprit`") - {"null", "number", "rule", "node"}
    assert culprit["rewrite"].keys() == {"number", "rule", "node"}
    assert culprit["stage"] == "drop-bias"
    assert smallest.keys() == documented("`smallest`") - {"null"}
    assert sorted(check_files(smallest["files"])) == ["smallest.ir", "smallest.npz"]
    assert len(ir.TARGET.open(Path(smallest["path"])).graph.nodes) == smallest["nodes"]
    assert smallest["commands"]["find"].startswith("sensenet bisect smallest.ir")


def test_decompile(capsys):
    pytest.importorskip("h5py")
    assert main(["compile", IRIS, "-t", "h5", "-o", "trained.h5"]) == 0
    found = run(capsys, "decompile", "trained.h5", "--like", IRIS, "-o", "again.json")
    assert found.keys() == documented("`decompile`")
    assert check_files(found["files"]) == ["again.json"]


def test_pretrained(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("BIGML_SENSENET_CACHE_PATH", str(tmp_path))
    missing = run(capsys, "pretrained", "path", "resnet50", status=1)
    assert missing.keys() == documented("`pretrained fetch`, `pretrained path`")
    assert (missing["cached"], missing["files"]) == (False, [])
    Path(missing["path"]).write_bytes(bytes(SMALLEST_NETWORK))
    for command in ("path", "fetch"):
        found = run(capsys, "pretrained", command, "resnet50")
        assert found == missing | {"cached": True, "files": found["files"]}
        assert check_files(found["files"]) == [missing["path"]]
    assert run(capsys, "pretrained", "list").keys() == documented("`pretrained list`")


def test_an_image(capsys):
    found = run(capsys, "explain", SHAPES, IMAGE, "-o", "map.png", "--html", "map.html")
    assert found.keys() == documented("`explain`, of an image")
    assert check_files(found["files"]) == ["map.png", "map.html"]


def test_serve():
    for package in ("uvicorn", "starlette", "orjson", "prometheus_client"):
        pytest.importorskip(package)
    command = [sys.executable, "-m", "sensenet", "serve", f"flowers:2={IRIS}", IRIS, "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        try:
            found = json.loads(server.stdout.readline())
            with urllib.request.urlopen(f"{found['url']}/v2/models/flowers", timeout=60) as response:
                assert json.load(response)["versions"] == ["2"]
        finally:
            server.send_signal(signal.SIGTERM)
            rest, _ = server.communicate(timeout=60)
    assert rest == b""
    assert found.keys() == documented("`serve`")
    assert found["url"] == f"http://{found['host']}:{found['port']}"
    assert {(each["name"], each["version"]) for each in found["models"]} == {("flowers", "2"), ("iris", "1")}
    assert found["models"][0].keys() == documented("`models` of `serve`")


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", IRIS, ROWS),
        ("predict", IRIS, ROWS, "-o", "/dev/stdout"),
        ("decompile", "x.h5", "--like", IRIS),
        ("compile", IRIS, "-t", "numpy", "-o", "-"),
        ("compile", "-", "--strip-weights"),
        ("compile", IRIS, "--print-ir"),
        ("compile", IRIS, "--print-after", "imported"),
        ("compile", IRIS, "--explain", "merge-dense", "-o", "out.npz"),
    ],
)
def test_two_results_do_not_share_stdout(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main([*arguments, "--json"])
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "both go to stdout" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("compile", "?"),
        ("predict", "?", ROWS, "-o", "out.csv"),
        ("evaluate", "?", ROWS),
        ("inspect", "?"),
        ("page", "?", "--single-file", "out.html"),
        ("explain", "?", "a=1"),
        ("diff", IRIS, "?"),
        ("serve", "?"),
        ("bisect", "?"),
        ("decompile", "?", "--like", IRIS, "-o", "out.json"),
        ("pretrained", "fetch", "?"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_an_error_is_one_line_on_stderr(arguments, capsys):
    try:
        status = main([*(each.replace("?", "missing.json") for each in arguments), "--json"])
    except SystemExit as end:
        status = end.code
    out, err = capsys.readouterr()
    assert status in (1, 2)
    assert out == ""
    assert ": error: " in err.splitlines()[-1]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_the_option(name, capsys):
    arguments = ["pretrained", "fetch"] if name == "pretrained" else [name]
    with pytest.raises(SystemExit):
        main([*arguments, "--help"])
    assert "--json" in capsys.readouterr().out
