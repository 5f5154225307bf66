"""Adds to the site what pages of docs/ link to outside of it: pages of the root, examples, and code.

A hook of MkDocs: mkdocs.yml names it. `../CONTRIBUTING.md` becomes a page of the site, a model of examples/
that reads rows becomes a page that predicts, in models/, and any other file is copied to source/; there the
links of the site lead. The first page shows the iris model in place of its image.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import sensenet

ROOT = Path(__file__).resolve().parent.parent

PAGES = {
    "CHANGELOG.md": "CHANGELOG.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "SECURITY.md": "SECURITY.md",
    "examples/README.md": "examples.md",
}
"""Page outside of docs/ → its name on the site."""

MODELS = {
    "examples/iris.json": "models/iris.html",
    "examples/penguins.json": "models/penguins.html",
    "examples/diabetes.json": "models/diabetes.html",
    "examples/countries.json.gz": "models/countries.html",
}
"""Document → the page that predicts with it. Pages of images are left out: they get a runtime from npm."""

LINK = re.compile(r"(?<=\]\()(?!https?:|#)([^)#\s]+)")
"""The path of a link to a file."""

IMAGE_OF_IRIS = re.compile(r"!\[([^\]]+)\]\(web\.png\)")

FRAME_OF_IRIS = (
    r'<iframe src="models/iris.html" title="\1" width="100%" height="640" loading="lazy"'
    r' style="border: 1px solid var(--md-default-fg-color--lightest); border-radius: 0.4rem"></iframe>'
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages outside of docs/, the pages of models, and the files that pages link to."""
    for path, name in PAGES.items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / path)))
    for path, name in MODELS.items():
        files.append(File.generated(config, name, content=_write_page(ROOT / path)))
    for path in sorted(_linked(files)):
        files.append(File.generated(config, f"source/{path}", content=(ROOT / path).read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Any, config: MkDocsConfig, files: Files) -> str:
    """Return the page with links that lead to the files of the site."""
    del config, files
    if page.file.src_uri == "index.md":
        markdown = IMAGE_OF_IRIS.sub(FRAME_OF_IRIS, markdown)
    return LINK.sub(lambda link: _in_site(link[1], Path(page.file.abs_src_path).parent), markdown)


def _write_page(document: Path) -> bytes:
    """Return the page of a model, with all that it needs."""
    (content,) = sensenet.compile(document, target="web", single_file=True).files.values()
    return content


def _linked(files: Files) -> set[str]:
    """Return the files outside of docs/ that pages link to, from the root, but for those with pages."""
    found: set[str] = set()
    for file in files.documentation_pages():
        if file.src_uri.endswith(".md"):
            folder = Path(file.abs_src_path or "").parent
            found |= {_from_root(folder / link) for link in LINK.findall(file.content_string)}
    pages = PAGES | MODELS
    return {path for path in found if (ROOT / path).is_file() and _is_outside(path) and path not in pages}


def _in_site(link: str, folder: Path) -> str:
    """Return where a link of a page in `folder` leads on the site."""
    path = _from_root(folder / link)
    if not (ROOT / path).is_file():
        return link
    if not _is_outside(path):
        return path.removeprefix("docs/")
    return (PAGES | MODELS).get(path, f"source/{path}")


def _is_outside(path: str) -> bool:
    return not path.startswith("docs/")


def _from_root(path: Path) -> str:
    """Return a path as seen from the root, or as it is if it lies elsewhere."""
    resolved = path.resolve()
    return resolved.relative_to(ROOT).as_posix() if resolved.is_relative_to(ROOT) else resolved.as_posix()
