"""Writes the page of a model: HTML, a style, a script of several modules, and the model's WebAssembly.

The page reads all names from the module of WebAssembly, so its title is the only text of a document in the
HTML. Its content security policy allows nothing but its own parts.
"""

from __future__ import annotations

import base64
import hashlib
import re
from html import escape
from pathlib import Path

from sensenet.artifact import Files
from sensenet.backends.wasm.code import write_wasm
from sensenet.backends.web.names import (
    MODULE_FILE,
    PAGE_FILE,
    SCRIPT_FILE,
    SINGLE_FILE,
    STYLE_FILE,
)
from sensenet.ir.graph import Graph
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
"""The modules of the script: each imports only from those before it, and no two declare the same name."""

IMPORT = re.compile(r"^import \{[^}]*\} from '[^']*';\n", re.MULTILINE)
EXPORT = re.compile(r"^export (?=(async )?(function|const|class)\b)", re.MULTILINE)

LONGEST_TITLE = 200

POLICY = (
    "default-src 'none'; script-src {script} 'wasm-unsafe-eval'; style-src {style}; {more}img-src data:; "
    "base-uri 'none'; form-action 'none'"
)


def write_page(graph: Graph, *, single_file: bool) -> Files:
    """Return the files of a page by name: one that opens from disk, or a folder for a server.

    Raises what `write_wasm` raises.
    """
    module = write_wasm(graph)
    style, script = (HERE / "page.css").read_text("utf-8"), write_script()
    template = (HERE / "page.html").read_text("utf-8")
    title = make_title(graph.signature)
    if single_file:
        page = _fill(
            template,
            policy=POLICY.format(script=_hash(script), style=_hash(style), more="worker-src blob:; "),
            title=title,
            style=f"<style>{style}</style>",
            model=f'<script type="text/plain" id="model">{base64.b64encode(module).decode()}</script>\n',
            script=f'<script type="module" id="script">{script}</script>',
        )
        return {SINGLE_FILE: page}
    page = _fill(
        template,
        policy=POLICY.format(script="'self'", style="'self'", more="connect-src 'self'; worker-src 'self'; "),
        title=title,
        style=f'<link rel="stylesheet" href="{STYLE_FILE}">',
        model="",
        script=f'<script type="module" id="script" src="{SCRIPT_FILE}"></script>',
    )
    return {PAGE_FILE: page, STYLE_FILE: style.encode(), SCRIPT_FILE: script.encode(), MODULE_FILE: module}


def _fill(template: str, **parts: str) -> bytes:
    """Return a template with each `{name}` replaced; what is put in is not searched again."""
    return re.sub(r"\{(\w+)\}", lambda match: parts[match[1]], template).encode()


def write_script() -> str:
    """Return the modules as one script, without their imports of each other, which a worker runs too."""
    texts = ((HERE / name).resolve().read_text("utf-8") for name in MODULES)
    parts = (
        EXPORT.sub("", IMPORT.sub("", text)).replace("import.meta.url", "location.href") for text in texts
    )
    return "\n".join(["'use strict';", *parts])


def make_title(signature: Signature) -> str:
    """Return the title of the page, escaped: the model's name, else what it predicts."""
    objective = signature.objective.name if signature.objective else ""
    title = " ".join((signature.name or objective).split()) or "Prediction"
    return escape(title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1]}…")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
