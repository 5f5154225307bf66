"""Train a classifier of penguins and write it as a BigML deepnet.

    python examples/train_penguins.py

makes examples/penguins.json and prints the accuracy on the held-out penguins, every fourth row of
examples/penguins.csv. The 344 penguins were measured near Palmer Station in Antarctica (Gorman, Williams and
Fraser, 2014; CC0). The table is that of the package palmerpenguins 0.1.6 without the year; it has categories,
and values that are missing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bigml_resource import write_resource
from field_network import Labeled, accuracy, category, number, split_rows, train

HERE = Path(__file__).resolve().parent
MEASURES = ("bill length", "bill depth", "flipper length", "body mass")
"""In mm, and the mass in g."""


def split_penguins() -> tuple[Labeled, Labeled]:
    return split_rows(HERE / "penguins.csv", "species")


def make_document() -> dict[str, Any]:
    """Train, and describe the result as a BigML resource."""
    (rows, species), _ = split_penguins()
    fields = [category("island", rows), *(number(name, rows) for name in MEASURES), category("sex", rows)]
    return train(
        rows,
        species,
        fields,
        units=8,
        penalty=1.0,
        identifier="000000000000000000000003",
        name="penguins",
        description="Species of penguins by where they live, their measures and sex",
        objective="species",
    )


def main() -> None:
    document = make_document()
    write_resource(HERE / "penguins.json", document)
    _, (rows, species) = split_penguins()
    print(f"held-out accuracy {accuracy(document, rows, species):.3f} of {len(rows)} penguins")


if __name__ == "__main__":
    main()
