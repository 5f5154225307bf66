"""The target web: what files a page has, what its policy allows, what is refused."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from support.documents import detector, image, typed
from support.drawings import HOSTILE
from support.native_code import without_llvmlite
from support.web_pages import hostile

import sensenet
from sensenet.backends.wasm.names import HEAD
from sensenet.backends.web import page
from sensenet.backends.web.names import (
    MARK,
    MODULE_FILE,
    PAGE_FILE,
    SCRIPT_FILE,
    SINGLE_FILE,
    STYLE_FILE,
)
from sensenet.cli.page import main
from sensenet.errors import ArtifactError, MissingPackageError, UnsupportedOpError
from sensenet.signature import Field, Signature

pytest.importorskip("llvmlite")

LARGEST_PAGE = 120_000
"""The most bytes of a page of one file, of a model of a table."""


class Page(HTMLParser):
    """The elements of a page: their tags, attributes and texts; texts of an element are joined."""

    def __init__(self, content):
        super().__init__()
        self.elements = []
        self.feed(content.decode())

    def handle_starttag(self, tag, attrs):
        self.elements.append([tag, dict(attrs), ""])

    def handle_endtag(self, tag):
        self.elements.append(["", {}, ""])  # what follows is no text of it

    def handle_data(self, data):
        if self.elements:
            self.elements[-1][2] += data

    def find(self, tag, **attributes):
        return [
            (given, text)
            for name, given, text in self.elements
            if name == tag and attributes.items() <= given.items()
        ]


def policy(content):
    ((given, _),) = Page(content).find("meta", **{"http-equiv": "Content-Security-Policy"})
    return dict(part.strip().split(" ", 1) for part in given["content"].split(";"))


def hash_of(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_one_file_allows_its_own_script_and_style_alone():
    artifact = sensenet.compile(typed(), "web", single_file=True)
    assert [*artifact.files] == [SINGLE_FILE]
    content = bytes(artifact)
    found = Page(content)
    ((_, style),) = found.find("style")
    ((_, script),) = found.find("script", type="module")
    assert policy(content) == {
        "default-src": "'none'",
        "script-src": f"{hash_of(script)} 'wasm-unsafe-eval'",
        "style-src": hash_of(style),
        "worker-src": "blob:",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    ((_, module),) = found.find("script", id="model")
    assert base64.b64decode(module).startswith(HEAD)
    assert len(content) < LARGEST_PAGE


def test_a_folder_allows_its_own_files_alone():
    files = sensenet.compile(typed(), "web").files
    assert set(files) == {PAGE_FILE, STYLE_FILE, SCRIPT_FILE, MODULE_FILE}
    allowed = policy(files[PAGE_FILE])
    assert allowed.pop("script-src") == "'self' 'wasm-unsafe-eval'"
    assert {allowed[name] for name in ("style-src", "connect-src", "worker-src")} == {"'self'"}
    assert allowed["default-src"] == "'none'"
    assert "unsafe-inline" not in files[PAGE_FILE].decode()


def test_a_page_names_no_other_address():
    for single_file in (True, False):
        for content in sensenet.compile(typed(), "web", single_file=single_file).files.values():
            assert re.findall(rb"https?:|//[a-z]+\.|url\(", content) == []


def test_names_of_strangers_are_only_in_the_title_and_escaped():
    artifact = sensenet.compile(hostile(), "web", single_file=True)
    found = Page(bytes(artifact))
    ((_, title),) = found.find("title")
    assert title == f"{(HOSTILE * 3)[:199]}…"
    assert bytes(artifact).count(b"<script") == 2
    assert HOSTILE.encode() not in bytes(artifact)


@pytest.mark.parametrize(
    ("name", "objective", "title"),
    [("", "", "Prediction"), ("", "price", "price"), (" a\n b ", "", "a b"), ("<&>", "", "&lt;&amp;&gt;")],
)
def test_titles(name, objective, title):
    field = Field(id="0", name=objective, optype="numeric") if objective else None
    assert page.make_title(Signature(name=name, objective=field)) == title


def test_the_same_document_makes_the_same_bytes():
    assert sensenet.compile(typed(), "web").files == sensenet.compile(typed(), "web").files


@pytest.mark.parametrize("make", [image, detector])
def test_networks_of_images_are_refused(make):
    with pytest.raises(UnsupportedOpError, match="reads images: compile it for tfjs"):
        sensenet.compile(make(), "web")


def test_without_llvmlite():
    with without_llvmlite(), pytest.raises(MissingPackageError, match="native"):
        sensenet.compile(typed(), "web")


@pytest.mark.parametrize("single_file", [False, True])
def test_pages_are_replaced_and_not_opened(tmp_path, single_file):
    artifact = sensenet.compile(typed(), "web", single_file=single_file)
    path = artifact.save(tmp_path / ("page.html" if single_file else "site"))
    assert artifact.save(path, force=True) == path
    opened = [path] if single_file else [path, path / PAGE_FILE]
    for each in opened:
        with pytest.raises(ArtifactError, match="is a page, which browsers show"):
            sensenet.create_model(each)
    if not single_file:
        (path / "mine.txt").write_text("mine")
        with pytest.raises(ArtifactError):
            artifact.save(path, force=True)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_script_is_sound(tmp_path):
    """No two modules declare the same name, and nothing of the modules' imports remains."""
    script = page.write_script()
    assert not re.search(r"^(import|export)\b|import\.meta", script, re.MULTILINE)
    for name in ("script.js", "script.mjs"):  # a worker runs it as the first, the page as the second
        (tmp_path / name).write_text(script)
        subprocess.run(["node", "--check", str(tmp_path / name)], check=True)


def test_every_module_is_in_the_script():
    assert {f"{page.HERE / name}" for name in page.MODULES} >= {f"{each}" for each in page.HERE.glob("*.js")}


def test_the_command_writes_both_forms(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    sensenet.compile(typed(), "ir").save(tmp_path / "m.ir")
    assert main(["m.ir", "-o", "site"]) == 0
    assert main(["m.ir", "--single-file", "m.html"]) == 0
    assert (tmp_path / "site" / PAGE_FILE).read_bytes().startswith(MARK)
    assert (tmp_path / "m.html").read_bytes().startswith(MARK)
    assert main(["m.ir", "-o", "site"]) == 1
    assert "site" in capsys.readouterr().err
    assert main(["m.ir", "-f", "-o", "site"]) == 0
    with pytest.raises(SystemExit):
        main(["m.ir"])
    assert "one of the arguments -o/--output --single-file is required" in capsys.readouterr().err
