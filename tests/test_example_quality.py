"""The models of examples/ are as good on held-out rows, and as large, as their page says."""

from __future__ import annotations

import csv
import gzip
import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sensenet
from sensenet.evaluation import Classification, evaluate

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"

NOUNS = {"iris": "flowers", "penguins": "penguins", "countries": "countries"}
"""What a row is, of the tables of classifications."""


def table_of_documents() -> dict[str, list[str]]:
    """Return document → the other cells of its row in the README of the examples."""
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    table = text[text.index("| document |") : text.index("All but the shapes")]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:] if line]
    return {document.split("`")[1]: rest for document, *rest in rows}


def find_document(name: str) -> Path:
    (path,) = EXAMPLES.glob(f"{name}.json*")
    return path


def read_document(path: Path) -> Any:
    data = path.read_bytes()
    return json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)


def test_the_page_states_the_size_of_every_document() -> None:
    documents = {path.name: path.stat().st_size for path in EXAMPLES.glob("*.json*")}
    assert {
        name: int(cells[-1].replace(",", "")) for name, cells in table_of_documents().items()
    } == documents


@pytest.mark.parametrize("name", NOUNS)
def test_documents_are_as_good_on_held_out_rows_as_the_page_says(name: str) -> None:
    """What is held out of a table is every fourth row; of the flowers, the whole table was held out."""
    pytest.importorskip("pyarrow")
    pandas = pytest.importorskip("pandas")
    document = find_document(name)
    rows = pandas.read_csv(EXAMPLES / f"{name}.csv", dtype=str, keep_default_na=False)
    held_out = rows if name == "iris" else rows[3::4]
    ignore = ["country"] if name == "countries" else []
    (evaluation,) = evaluate(str(document), held_out, ignore=ignore).evaluations
    assert isinstance(evaluation.result, Classification)
    found = f"accuracy {evaluation.result.model.accuracy:.3f} of {len(held_out)} {NOUNS[name]}"
    if name == "countries":
        most = rows.drop(held_out.index)["continent"].mode()[0]
        found += f"; {(held_out['continent'] == most).mean():.3f} if it always said {most}"
    assert table_of_documents()[document.name][1] == found


def test_the_regression_explains_as_much_of_held_out_patients_as_the_page_says() -> None:
    pytest.importorskip("sklearn")
    script = importlib.import_module("train_diabetes")
    _, rows, _, progression = script.split_diabetes()
    predicted = sensenet.create_model(EXAMPLES / "diabetes.json")(rows)[:, 0]
    found = script.explained_variance(predicted, progression)
    assert found > 0.4
    assert table_of_documents()["diabetes.json"][1] == f"R² {found:.3f} of {len(rows)} patients"


def test_the_detector_finds_as_many_shapes_on_new_images_as_the_page_says() -> None:
    script = importlib.import_module("train_shapes")
    detect = sensenet.create_model(EXAMPLES / "shapes.json.gz")
    recall, precision = script.share_found(detect, np.random.default_rng(2), scenes=50)
    assert recall > 0.85
    assert precision > 0.9
    stated = f"recall {recall:.3f}, precision {precision:.3f} in 50 images"
    assert table_of_documents()["shapes.json.gz"][1] == stated


def test_as_many_held_out_digits_are_read_as_the_page_says() -> None:
    pytest.importorskip("sklearn")
    script = importlib.import_module("train_digits")
    _, held_out, _, expected = script.split_digits()
    predicted = sensenet.create_model(EXAMPLES / "digits.json.gz")([[image] for image in held_out])
    share = np.mean(predicted.argmax(axis=1) == expected)
    assert share > 0.97
    assert table_of_documents()["digits.json.gz"][1] == f"accuracy {share:.3f} of {len(expected)} digits"


@pytest.mark.parametrize("name", ["penguins", "countries"])
def test_scripts_make_networks_of_the_quality_of_the_committed_ones(name: str) -> None:
    """All but their weights is equal: an optimizer takes another way on another processor."""
    pytest.importorskip("sklearn")
    script = importlib.import_module(f"train_{name}")
    network = importlib.import_module("field_network")
    made, committed = script.make_document(), read_document(find_document(name))
    _, held_out = getattr(script, f"split_{name}")()
    assert network.accuracy(made, *held_out) == pytest.approx(
        network.accuracy(committed, *held_out), abs=0.07
    )
    shapes = [
        [np.shape(layer["weights"]) for layer in document["deepnet"]["network"].pop("layers")]
        for document in (made, committed)
    ]
    assert shapes[0] == shapes[1]
    assert json.loads(json.dumps(made)) == committed


def test_penguins_without_measures_have_an_answer() -> None:
    with (EXAMPLES / "penguins.csv").open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if not row.pop("species") or not row["body mass"]]
    assert len(rows) == 2
    answers = sensenet.create_model(EXAMPLES / "penguins.json")(rows)
    assert answers.shape == (2, 3)
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-6)


def test_the_table_of_countries_is_made_of_profiles() -> None:
    script = importlib.import_module("countries_from_factbook")
    profile = {
        "Government": {"Country name": {"conventional short form": {"text": "Freedonia"}}},
        "Geography": {
            "Climate": {"north": {"text": "mild,\n damp"}, "south": {"text": "dry"}},
            "Terrain": {"text": "NA"},
            "Area": {"total": {"text": "1,234.5 sq km"}},
        },
        "Economy": {"Agriculture - products": {"text": "Wheat (winter), wheat; fish"}},
    }
    numbers = {"area": "1234.5", "median age": "", "life expectancy": ""}
    texts = {"country": "Freedonia", "climate": "mild, damp", "terrain": ""}
    assert script.read_country(profile) == {**texts, "products": "wheat;fish", "resources": "", **numbers}
