"""Pages of the target web in Chromium and Firefox, headless: opened from disk, and from a server.

Skipped, and says so, where the browser or Node is missing. `look` fails a test if the page makes a request,
or writes to the console.
"""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from support import browser
from support.accessibility import CHECKS, POOR_CONTRAST
from support.documents import typed
from support.web_pages import EXAMPLES, category_field, hostile, percent, resource, save_page, wide

import sensenet
from sensenet.cli.predict import main as predict
from sensenet.explanation import contributions

pytest.importorskip("llvmlite")

IRIS = EXAMPLES / "iris.json"

TEXTS = "[...document.querySelectorAll({!r})].map((each) => each.textContent)"
TEXT = "document.querySelector({!r}).textContent"
EXPLAINED = "document.querySelectorAll('#contributions li').length"


def ask(expression, *parts):
    return ("ask", expression.format(*parts) if parts else expression)


@pytest.fixture(scope="module")
def iris(tmp_path_factory):
    """The URL of the page of iris, which is one file."""
    return save_page(IRIS, tmp_path_factory.mktemp("iris") / "iris.html")


def type_row(row):
    """Steps that fill in fields by their position; None is missing."""
    for position, value in enumerate(row):
        if value is None:
            yield ("click", f"#fields .field:nth-child({position + 1}) .missing")
        else:
            yield ("fill", f"#field-{position}", str(value))


def test_the_answer_follows_what_is_typed(any_browser, iris):
    rows = [[5.1, 3.5, 1.4, 0.2], [6.0, None, 5.1, 1.9], [None, None, None, None]]
    steps = []
    for row in rows:
        steps += [*type_row(row), ("until", "new Promise(requestAnimationFrame).then(() => true)")]
        steps += [ask(TEXT, "#label"), ask(TEXTS, "#probabilities .value")]
    answers = [answer for answer in browser.look(any_browser, iris, steps) if answer is not None]
    model = sensenet.create_model(IRIS)
    for row, label, texts in zip(rows, answers[::2], answers[1::2], strict=True):
        (shares,) = model(row)
        assert label == model.classes[shares.argmax()]
        assert texts == [percent(float(share)) for share in shares]


@pytest.mark.slow
def test_contributions_are_shown(chromium, tmp_path):
    row = {"age": 70, "sex": "2", "blood pressure": 120}
    document = EXAMPLES / "diabetes.json"
    page = save_page(document, tmp_path / "page.html")
    fields = json.loads(document.read_text())["deepnet"]["fields"]
    ids = {field["name"]: number for number, field in fields.items()}
    values = {number: row.get(name) for name, number in ids.items()}
    address = f"{page}#row={json.dumps(values)}"
    caption, labels, texts = browser.look(
        chromium,
        address,
        [
            ("until", EXPLAINED),
            ask(TEXT, "#contributions .caption"),
            ask(TEXTS, "#contributions .name"),
            ask(TEXTS, "#contributions .value"),
        ],
    )[1:]
    found = contributions(sensenet.create_model(document), row)
    assert caption.endswith(f"to {found.answer[0]:.2f}.")
    order = found.ranked(0)[:8]
    assert labels == [found.fields[field] for field in order]
    numbers = [float(text.replace("−", "-").replace("±", "")) for text in texts]
    np.testing.assert_allclose(numbers, found.contributions[order, 0], rtol=2e-3, atol=1e-3)


@pytest.mark.slow
def test_a_link_has_the_row(chromium, iris):
    steps = [
        ("fill", "#field-2", "6.5"),
        ("click", "#fields .field:nth-child(4) .missing"),
        ("click", "[data-copy=link]"),
        ("until", "document.querySelector('#copied').textContent"),
        ask("navigator.clipboard.readText()"),
        ("click", "#reset"),
        ask("document.querySelector('#field-2').value"),
    ]
    link, typical = [answer for answer in browser.look(chromium, iris, steps) if answer is not None]
    assert typical == "3.7"
    values = browser.look(
        chromium, link, [ask("[...document.querySelectorAll('.entry input')].map((each) => each.value)")]
    )
    assert values == [["5.84", "3.08", "6.5", ""]]


@pytest.mark.slow
def test_what_cannot_be_read_is_marked(chromium, iris):
    answers = browser.look(
        chromium,
        iris,
        [
            ("fill", "#field-0", "long"),
            ask(TEXT, "#field-0-hint"),
            ask("document.querySelector('#field-0').getAttribute('aria-invalid')"),
            ("fill", "#field-0", "99"),
            ask(TEXT, "#field-0-hint"),
            ask("document.querySelector('#field-0').getAttribute('aria-invalid')"),
        ],
    )
    assert [answer for answer in answers if answer is not None] == [
        'Cannot read "long" as a number.',
        "true",
        "Outside the range of training, 4.3 to 7.7.",
    ]


def test_a_file_is_scored_and_downloaded(any_browser, iris, tmp_path):
    random = np.random.default_rng(1)
    rows = random.uniform(0, 7, (9000, 4)).round(2)
    path = tmp_path / "flowers.csv"
    header = "sepal length,sepal width,petal length,petal width"
    np.savetxt(path, rows, fmt="%.2f", delimiter=",", header=header, comments="")
    steps = [
        ("click", "#many-tab"),
        ("click", "#keep"),
        ("choose", "#file", str(path)),
        ("wait", "#download"),
        ask(TEXT, "#scored-title"),
        ("download", "#download"),
    ]
    title, download = browser.look(any_browser, iris, steps)[-2:]
    assert (title, download["name"]) == ("9,000 rows of flowers.csv", "flowers-predictions.csv")
    assert predict([str(IRIS), str(path), "-o", str(tmp_path / "answers.csv")]) == 0
    got, want = (
        list(csv.reader(io.StringIO(text)))
        for text in (download["text"], (tmp_path / "answers.csv").read_text())
    )
    assert got[0] == want[0]
    assert [line[0] for line in got] == [line[0] for line in want]
    numbers = [np.array([line[1:] for line in lines[1:]], float) for lines in (got, want)]
    np.testing.assert_allclose(*numbers, atol=2e-6)


DROP = """
  (() => {
    const data = new DataTransfer();
    data.items.add(new File(['petal length\\n1\\n6\\n'], 'dropped.csv'));
    const options = {dataTransfer: data, cancelable: true, bubbles: true};
    return ['dragover', 'drop'].map((type) => document.body.dispatchEvent(new DragEvent(type, options)));
  })()
"""


@pytest.mark.slow
def test_a_file_that_is_dropped_anywhere_is_scored(chromium, iris):
    """The browser would open it instead of the page, unless both events are canceled."""
    steps = [ask(DROP), ("wait", "#download"), ask(TEXT, "#scored-title")]
    canceled, _, title = browser.look(chromium, iris, steps)
    assert canceled == [False, False]
    assert title == "2 rows of dropped.csv"


@pytest.mark.slow
def test_a_file_that_cannot_be_scored(chromium, iris, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("petal length\n1\nx\n")
    steps = [
        ("click", "#many-tab"),
        ("choose", "#file", str(path)),
        ("wait", "#refusal"),
        ask(TEXT, "#refusal"),
    ]
    (*_, told) = browser.look(chromium, iris, steps)
    assert told == 'rows.csv: line 3: field "petal length": cannot read "x" as a number'


@pytest.mark.slow
def test_a_folder_on_a_server(chromium, tmp_path):
    sensenet.compile(typed(), "web").save(tmp_path / "site")
    steps = [("until", EXPLAINED), ask(TEXT, "#label")]
    with browser.serve(tmp_path / "site") as address:
        seen = browser.look_at_all(chromium, f"{address}/index.html", steps)
    assert seen["answers"][-1] in ("yes", "no")
    files = {f"{address}/page.css", f"{address}/page.js", f"{address}/page.wasm"}
    assert set(seen["complaints"]) == files


@pytest.mark.parametrize("make", [hostile, pytest.param(wide, marks=pytest.mark.slow)])
def test_any_page_is_accessible(chromium, tmp_path, make):
    page = save_page(make(), tmp_path / "page.html")
    for width, scheme in ((1280, "light"), (360, "dark")):
        hacked, *found = browser.look(
            chromium,
            page,
            [
                ask("typeof window.hacked"),
                *(ask(check) for check in CHECKS),
                ask("[document.querySelector('#answer').getBoundingClientRect().top].filter((y) => y > 700)"),
                ("click", "#many-tab"),
                ask(POOR_CONTRAST),
                ("image", str(tmp_path / f"page-{width}.png")),
            ],
            width=width,
            scheme=scheme,
        )
        assert hacked == "undefined"
        assert [answer for answer in found if answer not in (None, [])] == []


@pytest.mark.slow
def test_the_keyboard_is_enough(any_browser, iris):
    steps = [
        ("press", "Tab"),
        ask("document.activeElement.textContent"),
        ("press", "Tab"),
        ("press", "ArrowRight"),
        ask("document.activeElement.id"),
        ask("document.querySelector('#many').checkVisibility()"),
        ("press", "Tab"),
        ask("document.activeElement.id"),
        ask("getComputedStyle(document.querySelector('#drop')).outlineStyle"),
        ("focus", "#many-tab"),
        ("press", "ArrowLeft"),
        ("press", "Tab"),
        ask("document.activeElement.id"),
        ask("getComputedStyle(document.activeElement).outlineStyle"),
    ]
    answers = [answer for answer in browser.look(any_browser, iris, steps) if answer is not None]
    assert answers == ["Skip to the form", "many-tab", True, "file", "solid", "reset", "solid"]


@pytest.mark.slow
def test_answers_are_announced_and_motion_is_reduced(chromium, iris):
    steps = [
        ask("getComputedStyle(document.querySelector('.track i')).transitionDuration"),
        ("until", "document.querySelector('#announcement').textContent"),
        ask(TEXT, "#announcement"),
    ]
    assert browser.look(chromium, iris, steps)[::2] == ["0.2s", "versicolor, 98.0%"]
    assert browser.look(chromium, iris, steps[:1], motion="reduce") == ["0s"]


@pytest.mark.slow
def test_items_are_chosen(chromium, tmp_path):
    page = save_page(EXAMPLES / "countries.json.gz", tmp_path / "page.html")
    choice = ".field:nth-child(3) .choice:nth-child({})"
    value = ask("document.querySelector('#field-2').value")
    pressed = ask(TEXTS, ".choice[aria-pressed=true]")
    missing = ask("document.querySelector('.field:nth-child(3) .missing').getAttribute('aria-pressed')")
    steps = [
        missing,
        ("click", choice.format(3)),
        ("click", choice.format(5)),
        value,
        pressed,
        missing,
        ("click", choice.format(3)),
        value,
        ("fill", "#field-2", " fish;beans "),
        pressed,
        ("click", ".field:nth-child(3) .missing"),
        pressed,
    ]
    answers = [answer for answer in browser.look(chromium, page, steps) if answer is not None]
    assert answers == [
        "true",
        "beans; cassava",
        ["beans", "cassava"],
        "false",
        "cassava",
        ["beans", "fish"],
        [],
    ]


@pytest.mark.slow
def test_categories_that_look_alike_are_numbered(chromium, tmp_path):
    categories = [*(f"kind {number}" for number in range(100)), "a\u200e", "a\u200f", "", " "]
    field, cell = category_field("kind", categories)
    source = resource([field], [cell], ["one", "two"])
    page = save_page(source, tmp_path / "page.html")
    shown = ["a\ufffd", "a\ufffd (2)", "(empty)", "(empty) (2)"]
    steps = [ask("[...document.querySelectorAll('datalist option')].slice(-4).map((each) => each.value)")]
    for text in shown:
        steps += [
            ("fill", "#field-0", text),
            ("until", "new Promise(requestAnimationFrame).then(() => true)"),
        ]
        steps.append(ask(TEXTS, "#probabilities .value"))
    found, *answers = [each for each in browser.look(chromium, page, steps) if each is not None]
    assert found == shown
    model = sensenet.create_model(source)
    expected = [[percent(float(share)) for share in model({"kind": name})[0]] for name in categories[-4:]]
    assert expected[0] != expected[1]
    assert answers == expected


@pytest.mark.slow
def test_a_field_is_found_among_many(chromium, tmp_path):
    page = save_page(wide(), tmp_path / "page.html")
    shown = "[...document.querySelectorAll('.field')].filter((field) => !field.hidden).length"
    steps = [ask(shown), ("fill", "#find", "MENT 49"), ask(shown), ("fill", "#find", "none"), ask(shown)]
    steps.append(ask("document.querySelector('#nothing').checkVisibility()"))
    answers = [answer for answer in browser.look(chromium, page, steps) if answer is not None]
    assert answers == [500, 11, 0, True]


@pytest.mark.slow
def test_the_policy_refuses_other_scripts_and_requests(any_browser, iris):
    """What is refused is told on the console, which `look` complains of."""
    attack = """
      (async () => {
        const script = document.createElement('script');
        script.textContent = 'window.hacked = 1';
        document.body.append(script);
        return [typeof window.hacked, await fetch('https://example.com').then(() => 'sent', () => 'refused')];
      })()
    """
    seen = browser.look_at_all(any_browser, iris, [ask(attack)])
    assert seen["answers"] == [["undefined", "refused"]]
    assert all("Content Security Policy" in each for each in seen["complaints"])


@pytest.mark.slow
def test_a_printed_page_is_light_and_has_no_controls(chromium, iris):
    shown = "document.querySelector({!r}).checkVisibility()"
    steps = [
        ("print",),
        ask("getComputedStyle(document.body).backgroundColor"),
        *(
            ask(shown, each)
            for each in ("#label", "#field-0", "#reset", "[role=tablist]", "[data-copy]", ".range input")
        ),
    ]
    _, color, *seen = browser.look(chromium, iris, steps, scheme="dark")
    assert color == "rgb(246, 247, 251)"
    assert seen == [True, True, False, False, False, False]
