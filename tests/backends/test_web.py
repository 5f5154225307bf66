"""The target web: what files a page has, what its policy allows, what is refused."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
from support.documents import detector, image, typed
from support.drawings import HOSTILE
from support.javascript import DIRECTORY, install
from support.native_code import without_llvmlite
from support.web_pages import hostile, image_alone

import sensenet
from sensenet.backends.wasm.names import HEAD
from sensenet.backends.web import images, page, tensorflow_js
from sensenet.backends.web.names import (
    MARK,
    MODULE_FILE,
    PAGE_FILE,
    SCRIPT_FILE,
    SINGLE_FILE,
    STYLE_FILE,
    TOPOLOGY_FILE,
    WEIGHTS_FILE,
)
from sensenet.cli.page import main
from sensenet.errors import (
    ArtifactError,
    DownloadError,
    MissingPackageError,
    UnknownTargetError,
    UnsupportedOpError,
)
from sensenet.explanation import heat_image
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


SCRIPTS = {"tf-core.js": b"let tf = '<';\n//# sourceMappingURL=tf-core.js.map\n", "tf-other.js": b"tf = 2;"}
RUNTIME_FILE = "tfjs-runtime.wasm"


@pytest.fixture
def runtime(monkeypatch):
    """The page has another runtime, which nobody downloads."""
    found = tensorflow_js.Runtime(scripts=SCRIPTS, module=(RUNTIME_FILE, b"{runtime"))
    monkeypatch.setattr(images, "fetch_runtime", lambda: found)


@pytest.mark.parametrize("make", [detector, image_alone])
def test_a_page_of_images_in_one_file(runtime, make):
    document = make()
    document["output_exposition"]["values"][0] = HOSTILE
    content = bytes(sensenet.compile(document, "web", single_file=True))
    found = Page(content)
    scripts = [text for given, text in found.find("script") if "type" not in given]
    assert scripts == ["let tf = '<';\n", "tf = 2;"]
    ((_, script),) = found.find("script", type="module")
    allowed = policy(content)
    assert allowed["script-src"] == " ".join([*map(hash_of, [*scripts, script]), "'wasm-unsafe-eval'"])
    assert allowed["connect-src"] == "blob:"
    data = {given["id"]: text for given, text in found.find("script", type="text/plain")}
    assert base64.b64decode(data["runtime"]) == b"{runtime"
    model = json.loads(data["model"])
    assert HOSTILE in model["userDefinedMetadata"]["sensenet"]["classes"]
    assert HOSTILE.encode() not in content
    sizes = [
        np.prod(each["shape"]) * np.dtype(each["dtype"]).itemsize
        for each in model["weightsManifest"][0]["weights"]
    ]
    assert len(base64.b64decode(data["weights"])) == sum(sizes)


def test_a_page_of_images_in_a_folder(runtime, tmp_path):
    artifact = sensenet.compile(detector(), "web")
    named = {PAGE_FILE, STYLE_FILE, SCRIPT_FILE, TOPOLOGY_FILE, WEIGHTS_FILE, RUNTIME_FILE}
    assert set(artifact.files) == {*named, *SCRIPTS}
    assert SCRIPTS.items() <= artifact.files.items()  # unchanged: other pages may refer to them
    found = Page(artifact.files[PAGE_FILE])
    assert policy(artifact.files[PAGE_FILE])["connect-src"] == "'self' blob:"
    assert [given["src"] for given, _ in found.find("script")] == [*SCRIPTS, SCRIPT_FILE]
    path = artifact.save(tmp_path / "site")
    assert artifact.save(path, force=True) == path
    with pytest.raises(ArtifactError, match="is a page"):
        sensenet.create_model(path)


CDN = "https://cdn.example.com:8443/npm/{package}@{version}/dist"


def addresses(url):
    """Those of the scripts and of the WebAssembly."""
    found = tensorflow_js.refer_to_runtime(url)
    return [each.address for each in found.scripts.values()], found.module[1].address


@pytest.mark.parametrize("single_file", [False, True])
def test_a_page_refers_to_a_runtime_elsewhere(monkeypatch, single_file):
    monkeypatch.setattr(shutil, "which", lambda _: None)  # npm is not needed
    files = sensenet.compile(detector(), "web", single_file=single_file, runtime_url=CDN).files
    own = {SINGLE_FILE} if single_file else {PAGE_FILE, STYLE_FILE, SCRIPT_FILE, TOPOLOGY_FILE, WEIGHTS_FILE}
    assert set(files) == own
    content = files[SINGLE_FILE if single_file else PAGE_FILE]
    scripts, module = addresses(CDN)
    package = "https://cdn.example.com:8443/npm/@tensorflow/tfjs-core@4.22.0/dist/"
    assert scripts[0] == f"{package}tf-core.es2017.min.js"
    elsewhere = [given for given, _ in Page(content).find("script", crossorigin="anonymous")]
    assert [given["src"] for given in elsewhere] == scripts
    hashes = [f"sha384-{tensorflow_js.SHA384[address.rpartition('/')[2]]}" for address in (*scripts, module)]
    assert [given["integrity"] for given in elsewhere] == hashes[:-1]
    ((data, text),) = Page(content).find("script", id="runtime")
    assert (data["data-address"], data["data-integrity"], text) == (module, hashes[-1], "")
    allowed = policy(content)
    added = {name: {word for word in allowed[name].split() if "://" in word} for name in allowed}
    assert {name: words for name, words in added.items() if words} == {
        "script-src": {*scripts},
        "connect-src": {module},
    }


def test_a_runtime_on_the_same_server(runtime):
    files = sensenet.compile(detector(), "web", runtime_url="../lib").files
    scripts, module = addresses("../lib")
    assert module == "../lib/tfjs-backend-wasm-simd.wasm"
    found = Page(files[PAGE_FILE])
    assert [given["src"] for given, _ in found.find("script", crossorigin="anonymous")] == scripts
    with_runtime = sensenet.compile(detector(), "web").files[PAGE_FILE]
    assert policy(files[PAGE_FILE]) == policy(with_runtime)  # which allows its own server
    with pytest.raises(UnknownTargetError, match="finds no file next to it: give an address"):
        sensenet.compile(detector(), "web", runtime_url="../lib", single_file=True)


@pytest.mark.parametrize(
    ("url", "directory"),
    [
        ("/", "/"),
        ("lib", "lib/"),
        ("./lib/", "./lib/"),
        ("../../lib", "../../lib/"),
        ("/a/b@1/{version}/", "/a/b@1/4.22.0/"),
        ("http://localhost:8000", "http://localhost:8000/"),
        ("https://a.b/c%20d/~e", "https://a.b/c%20d/~e/"),
    ],
)
def test_addresses_of_a_runtime(url, directory):
    files = sensenet.compile(detector(), "web", runtime_url=url).files
    ((data, _),) = Page(files[PAGE_FILE]).find("script", id="runtime")
    assert data["data-address"] == f"{directory}tfjs-backend-wasm-simd.wasm"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://example.com/",
        "javascript:alert(1)",
        "data:text/javascript,1",
        "file:///lib/",
        "//example.com/lib/",
        "https:/example.com",
        "https://",
        "https://user:secret@example.com/",
        "https://user@example.com/",
        "https://[::1]/",
        "https://exämple.com/",
        "https://example.com/lib?v=1",
        "https://example.com/lib#a",
        "https://example.com/a;b/",
        "https://example.com/a,b/",
        "https://example.com/a b/",
        "https://example.com/../lib/",
        "https://example.com/lib/..",
        "https://example.com/%zz/",
        "https://example.com/{name}/",
        "https://example.com/{package!r}/",
        'lib"onload=',
        "lib'",
        "lib>",
        "lib\n",
        "a//b",
        "*",
        7,
        True,
        ["lib"],
    ],
)
def test_addresses_that_are_refused(url):
    with pytest.raises(
        UnknownTargetError, match=r"the option runtime_url is .* expected an address as https://"
    ):
        sensenet.compile(detector(), "web", runtime_url=url)


def test_a_model_of_rows_has_no_runtime():
    with pytest.raises(UnknownTargetError, match="leave it out, since this model reads rows"):
        sensenet.compile(typed(), "web", runtime_url="https://example.com/")


def test_hashes_of_the_runtime():
    """Those of the files that npm installs for other tests."""
    modules = install()
    for package in tensorflow_js.PACKAGES:
        for name in package.files:
            content = (modules / package.name / "dist" / name).read_bytes()
            found = base64.b64encode(hashlib.sha384(content).digest()).decode()
            assert tensorflow_js.SHA384[name] == found, name


@pytest.mark.tensorflow
@pytest.mark.slow
def test_the_network_of_a_page_is_verified(runtime):
    pytest.importorskip("tensorflow")
    outcome = sensenet.compile(image_alone(), "web", verify=True).report.verification
    assert outcome.difference < 1e-5


def test_other_models_of_images_are_refused(runtime):
    with pytest.raises(UnsupportedOpError, match="reads 1 images of 2 columns; compile it for tfjs"):
        sensenet.compile(image(), "web")
    for settings in ({"output_unfiltered_boxes": True}, {"extract_image_features": True}):
        with pytest.raises(UnsupportedOpError, match="features or all boxes: compile it for tfjs"):
            sensenet.compile(detector(), "web", settings=settings)


def test_without_npm(monkeypatch, tmp_path):
    tensorflow_js.fetch_runtime.cache_clear()
    monkeypatch.setattr(shutil, "which", lambda _: None)
    artifact = sensenet.compile(detector(), "web")  # downloads nothing
    with pytest.raises(ArtifactError, match=r"npm downloads: install Node\.js"):
        artifact.save(tmp_path / "site")
    assert list(tmp_path.iterdir()) == []


def npm(directory, script):
    """A program npm that runs a line of shell."""
    program = directory / "npm"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(directory)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo no network >&2; exit 1", r"npm cannot download @tensorflow/tfjs-core@4\.22\.0: no network"),
        ("true", "npm cannot download @tensorflow/tfjs-core"),
        ("echo other > other.tgz", r"npm brought another @tensorflow/tfjs-core 4\.22\.0 than the known"),
    ],
)
def test_what_npm_does_not_bring(monkeypatch, tmp_path, script, message):
    monkeypatch.setenv("PATH", npm(tmp_path, script), prepend=os.pathsep)
    tensorflow_js.fetch_runtime.cache_clear()
    with pytest.raises(DownloadError, match=message):
        bytes(sensenet.compile(detector(), "web", single_file=True))


def test_versions_are_those_that_tests_install():
    """The lock file of tests/js has the hashes, too."""
    lock = json.loads((DIRECTORY / "package-lock.json").read_text())["packages"]
    for package in tensorflow_js.PACKAGES:
        locked = lock[f"node_modules/{package.name}"]
        assert locked["version"] == tensorflow_js.VERSION
        assert locked["integrity"] == f"sha512-{package.sha512}"


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
@pytest.mark.parametrize("modules", [page.MODULES, page.IMAGE_MODULES])
def test_the_script_is_sound(tmp_path, modules):
    """No two modules declare the same name, and nothing of the modules' imports remains."""
    script = page.write_script(modules)
    assert not re.search(r"^(import|export)\b|import\.meta", script, re.MULTILINE)
    for name in ("script.js", "script.mjs"):  # a worker runs it as the first, the page as the second
        (tmp_path / name).write_text(script)
        subprocess.run(["node", "--check", str(tmp_path / name)], check=True)


def test_every_module_is_in_the_script():
    assert {f"{page.HERE / name}" for name in (*page.MODULES, *page.IMAGE_MODULES)} >= {
        f"{each}" for each in page.HERE.glob("*.js")
    }


def test_maps_have_the_colors_of_python():
    drawing, style = ((page.HERE / name).read_text() for name in ("image_drawing.js", "page.css"))
    colors = re.search(r"\[SUPPORT, AGAINST\] = (\[.*?\]);", drawing, re.DOTALL)[1]
    assert re.findall(r"\d+", colors) == [str(part) for part in (*heat_image.SUPPORT, *heat_image.AGAINST)]
    assert f"const STRONGEST = {heat_image.STRONGEST};" in drawing
    legend = re.search(r"#legend i \{.*rgb\((.*?)\), rgb\(.*?\), rgb\((.*?)\)\);", style).groups()
    assert legend == tuple(" ".join(map(str, color)) for color in (heat_image.AGAINST, heat_image.SUPPORT))


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
    assert main(["m.ir", "-f", "-o", "site", "--runtime-url", "../lib"]) == 1
    assert "leave it out" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["m.ir"])
    assert "one of the arguments -o/--output --single-file is required" in capsys.readouterr().err
