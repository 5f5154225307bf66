"""Train a model that finds the continent of a country from what the World Factbook says of its land.

    python examples/train_countries.py

makes examples/countries.json.gz and prints the accuracy on the held-out countries, every fourth row of
examples/countries.csv, which countries_from_factbook.py writes from public-domain data. Climate and terrain
are texts; products and resources are lists; area, median age and life expectancy are numbers, some unknown.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from field_network import Labeled, accuracy, items, number, split_rows, text, train

HERE = Path(__file__).resolve().parent
TEXTS, LISTS, NUMBERS = (
    ("climate", "terrain"),
    ("products", "resources"),
    ("area", "median age", "life expectancy"),
)
LEAST = 5
"""Terms and items are those of at least this many countries."""


def split_countries() -> tuple[Labeled, Labeled]:
    return split_rows(HERE / "countries.csv", "continent", "country")


def make_document() -> dict[str, Any]:
    """Train, and describe the result as a BigML resource."""
    (rows, continents), _ = split_countries()
    fields = [
        *(text(name, rows, LEAST) for name in TEXTS),
        *(items(name, rows, LEAST) for name in LISTS),
        *(number(name, rows) for name in NUMBERS),
    ]
    return train(
        rows,
        continents,
        fields,
        units=8,
        penalty=10.0,
        identifier="000000000000000000000004",
        name="countries",
        description="Continents of countries by their climate, terrain, products, resources and people",
        objective="continent",
    )


def main() -> None:
    document = make_document()
    with gzip.GzipFile(HERE / "countries.json.gz", "wb", mtime=0) as stream:
        stream.write(json.dumps(document, separators=(",", ":")).encode())
    _, (rows, continents) = split_countries()
    print(f"held-out accuracy {accuracy(document, rows, continents):.3f} of {len(rows)} countries")


if __name__ == "__main__":
    main()
