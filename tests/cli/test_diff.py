"""`sensenet diff`: text, JSON, and exit statuses like those of `diff`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sensenet.cli.sensenet import main
from sensenet.inspection import diff

EXAMPLES = Path(__file__).parents[2] / "examples"
IRIS, DIABETES = str(EXAMPLES / "iris.json"), str(EXAMPLES / "diabetes.json")


@pytest.fixture
def other(tmp_path):
    document = json.loads(Path(IRIS).read_text())
    document["deepnet"]["network"]["layers"][0]["weights"][0][0] += 0.25
    path = tmp_path / "other.json"
    path.write_text(json.dumps(document))
    return str(path)


def test_equal_models_exit_with_0(capsys):
    assert main(["diff", IRIS, IRIS]) == 0
    assert capsys.readouterr() == (f"{diff(IRIS, IRIS)}\n", "")


def test_different_models_exit_with_1(other, capsys):
    assert main(["diff", IRIS, other]) == 1
    assert "layer_0.kernel  f32[4,8]  f32[4,8]     0.25" in capsys.readouterr().out
    assert main(["diff", IRIS, other, "--only", "graph,signature"]) == 0
    assert main(["diff", IRIS, other, "--only", "weights", "--tolerance", "0.3"]) == 0


def test_trouble_exits_with_2(capsys):
    assert main(["diff", IRIS, "nowhere.json"]) == 2
    assert capsys.readouterr() == ("", "sensenet: error: nowhere.json: no such file\n")
    assert main(["diff", IRIS, IRIS, "--rows", "nowhere.csv"]) == 2


def test_json(other, capsys):
    assert main(["diff", IRIS, other, "--json", "--rows", str(EXAMPLES / "iris.csv")]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["same"], found["answers"]["rows"]) == (False, 50)
    assert main(["diff", IRIS, DIABETES, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["answers"]["refusal"]


def test_an_infinite_difference_is_null_in_json(tmp_path, capsys):
    document = json.loads(Path(DIABETES).read_text())
    document["deepnet"]["network"]["layers"][-1]["weights"][0][0] = 3e38
    document["deepnet"]["network"]["layers"][-1]["offset"] = [3e38]
    path = tmp_path / "other.json"
    path.write_text(json.dumps(document))
    assert main(["diff", DIABETES, str(path), "--json"]) == 1
    json.loads(capsys.readouterr().out, parse_constant=pytest.fail)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--only", "weight"], "unknown part 'weight'; did you mean 'weights'?"),
        (["--only", ","], "no parts to compare; expected some of signature, settings, "),
        (["--tolerance", "-1"], "expected a number, 0 or more, found '-1'"),
        (["--tolerance", "nan"], "expected a number, 0 or more, found 'nan'"),
        (["--row", "x", "--onyl", "graph"], "unknown option --onyl; did you mean '--only'?"),
    ],
)
def test_wrong_command_lines(arguments, expected, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["diff", IRIS, IRIS, *arguments])
    assert caught.value.code == 2
    assert expected in capsys.readouterr().err
