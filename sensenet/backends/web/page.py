"""Writes the page of a model: HTML, a style, a script of several modules, and the model.

A page of rows reads all names from the module of WebAssembly, and one of images from the JSON of its network.
So the title is the only text of a document in the HTML. The content security policy allows nothing but the
page's own parts.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from attrs import Factory

from sensenet.artifact import Files
from sensenet.backends.wasm.code import write_wasm
from sensenet.backends.web.names import (
    MODULE_FILE,
    PAGE_FILE,
    RUNTIME_FILE,
    SCRIPT_FILE,
    SINGLE_FILE,
    STYLE_FILE,
    TOPOLOGY_FILE,
    WEIGHTS_FILE,
)
from sensenet.backends.web.tensorflow_js import fetch_runtime
from sensenet.drawing.page import escape_text, hash_source, read_style
from sensenet.ir.graph import Graph
from sensenet.records import frozen
from sensenet.signature import Signature

HERE = Path(__file__).parent

MODULES = (
    "../wasm/model.js",
    "dom.js",
    "inputs.js",
    "csv.js",
    "score.js",
    "explanation.js",
    "form.js",
    "answer.js",
    "reasons.js",
    "many.js",
    "main.js",
)
"""The modules of the script of rows: each imports from those before it, and no two declare the same name."""

IMAGE_MODULES = ("dom.js", "answer.js", "images.js")
"""Those of the script of images."""

IMPORT = re.compile(r"^import \{[^}]*\} from '[^']*';\n", re.MULTILINE)
EXPORT = re.compile(r"^export (?=(async )?(function|const|class)\b)", re.MULTILINE)

PLACE = re.compile(r"\{(\w+)\}")
"""Where something is put into HTML."""

LONGEST_TITLE = 200

POLICY = (
    "default-src 'none'; script-src {scripts} 'wasm-unsafe-eval'; style-src {style}; {connections}"
    "img-src data:; base-uri 'none'; form-action 'none'"
)


@frozen(kw_only=True)
class Parts:
    """What a page is made of: panels, scripts by file, and data by the id that it has as an element.

    `start` is the id of what the first link skips to, which is called `what`. The last script is a module. A
    page of one file makes an address of something in it, and `loads` it as a `worker`, or to `connect` to it.
    """

    panels: str
    start: str
    what: str
    loads: str
    scripts: Mapping[str, str]
    data: Mapping[str, tuple[str, bytes]] = Factory(dict)


def write_page(graph: Graph, *, single_file: bool) -> Files:
    """Return the files of the page of a model of rows: one that opens from disk, or a folder for a server.

    Raises what `write_wasm` raises.
    """
    parts = Parts(
        panels="rows.html",
        start="form",
        what="form",
        loads="worker",
        scripts={SCRIPT_FILE: write_script(MODULES)},
        data={"model": (MODULE_FILE, write_wasm(graph))},
    )
    return _assemble(parts, graph.signature, single_file=single_file)


def write_image_page(model: bytes, weights: bytes, signature: Signature, *, single_file: bool) -> Files:
    """Return the files of the page of a model of images, of the topology and weights for TensorFlow.js.

    Raises what `fetch_runtime` raises.
    """
    scripts, runtime = fetch_runtime()
    parts = Parts(
        panels="images.html",
        start="file",
        what="image",
        loads="connect",
        scripts={**scripts, SCRIPT_FILE: write_script(IMAGE_MODULES)},
        data={
            "runtime": (RUNTIME_FILE, runtime),
            "weights": (WEIGHTS_FILE, weights),
            "model": (TOPOLOGY_FILE, model),
        },
    )
    return _assemble(parts, signature, single_file=single_file)


def _assemble(parts: Parts, signature: Signature, *, single_file: bool) -> Files:
    style = read_style(HERE / "page.css")
    if single_file:
        scripts = [_element(name, text) for name, text in parts.scripts.items()]
        data = [_data_element(id_, *file) for id_, file in parts.data.items()]
        policy = POLICY.format(
            scripts=" ".join(map(hash_source, parts.scripts.values())),
            style=hash_source(style),
            connections=f"{parts.loads}-src blob:; ",
        )
        page = _fill(parts, signature, policy, f"<style>{style}</style>", [*data, *scripts])
        return {SINGLE_FILE: page}
    policy = POLICY.format(
        scripts="'self'", style="'self'", connections="worker-src 'self'; connect-src 'self'; "
    )
    link = f'<link rel="stylesheet" href="{STYLE_FILE}">'
    page = _fill(parts, signature, policy, link, [_element(name, None) for name in parts.scripts])
    scripts_by_name = {name: text.encode() for name, text in parts.scripts.items()}
    return {PAGE_FILE: page, STYLE_FILE: style.encode(), **scripts_by_name, **dict(parts.data.values())}


def _fill(parts: Parts, signature: Signature, policy: str, style: str, elements: Iterable[str]) -> bytes:
    """Return the template with each `{name}` replaced; what is put in is not searched again."""
    texts = {
        "policy": policy,
        "title": make_title(signature),
        "style": style,
        "start": parts.start,
        "what": parts.what,
        "panels": _read_panels(parts.panels),
        "parts": "\n".join(elements),
    }
    return PLACE.sub(lambda match: texts[match[1]], _read("page.html")).encode()


def _read_panels(name: str) -> str:
    """Return panels with each `{name}` replaced by the file of that name, of what several have."""
    return PLACE.sub(lambda match: _read(f"{match[1]}.html"), _read(name))


def _read(name: str) -> str:
    return (HERE / name).resolve().read_text("utf-8")


def _element(name: str, text: str | None) -> str:
    """Return the element of a script, with its text or the name of its file."""
    attributes = ' type="module" id="script"' if name == SCRIPT_FILE else ""
    return (
        f'<script{attributes} src="{name}"></script>'
        if text is None
        else f"<script{attributes}>{text}</script>"
    )


def _data_element(id_: str, file: str, content: bytes) -> str:
    """Return an element with the data of a file, which is not run: JSON in ASCII without `<`, else base64."""
    if file == TOPOLOGY_FILE:
        text = json.dumps(json.loads(content), separators=(",", ":")).replace("<", "\\u003c")
    else:
        text = base64.b64encode(content).decode()
    return f'<script type="text/plain" id="{id_}">{text}</script>'


def write_script(modules: Iterable[str]) -> str:
    """Return modules as one script, without their imports of each other, which a worker runs too."""
    texts = map(_read, modules)
    parts = (
        EXPORT.sub("", IMPORT.sub("", text)).replace("import.meta.url", "location.href") for text in texts
    )
    return "\n".join(["'use strict';", *parts])


def make_title(signature: Signature) -> str:
    """Return the title of the page, escaped: the model's name, else what it predicts."""
    objective = signature.objective.name if signature.objective else ""
    title = " ".join((signature.name or objective).split()) or "Prediction"
    return escape_text(title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1]}…")
