"""Modules of the target web in Node, and documents for pages."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import pytest

import sensenet
from sensenet.backends.wasm.code import write_wasm
from sensenet.backends.web import page
from sensenet.errors import ArtifactError, DownloadError
from support.documents import dense, image
from support.drawings import HOSTILE
from support.javascript import DIRECTORY, Script

EXAMPLES = Path(__file__).parents[2] / "examples"

HOSTILE_NAMES = (
    HOSTILE,
    "\u202eevil",
    "x" * 400,
    "שלום",
    "a\nb",
    "=cmd|' /C calc'!A0",
    "",
    " \x07",
    "__proto__",
)
HOSTILE_CATEGORIES = (HOSTILE, "missing", "", "a\nb")
HOSTILE_CLASSES = (HOSTILE, "=1+1", "y" * 300, "", "\u202e", "__proto__")


class WebNode(Script):
    """A process of Node that calls the modules of pages, which it copies into a directory as ES modules."""

    def __init__(self, directory):
        super().__init__(DIRECTORY / "web.mjs")
        for folder in ("web", "wasm"):
            (directory / folder).mkdir()
        for name in page.MODULES:
            shutil.copy(page.HERE / name, directory / "web" / name)
        (directory / "package.json").write_text('{"type": "module"}')
        self.directory = str(directory)

    def call(self, module, function, *arguments):
        return self.request(module=module, call=function, arguments=arguments)

    def records(self, text, *, delimiter=",", parts=None):
        return self.request(call="records", delimiter=delimiter, parts=parts or [text])

    def score(self, source, csv, **options):
        """What `scoreFile` answers for a document or its WebAssembly, and the bytes of a CSV file."""
        return self.request(call="score", wasm=encode(as_module(source)), csv=encode(csv), options=options)

    def explain(self, source, row):
        """What the page computes for a row: contributions, answer, expectation, exact; and the background."""
        return self.request(call="explain", wasm=encode(as_module(source)), row=row)

    def request(self, **request):
        return self.ask({"directory": self.directory, **request})["answer"]


def as_module(source):
    return source if isinstance(source, bytes) else write_wasm(sensenet.compile(source, "wasm").graph)


def encode(content):
    return base64.b64encode(content).decode()


def resource(fields, cells, classes, name="model", objective="kind"):
    """A resource whose network has a dense layer over the cells of its fields; a regression without classes.

    `fields` are records of fields, `cells` entries of `preprocess` without their index.
    """
    inputs = {f"{number:06x}": field for number, field in enumerate(fields)}
    width = sum(len(cell["values"]) if cell["type"] == "categorical" else 1 for cell in cells)
    exposition = (
        {"type": "categorical", "values": list(classes)}
        if classes
        else {"type": "numeric", "mean": 10.0, "stdev": 2.5}
    )
    network = {
        "preprocess": [{**cell, "index": index} for index, cell in enumerate(cells)],
        "layers": [dense(width, len(classes) or 1, "softmax" if classes else "linear")],
        "output_exposition": exposition,
        "trees": None,
    }
    answer = {"name": objective, "optype": "categorical" if classes else "numeric"}
    return {
        "name": name,
        "description": name,
        "input_fields": list(inputs),
        "objective_field": "ffffff",
        "deepnet": {"fields": {**inputs, "ffffff": answer}, "network": network},
    }


def number_field(name, **members):
    summary = {"minimum": 0, "maximum": 100, "mean": 40.0}
    return {"name": name, "optype": "numeric", "summary": summary, **members}, {
        "type": "numeric",
        "mean": 40.0,
        "stdev": 20.0,
    }


def category_field(name, categories):
    summary = {"categories": [[category, 1] for category in categories]}
    return {"name": name, "optype": "categorical", "summary": summary}, {
        "type": "categorical",
        "values": list(categories),
    }


def hostile():
    """A resource whose every name would do harm: numbers, few and many categories, a text, items."""
    pairs = [
        number_field(name, prefix="$", suffix=HOSTILE[:20], description=HOSTILE * 50)
        for name in HOSTILE_NAMES
    ]
    pairs.append(category_field("few", HOSTILE_CATEGORIES))
    pairs.append(category_field("many", [f"{HOSTILE} {number}" for number in range(1000)]))
    fields, cells = [field for field, _ in pairs], [cell for _, cell in pairs]
    words = [HOSTILE, "walk"]
    fields.append(
        {"name": "words", "optype": "text", "summary": {"tag_cloud": [[word, 1] for word in words]}}
    )
    fields.append({"name": "list", "optype": "items", "summary": {"items": [[word, 1] for word in words]}})
    cells += [{"type": "numeric", "mean": 0.0, "stdev": 1.0}] * 4
    return resource(fields, cells, HOSTILE_CLASSES, name=HOSTILE * 3, objective=HOSTILE)


def wide():
    """A resource of 500 fields and 200 classes."""
    pairs = [number_field(f"measurement {number}") for number in range(500)]
    classes = [f"class {number}" for number in range(200)]
    return resource([field for field, _ in pairs], [cell for _, cell in pairs], classes)


def image_alone():
    """A classification of one image, and nothing else."""
    document = image()
    document["preprocess"] = document["preprocess"][:1]
    document["layers"] = [dense(3, 3, "softmax")]
    document["output_exposition"] = {"type": "categorical", "values": ["a", "b", "c"]}
    return document


def save_page(source, path: Path):
    """Save a page of one file; return its URL."""
    return sensenet.compile(source, "web", single_file=True).save(path).as_uri()


def save_image_page(source, path, *, single_file=True, runtime_url=None, **settings):
    """Save a page of a model of images; skips the test where npm cannot download the runtime."""
    try:
        return sensenet.compile(
            source, "web", settings=settings, single_file=single_file, runtime_url=runtime_url
        ).save(path)
    except (ArtifactError, DownloadError) as error:
        if "npm" in str(error):
            pytest.skip(str(error))
        raise


def percent(share):
    """A share as a page shows it."""
    return ">99.9%" if 1 > share > 0.9995 else "<0.1%" if 0 < share < 0.0005 else f"{100 * share:.1f}%"
