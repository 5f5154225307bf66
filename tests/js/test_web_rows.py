"""The modules of a page in Node: CSV and its answers as in Python, inputs of forms, links."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.conformance import assert_close, is_error, recorded_cases, skip_if_refused
from support.documents import ensemble, typed
from support.profiles import examples
from support.web_pages import HOSTILE_NAMES, category_field, hostile, number_field, resource

import sensenet
from sensenet.cli.predict import main as predict
from sensenet.settings import ensure_settings

pytest.importorskip("llvmlite")

EXAMPLES = Path(__file__).parents[2] / "examples"


def records_in_python(text, delimiter):
    try:
        return [
            cells
            for cells in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
            if cells
        ]
    except csv.Error:
        return None


def records_in_javascript(web, text, delimiter, parts=None):
    try:
        return [record["cells"] for record in web.records(text, delimiter=delimiter, parts=parts)]
    except RuntimeError:
        return None


CSV_TEXTS = st.lists(st.sampled_from([*'a",;\n\r \t', "\r\n", '""', '","', "é", "😀"]), max_size=12).map(
    "".join
)


@examples(200)
@given(text=CSV_TEXTS, delimiter=st.sampled_from(",;\t"), cut=st.integers(0, 12))
@example(text='"a"b', delimiter=",", cut=0)
@example(text='"a\r\nb"\r\n\r\n,', delimiter=",", cut=3)
@example(text='"', delimiter=",", cut=0)
def test_csv_is_read_as_in_python(web, text, delimiter, cut):
    want = records_in_python(text, delimiter)
    assert records_in_javascript(web, text, delimiter) == want
    assert records_in_javascript(web, text, delimiter, parts=[text[:cut], text[cut:]]) == want


def test_records_have_the_number_of_their_line(web):
    records = web.records('a,b\r\n"1\n2",3\n\n\r4,5')
    assert [record["line"] for record in records] == [1, 2, 6]
    with pytest.raises(RuntimeError, match="line 2: invalid CSV: a quoted cell does not end"):
        web.records('a\n"b\n')


def score_in_python(tmp_path, source, content, *options):
    (tmp_path / "rows.csv").write_bytes(content)
    (tmp_path / "m.json").write_text(json.dumps(source))
    answers = tmp_path / "answers.csv"
    assert (
        predict([str(tmp_path / "m.json"), str(tmp_path / "rows.csv"), "-o", str(answers), "-f", *options])
        == 0
    )
    return list(csv.reader(answers.open(encoding="utf-8", newline="")))


def require_same_table(got, want):
    got = list(csv.reader(io.StringIO(got)))
    assert got[0] == want[0]
    assert len(got) == len(want)
    for one, other in zip(got[1:], want[1:], strict=True):
        for cell, expected in zip(one, other, strict=True):
            try:
                np.testing.assert_allclose(float(cell), float(expected), rtol=2e-5, atol=2e-6)
            except ValueError:
                assert cell == expected


@pytest.mark.parametrize("name", ["iris", "diabetes"])
def test_a_file_is_scored_as_the_command_does(web, tmp_path, name):
    document = json.loads((EXAMPLES / f"{name}.json").read_text())
    fields = [field["name"] for field in document["deepnet"]["fields"].values()][:-1]
    random = np.random.default_rng(0)
    lines = [["id", *fields]]
    lines += [[str(row), *map(str, random.uniform(0, 7, len(fields)).round(2))] for row in range(5000)]
    lines[3][2] = ""
    content = "\ufeff" + "\r\n".join(map(",".join, lines))
    kept = score_in_python(tmp_path, document, content.encode(), "--keep", ",".join(lines[0]))
    found = web.score(document, content.encode(), keep=True)
    require_same_table(found["text"], kept)
    assert (found["rows"], found["ignored"], found["absent"]) == (5000, ["id"], [])
    assert sum(count for _, count in found["labels"]) == (5000 if name == "iris" else 0)
    without = "\n".join(",".join(line[1:]) for line in lines)
    require_same_table(
        web.score(document, without.encode())["text"], score_in_python(tmp_path, document, without.encode())
    )


def test_other_delimiters_are_found(web):
    document = json.loads((EXAMPLES / "iris.json").read_text())
    for delimiter in ";\t|":
        content = f"a,b,c{delimiter}petal length{delimiter}petal width\n1,2{delimiter}1.4{delimiter}0.2\n"
        found = web.score(document, content.encode(), keep=True)
        assert found["header"][:4] == ["a,b,c", "petal length", "petal width", "species"]
        assert found["text"].splitlines()[1].startswith(delimiter.join(["1,2", "1.4", "0.2", "setosa", ""]))
        assert found["absent"] == ["sepal length", "sepal width"]


def test_cells_that_a_spreadsheet_would_run_are_texts(web):
    field, cell = number_field("size")
    document = resource([field], [cell], ["=1+1", "@x"])
    content = b'size,note,other\n-1,"=cmd|\'/C calc\'!A0",+1\n-1e3,-,"a""b"\n'
    text = web.score(document, content, keep=True)["text"]
    header, first, second = csv.reader(io.StringIO(text))
    assert header[:3] == ["size", "note", "other"]
    assert header[4:] == ["'=1+1", "'@x"]
    assert first[:3] == ["-1", "'=cmd|'/C calc'!A0", "+1"]
    assert second[:3] == ["-1e3", "-", 'a"b']
    assert first[3] in ("'=1+1", "'@x")


def test_answers_have_columns_of_their_own(web):
    document = json.loads((EXAMPLES / "iris.json").read_text())
    content = b"petal length,setosa\n1,2\n"
    with pytest.raises(RuntimeError, match='two columns of the answers would be named "setosa": do not keep'):
        web.score(document, content, keep=True)
    assert web.score(document, content)["ignored"] == ["setosa"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file has no rows"),
        (b"petal length\n", "the file has no rows"),
        (b"\xff\xfea\0", "the file is UTF-16: save it as UTF-8"),
        (b"petal length\n\xff", "the file is not CSV in UTF-8"),
        (b"petal length\n1\0", "line 2: invalid CSV: found a null character"),
        (b"petal length,petal length\n1,2\n", 'line 1: the header names "petal length" twice'),
        (
            b"length\n1\n",
            'line 1: the header has no field of the model; expected names such as "sepal length"',
        ),
        (b"petal length,petal width\n1,2\n1\n", "line 3: found 1 cells, but the header has 2"),
        (b"petal length\n1\n\n?\nx\n", 'line 5: field "petal length": cannot read "x" as a number'),
    ],
)
def test_files_that_cannot_be_scored(web, content, message):
    document = json.loads((EXAMPLES / "iris.json").read_text())
    with pytest.raises(RuntimeError) as found:
        web.score(document, content)
    assert str(found.value).startswith(message)


@pytest.mark.slow
@pytest.mark.parametrize("case", recorded_cases("tabular", "real", skip=("trained_images",)))
def test_recorded_rows_in_a_file(web, case):
    """Those that CSV can hold: it does not distinguish True from its text, and an empty text from none."""
    record = case.read()
    with skip_if_refused(record):
        artifact = sensenet.compile(record["model"], "wasm", settings=ensure_settings(record["settings"]))
    signature = artifact.graph.signature
    if len(signature.cell_names) != len(signature.fields):
        pytest.skip("the fields of its rows are not their cells")
    pairs = [
        (row, want)
        for row, want in zip(record["inputs"], record["outputs"], strict=True)
        if not any(cell == "" or isinstance(cell, bool) for cell in row) and not is_error(want)
    ]
    width = max(len(row) for row, _ in pairs)
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow([field.id for field in signature.fields] or [f"cell {each}" for each in range(width)])
    writer.writerows(row + [None] * (width - len(row)) for row, _ in pairs)
    given = artifact.files["model.wasm"], stream.getvalue().encode()
    numbers = np.size(pairs[0][1])
    if signature.classes and numbers != len(signature.classes):  # as no trained model answers
        with pytest.raises(RuntimeError, match=f"{len(signature.classes)} classes but answers {numbers} "):
            web.score(*given)
        return
    found = web.score(*given)
    labels = 1 if signature.classes else 0
    answers = [list(map(float, line[labels:])) for line in list(csv.reader(io.StringIO(found["text"])))[1:]]
    assert_close(answers, [want for _, want in pairs], record["tolerance"])


def test_inputs_of_a_form(web):
    document = json.loads((EXAMPLES / "iris.json").read_text())
    signature = sensenet.compile(document, "wasm").graph.signature.to_json()
    inputs = web.call("inputs.js", "describeInputs", signature)["inputs"]
    first = inputs[0]
    assert (first["key"], first["label"], first["kind"], first["known"]) == (
        "000000",
        "sepal length",
        "number",
        True,
    )
    assert (first["minimum"], first["maximum"], first["step"]) == (4.3, 7.7, 0.02)
    assert first["typical"] == pytest.approx(5.832, abs=0.02)
    kinds = [each["kind"] for each in describe(web, hostile())]
    assert kinds == ["number"] * len(HOSTILE_NAMES) + ["category"] * 2 + ["text", "items"]


def describe(web, document):
    signature = sensenet.compile(document, "wasm").graph.signature.to_json()
    return web.call("inputs.js", "describeInputs", signature)["inputs"]


def test_documents_without_names_have_an_input_for_each_cell(web):
    inputs = describe(web, typed())
    assert [(each["label"], each["kind"]) for each in inputs] == [
        ("column 0", "number"),
        ("column 1", "category"),
        ("column 2", "number"),
    ]
    assert (inputs[2]["minimum"], inputs[2]["maximum"], inputs[2]["typical"]) == (0, 10, 5)
    assert (inputs[0]["minimum"], inputs[0]["maximum"], inputs[0]["known"]) == (-4.5, 7.5, False)


def test_rows_without_an_answer_are_counted_apart_from_an_empty_class(web):
    fields, cells = zip(*(number_field(name) for name in "xy"), strict=True)
    source = resource(fields, cells, ["", "b"])
    (layer,) = source["deepnet"]["network"]["layers"]
    layer.update(weights=[[1e10, -1e10], [-1e10, 1e10]], offset=[1.0, 0.0])  # ∞ - ∞
    found = web.score(source, b"x,y\n3e38,3e38\n40,40\n")
    assert found["labels"] == [[None, 1], ["", 1]]
    assert [line.split(",")[0] for line in found["text"].splitlines()] == ["kind", "", ""]


def test_the_most_frequent_category_is_typical(web):
    field, cell = category_field("color", ["red", "green"])
    field["summary"]["categories"] = [["red", 1], ["green", 5]]
    (given,) = describe(web, resource([field], [cell], ["a", "b"]))
    assert given["typical"] == "green"


def test_whole_numbers_have_whole_steps(web):
    field, cell = number_field("rooms")
    field["summary"] = {"minimum": 1, "maximum": 9, "counts": [[1, 4], [9, 2]]}
    cell["mean"] = 3.7
    (given,) = describe(web, resource([field], [cell], []))
    assert (given["step"], given["typical"]) == (1, 4)


@pytest.mark.parametrize("fragment", ["", "#row", "#row=%", "#row=[1]", "#row=null", "#row={", "#form"])
def test_links_without_a_row(web, fragment):
    assert web.call("inputs.js", "readFragment", fragment, describe(web, ensemble())) is None


def test_links_keep_values_and_ignore_others(web):
    inputs = describe(web, ensemble())
    fragment = '#row={"000000":1.5,"000001":null,"000002":{"a":1},"toString":3}'
    values = web.call("inputs.js", "readFragment", fragment, inputs)
    assert values == {"000000": 1.5, "000001": None, "000002": inputs[2]["typical"]}


@pytest.mark.parametrize(
    ("text", "value"),
    [("", None), (" 1.5 ", 1.5), ("-1e3", -1000), ("1,5", "1,5"), ("$5", "$5"), ("0x10", "0x10"), (".", ".")],
)
def test_numbers_as_people_type_them(web, text, value):
    assert web.call("inputs.js", "readNumber", text) == value


def test_copied_python_is_python(web):
    document = hostile()
    inputs = describe(web, document)
    row = {each["key"]: each["typical"] for each in inputs}
    code = web.call("inputs.js", "writePython", inputs, row)
    path = "deepnet.json"
    namespace = {}
    exec(
        code.replace("sensenet.create_model", "(lambda _: opened)").replace("print", "keep"),
        {
            "sensenet": sensenet,
            "opened": Recorder(namespace),
            "keep": lambda answer: None,
        },
    )
    assert path in code
    assert namespace["row"] == {each["name"]: each["typical"] for each in inputs}
    assert json.loads(web.call("inputs.js", "writeJson", inputs, row)) == namespace["row"]


class Recorder:
    """Stands in for a model, and keeps the row that it is asked to predict."""

    def __init__(self, namespace):
        self._namespace = namespace

    def predict(self, row):
        self._namespace["row"] = row


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("petal length", "petal length"),
        ("", "(empty)"),
        (" \n\u200b\x07\u202e", "(empty)"),
        ("a\r\n b", "a ⏎ b"),
        ("\u202eabc\u2069", "\ufffdabc\ufffd"),
        ("a\tb\x1b[31m", "a\ufffdb\ufffd[31m"),
        ("שלום", "שלום"),
        ("👩\u200d👧", "👩\u200d👧"),
        ("x" * 50, "x" * 12 + "…"),
        ("x" * 11 + "🔥🔥", "x" * 11 + "…"),
    ],
)
def test_names_in_one_line(web, name, text):
    """Nothing in a name turns or hides what follows it; a name is never cut within a character."""
    assert web.call("dom.js", "nameText", name, 12) == text
