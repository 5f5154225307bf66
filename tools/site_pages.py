"""Adds to the site what pages of docs/ link to outside of it: pages of the root, examples, and code.

A hook of MkDocs: mkdocs.yml names it. `../CONTRIBUTING.md` becomes a page of the site, and any other file is
copied to source/, where the links of the site lead.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent

PAGES = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
"""Pages of the root that are pages of the site."""

LINK = re.compile(r"(?<=\]\()(?!https?:|#)([^)#\s]+)")
"""The path of a link to a file."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the root, and the files that pages link to."""
    for name in PAGES:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    for path in sorted(_linked(files)):
        name = f"source/{path.relative_to(ROOT).as_posix()}"
        files.append(File.generated(config, name, content=path.read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Any, config: MkDocsConfig, files: Files) -> str:
    """Return the page with links that lead to the files of the site."""
    del config, files
    return LINK.sub(lambda link: _in_site(link[1], _source_folder(page.file)), markdown)


def _source_folder(file: File) -> Path:
    """Return the folder from which a page's links start."""
    path = Path(file.abs_src_path or "")
    return ROOT if path.name in PAGES else path.parent


def _linked(files: Files) -> set[Path]:
    """Return the files outside of docs/ that pages link to."""
    found = set()
    for file in files.documentation_pages():
        if file.src_uri.endswith(".md"):
            folder = _source_folder(file)
            targets = (folder / link for link in LINK.findall(file.content_string))
            found |= {path.resolve() for path in targets if path.is_file()}
    docs, pages = ROOT / "docs", {ROOT / name for name in PAGES}
    return {path for path in found if docs not in path.parents and path not in pages}


def _in_site(link: str, folder: Path) -> str:
    path = (folder / link).resolve()
    if folder == ROOT and ROOT / "docs" in path.parents:
        return path.relative_to(ROOT / "docs").as_posix()
    if not path.is_file() or ROOT / "docs" in path.parents:
        return link
    name = path.relative_to(ROOT).as_posix()
    return name if name in PAGES else f"source/{name}"
