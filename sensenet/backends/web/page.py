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
    SCRIPT_FILE,
    SINGLE_FILE,
    STYLE_FILE,
    TOPOLOGY_FILE,
    WEIGHTS_FILE,
    is_absolute,
)
from sensenet.backends.web.tensorflow_js import Reference, Runtime
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

IMAGE_MODULES = (
    "dom.js",
    "answer.js",
    "image_drawing.js",
    "occlusion.js",
    "occlusion_panel.js",
    "images.js",
)
"""Those of the script of images."""

IMPORT = re.compile(r"^import \{[^}]*\} from '[^']*';\n", re.MULTILINE)
EXPORT = re.compile(r"^export (?=(async )?(function|const|class)\b)", re.MULTILINE)

SOURCE_MAP = re.compile(r"^//# sourceMappingURL=.*\n?", re.MULTILINE)
"""What makes a browser's tools look for a file next to the page."""

PLACE = re.compile(r"\{(\w+)\}")
"""Where something is put into HTML."""

LONGEST_TITLE = 200

POLICY = (
    "default-src 'none'; script-src {scripts} 'wasm-unsafe-eval'; style-src {style}; {loads}"
    "img-src data:; base-uri 'none'; form-action 'none'"
)


@frozen(kw_only=True)
class Parts:
    """What a page is made of: panels, scripts by file, and data by the id that it has as an element.

    `start` is the id of what the first link skips to, which is called `what`. The last script is a module. A
    page of one file makes an address of something in it, and `loads` it as a `worker`, or to `connect` to it.
    Scripts and data may be References to files elsewhere.
    """

    panels: str
    start: str
    what: str
    loads: str
    scripts: Mapping[str, bytes | Reference]
    data: Mapping[str, tuple[str, bytes | Reference]] = Factory(dict)


def write_page(graph: Graph, *, single_file: bool) -> Files:
    """Return the files of the page of a model of rows: one that opens from disk, or a folder for a server.

    Raises what `write_wasm` raises.
    """
    parts = Parts(
        panels="rows.html",
        start="form",
        what="form",
        loads="worker",
        scripts={SCRIPT_FILE: write_script(MODULES).encode()},
        data={"model": (MODULE_FILE, write_wasm(graph))},
    )
    return _assemble(parts, graph.signature, single_file=single_file)


def write_image_page(
    model: bytes, weights: bytes, signature: Signature, runtime: Runtime, *, single_file: bool
) -> Files:
    """Return the files of the page of a model of images, of the topology and weights for TensorFlow.js."""
    parts = Parts(
        panels="images.html",
        start="file",
        what="image",
        loads="connect",
        scripts={**runtime.scripts, SCRIPT_FILE: write_script(IMAGE_MODULES).encode()},
        data={
            "runtime": runtime.module,
            "weights": (WEIGHTS_FILE, weights),
            "model": (TOPOLOGY_FILE, model),
        },
    )
    return _assemble(parts, signature, single_file=single_file)


def _assemble(parts: Parts, signature: Signature, *, single_file: bool) -> Files:
    style = read_style(HERE / "page.css")
    if single_file:
        return {SINGLE_FILE: _write_single(parts, signature, style)}
    sources = ["'self'", *_find_addresses(parts.scripts.values())]
    made = ["blob:"] if parts.loads == "connect" else []
    loads = ["'self'", *made, *_find_addresses(file for _, file in parts.data.values())]
    policy = POLICY.format(
        scripts=" ".join(sources),
        style="'self'",
        loads=f"worker-src 'self'; connect-src {' '.join(loads)}; ",
    )
    link = f'<link rel="stylesheet" href="{STYLE_FILE}">'
    scripts = [_script(name, file) for name, file in parts.scripts.items()]
    references = [_data(id_, *file) for id_, file in parts.data.items() if isinstance(file[1], Reference)]
    page = _fill(parts, signature, policy, link, [*references, *scripts])
    files = {**parts.scripts, **dict(parts.data.values())}
    written = {name: file for name, file in files.items() if not isinstance(file, Reference)}
    return {PAGE_FILE: page, STYLE_FILE: style.encode(), **written}


def _write_single(parts: Parts, signature: Signature, style: str) -> bytes:
    """Return the page with all in it but what is elsewhere."""
    scripts = {
        name: file if isinstance(file, Reference) else SOURCE_MAP.sub("", file.decode())
        for name, file in parts.scripts.items()
    }
    hashes = [hash_source(text) for text in scripts.values() if not isinstance(text, Reference)]
    loads = ["blob:", *_find_addresses(file for _, file in parts.data.values())]
    policy = POLICY.format(
        scripts=" ".join([*_find_addresses(scripts.values()), *hashes]),
        style=hash_source(style),
        loads=f"{parts.loads}-src {' '.join(loads)}; ",
    )
    elements = [
        *(_data(id_, *file) for id_, file in parts.data.items()),
        *(_script(name, text) for name, text in scripts.items()),
    ]
    return _fill(parts, signature, policy, f"<style>{style}</style>", elements)


def _find_addresses(files: Iterable[object]) -> list[str]:
    """Return what a policy must allow of files, besides the page's own server."""
    addresses = [file.address for file in files if isinstance(file, Reference)]
    return [address for address in addresses if is_absolute(address)]


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


def _script(name: str, file: bytes | str | Reference) -> str:
    """Return the element of a script: with its text, or for bytes with the name of their file."""
    attributes = ' type="module" id="script"' if name == SCRIPT_FILE else ""
    if isinstance(file, Reference):
        integrity = f'integrity="sha384-{file.sha384}" crossorigin="anonymous"'
        return f'<script src="{file.address}" {integrity}></script>'
    if isinstance(file, bytes):
        return f'<script{attributes} src="{name}"></script>'
    return f"<script{attributes}>{file}</script>"


def _data(id_: str, name: str, file: bytes | Reference) -> str:
    """Return an element that is not run, with data: JSON in ASCII without `<` or base64, or an address."""
    if isinstance(file, Reference):
        attributes = f'data-address="{file.address}" data-integrity="sha384-{file.sha384}"'
        return f'<script type="text/plain" id="{id_}" {attributes}></script>'
    if name == TOPOLOGY_FILE:
        text = json.dumps(json.loads(file), separators=(",", ":")).replace("<", "\\u003c")
    else:
        text = base64.b64encode(file).decode()
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
