"""`sensenet explain`: rows of all forms, tables, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sensenet.cli.explain import main

ROOT = Path(__file__).parents[2]
IRIS, ROWS, DIABETES = (str(ROOT / "examples" / name) for name in ("iris.json", "iris.csv", "diabetes.json"))
FLOWER = ["petal length=1.4", "petal width=0.2"]


def run(capsys, *arguments, status=0):
    assert main([*map(str, arguments)]) == status
    return capsys.readouterr()


def explain(capsys, *arguments):
    return json.loads(run(capsys, *arguments, "--json").out)


def test_a_row_of_pairs(capsys):
    out = run(capsys, IRIS, *FLOWER).out
    assert out.startswith("setosa: probability 0.9976, and 0.2853 on average for the background\n\n")
    assert "  petal length      1.4  +0.4727" in out
    assert "Exact Shapley values, from 1,024 answers of the model." in out


def test_all_forms_of_a_row_are_the_same(tmp_path, capsys):
    table = tmp_path / "rows.csv"
    table.write_text("petal length,petal width\n5,1.7\n1.4,0.2\n")
    lines = tmp_path / "rows.jsonl"
    lines.write_text('{"petal length": 1.4, "petal width": 0.2}\n')
    forms = [
        FLOWER,
        ['{"petal length": 1.4, "petal width": 0.2}'],
        ['{"000002": 1.4, "000003": 0.2}'],
        ["[null, null, 1.4, 0.2]"],
        [str(table), "--row", "2"],
    ]
    pytest.importorskip("pyarrow")
    forms.append([str(lines)])
    found = [explain(capsys, IRIS, *form)["row"] for form in forms]
    for each in found[1:]:
        assert [field["contributions"] for field in each["fields"]] == [
            field["contributions"] for field in found[0]["fields"]
        ]
    record = explain(capsys, IRIS, *FLOWER)
    assert (record["model"], record["output"]) == ("iris", "setosa")


def test_rows_to_compare_with(capsys):
    record = explain(capsys, IRIS, *FLOWER, "--background", ROWS)["row"]
    assert record["background"] == {"rows": 50, "source": f"50 rows of {ROWS}"}
    total = sum(field["contributions"]["setosa"] for field in record["fields"])
    assert total == pytest.approx(record["answer"]["setosa"] - record["expectation"]["setosa"])


def test_options_may_come_before_the_row(capsys):
    assert explain(capsys, IRIS, "--background", ROWS, *FLOWER) == explain(
        capsys, IRIS, *FLOWER, "--background", ROWS
    )


def test_long_tables_are_drawn_from(tmp_path, capsys):
    table = tmp_path / "rows.csv"
    table.write_text("petal length\n" + "".join(f"{number / 100}\n" for number in range(700)))
    record = explain(capsys, IRIS, *FLOWER, "--background", table, "--seed", 3)["row"]
    assert record["background"] == {"rows": 256, "source": f"256 of 700 rows of {table}"}
    assert record == explain(capsys, IRIS, *FLOWER, "--background", table, "--seed", 3)["row"]
    assert record != explain(capsys, IRIS, *FLOWER, "--background", table, "--seed", 4)["row"]


def test_importance_with_true_values_and_without(tmp_path, capsys):
    record = explain(capsys, IRIS, "--importance", ROWS)["importance"]
    assert (record["measure"], record["score"], record["rows"]) == ("accuracy", 0.96, 50)
    plain = tmp_path / "plain.csv"
    plain.write_text("petal length,petal width\n5,1.7\n1.4,0.2\n")
    record = explain(capsys, IRIS, "--importance", plain)["importance"]
    assert (record["measure"], record["score"], record["rows"]) == ("mean |contribution|", None, 2)
    record = explain(capsys, IRIS, "--importance", ROWS, "--class", "virginica")["importance"]
    assert record["measure"] == "mean |contribution| to virginica"
    assert "How much accuracy falls from 0.96" in run(capsys, IRIS, "--importance", ROWS).out


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "jsonl"])
def test_true_values_of_other_formats(suffix, tmp_path, capsys):
    pytest.importorskip("pyarrow")
    import pyarrow.csv
    import pyarrow.feather
    import pyarrow.parquet

    path = tmp_path / f"rows.{suffix}"
    table = pyarrow.csv.read_csv(ROWS)
    if suffix == "jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in table.to_pylist()))
    else:
        write = {"parquet": pyarrow.parquet.write_table, "arrow": pyarrow.feather.write_feather}[suffix]
        write(table, path)
    wanted = explain(capsys, IRIS, "--importance", ROWS)
    assert explain(capsys, IRIS, "--importance", path) == wanted
    found, same = (explain(capsys, IRIS, table, "--row", 50)["row"] for table in (path, ROWS))
    assert [field["contributions"] for field in found["fields"]] == [
        field["contributions"] for field in same["fields"]
    ]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_columns_that_are_ignored(suffix, tmp_path, capsys):
    pandas = pytest.importorskip("pandas")
    table = str(tmp_path / f"rows.{suffix}")
    frame = pandas.read_csv(ROWS, dtype=str).assign(id=range(50), note="x")
    if suffix == "csv":
        frame.to_csv(table, index=False)
    else:
        pytest.importorskip("pyarrow")
        frame.to_parquet(table)
    assert "unknown field" in run(capsys, IRIS, table, "--ignore", "note", status=1).err
    arguments = ("--row", "7", "--background")
    without = explain(capsys, IRIS, ROWS, *arguments, ROWS)
    ignored = ("--ignore", "id,note", "--importance", table)
    found = explain(capsys, IRIS, table, *arguments, table, *ignored)
    assert found["row"]["fields"] == without["row"]["fields"]
    assert found["importance"]["fields"][0]["field"] == "petal length"


def test_curves(capsys):
    record = explain(capsys, IRIS, *FLOWER, "--what-if", "petal length", "--what-if", "petal width")
    assert [curve["field"] for curve in record["what_if"]] == ["petal length", "petal width"]
    out = run(capsys, DIABETES, "sex=1", "--what-if", "sex").out
    assert "progression if sex were another (this row: 1)" in out


def test_a_page_is_written_whole_or_not_at_all(tmp_path, capsys):
    path = tmp_path / "flower.html"
    run(capsys, IRIS, *FLOWER, "--what-if", "petal length", "--html", path)
    content = path.read_text("utf-8")
    assert content.startswith("<!doctype html>")
    assert "Why species is setosa with probability 0.9976" in content
    err = run(capsys, IRIS, *FLOWER, "--html", path, status=1).err
    assert "already exists" in err
    run(capsys, IRIS, "--importance", ROWS, "--html", path, "--force")
    assert "Importance of fields" in path.read_text("utf-8")
    broken = tmp_path / "broken.html"
    run(capsys, IRIS, "petal=1", "--html", broken, status=1)
    assert not broken.exists()


def test_a_class_may_be_chosen(capsys):
    record = explain(capsys, IRIS, *FLOWER, "--class", "virginica")
    assert record["output"] == "virginica"
    assert run(capsys, IRIS, *FLOWER, "--class", "virginica").out.startswith(
        "virginica: probability 4.378e-08"
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([*FLOWER, "--class", "setossa"], "unknown class 'setossa'; did you mean 'setosa'?"),
        (["petal lenth=1"], "unknown field 'petal lenth': did you mean"),
        (["petal length=long"], "cannot read 'long' as a number"),
        (['{"petal length": 1.4'], "the row is not JSON"),
        (["[[1, 2, 3, 4]]"], "expected one row: a JSON object by field name, or a list of cells"),
        (["[]"], "expected one row"),
        (["[1, 2]"], "too short"),
        ([*FLOWER, "more"], f"expected pairs field=value, or files; found both: {FLOWER[0]!r} and 'more'"),
        (["one.csv", "more.csv"], "expected one table; found 'one.csv' and 'more.csv'"),
        (["nothing.csv"], "nothing.csv cannot be read"),
        ([ROWS, "--row", "51"], "iris.csv has no row 51"),
        ([*FLOWER, "--background", "nothing.csv"], "nothing.csv cannot be read"),
        ([*FLOWER, "--background", DIABETES], "diabetes.json, line 1"),
        ([*FLOWER, "--what-if", "color"], "unknown field 'color'"),
        (["--importance", "nothing.csv"], "nothing.csv cannot be read"),
    ],
)
def test_errors_are_one_line(arguments, told, capsys):
    err = run(capsys, IRIS, *arguments, status=1).err
    assert told in err
    assert err.startswith("sensenet: error: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (
            "sepal length,species\n5,setosa\nlong,setosa\n",
            'rows.csv, line 3: column 0 ("sepal length"): cannot',
        ),
        ("sepal length,species\n5,setosa\n6,\n", "rows.csv, line 3: expected a true class, found none"),
    ],
)
def test_errors_of_rows_name_their_lines(rows, told, tmp_path, capsys):
    path = tmp_path / "rows.csv"
    path.write_text(rows)
    assert told in run(capsys, IRIS, "--importance", path, status=1).err
    assert told in run(capsys, IRIS, "--importance", path, "--json", status=1).err


def test_an_error_of_the_row_of_a_table_names_its_line(tmp_path, capsys):
    path = tmp_path / "rows.csv"
    path.write_text("sepal length\n5\nlong\n")
    assert "rows.csv, line 3: column 0" in run(capsys, IRIS, path, "--row", 2, status=1).err
    assert "error: row 0, column 0" in run(capsys, IRIS, "sepal length=long", status=1).err


def test_errors_of_lines_of_json_and_of_the_background_name_their_lines(tmp_path, capsys):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"sepal length": 5}\n\n{"sepal length": "long"}\n')
    told = "rows.jsonl, line 3: column 0"
    assert told in run(capsys, IRIS, *FLOWER, "--background", path, status=1).err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "give a ROW to explain, or --importance TABLE"),
        (["--importance", ROWS, "--what-if", "sex"], "--what-if needs a ROW"),
        ([*FLOWER, "--seed", "4294967296"], "expected a seed from 0 to 4294967295"),
        ([*FLOWER, "--row", "0"], "expected a positive whole number"),
    ],
)
def test_wrong_command_lines(arguments, told, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([IRIS, *arguments])
    assert stopped.value.code == 2
    assert told in capsys.readouterr().err
