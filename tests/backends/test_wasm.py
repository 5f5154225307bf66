"""The target wasm: what a module has, what the linker refuses, what is written and refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from support.documents import FEATURES, dense, detector, ensemble, image, network, typed
from support.native_code import without_llvmlite

import sensenet
from sensenet.backends.wasm import encoding
from sensenet.backends.wasm.code import compile_object
from sensenet.backends.wasm.encoding import Reader, read_sections, section
from sensenet.backends.wasm.linker import LINKING, RELOCATIONS, ModuleLayout, link
from sensenet.backends.wasm.names import HEAD, MODULE_FILE, SECTION
from sensenet.errors import ArtifactError, LimitError, MissingPackageError, UnsupportedOpError
from sensenet.ir.evaluate import evaluate

pytest.importorskip("llvmlite")

EXAMPLES = Path(__file__).parents[2] / "examples"
LARGEST_TABLE_MODEL = 60_000
"""The most bytes of all files of a model of a table."""

CALLS = """
define void @run(i32 %n) {
  call void @inner(i32 %n)
  ret void
}
define internal void @inner(i32 %n) noinline {
  store i32 %n, ptr inttoptr (i32 64 to ptr)
  ret void
}
"""
LAYOUT = ModuleLayout(memory=1, start=1024, data=b"abc", exports=["run"], description=("notes", b"hello"))


def write(sections):
    """A module or object of sections as they were read."""
    parts = [
        section(each.number, (encoding.name(each.name) if each.name else b"") + each.content)
        for each in sections
    ]
    return encoding.MAGIC + b"".join(parts)


def replace(data, key, change):
    """An object with the content of a section changed."""
    changed = []
    for each in read_sections(data):
        found = key in (each.number, each.name)
        changed.append(
            encoding.Section(each.number, each.name, change(each.content) if found else each.content)
        )
    return write(changed)


@pytest.mark.parametrize("value", [0, 1, 63, 64, 127, 128, 300, 65_535, 2**31 - 1, 2**32 - 1])
def test_whole_numbers_are_read_as_written(value):
    for written in (encoding.unsigned(value), encoding.padded(value)):
        assert Reader(written).unsigned() == value
    assert len(encoding.padded(value)) == 5


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, b"\0"), (63, b"\x3f"), (64, b"\xc0\0"), (-64, b"\x40"), (1024, b"\x80\x08"), (-1, b"\x7f")],
)
def test_signed_numbers(value, written):
    assert encoding.signed(value) == written


def test_a_module_has_these_sections_and_no_imports():
    module = link(compile_object(CALLS), LAYOUT)
    sections = [*read_sections(module)]
    numbers = [
        0,
        encoding.TYPE,
        encoding.FUNCTION,
        encoding.MEMORY,
        encoding.EXPORT,
        encoding.CODE,
        encoding.DATA,
    ]
    assert [each.number for each in sections] == numbers
    assert (sections[0].name, sections[0].content) == ("notes", b"hello")
    assert sections[3].content == b"\1\1\1\1", "one memory of one page, which does not grow"
    assert sections[-1].content == b"\1\0\x41\x80\x08\x0b\3abc", "at byte 1024"
    exports = Reader(sections[4].content)
    found = {}
    for _ in range(exports.unsigned()):
        name = exports.name()
        found[name] = (exports.byte(), exports.unsigned())
    assert found == {"memory": (2, 0), "run": (0, 0)}
    assert write(sections) == module


def test_calls_are_relocated():
    data = compile_object(CALLS)
    code = next(each.content for each in read_sections(data) if each.number == encoding.CODE)
    wrong = replace(
        data, encoding.CODE, lambda content: content.replace(encoding.padded(1), encoding.padded(7))
    )
    assert encoding.padded(1) in code
    assert wrong != data
    assert link(wrong, LAYOUT) == link(data, LAYOUT)


CALLS_ANOTHER = """
declare float @fmaf(float)
define void @run(ptr %x) {
  %y = call float @fmaf(float 1.0)
  store float %y, ptr %x
  ret void
}
"""
HAS_DATA = """
@x = global i32 7
define void @run() {
  store i32 1, ptr @x
  ret void
}
"""
CALLS_A_POINTER = """
define void @run(ptr %f) {
  call void %f()
  ret void
}
"""
NEEDS_A_STACK = """
declare void @use(ptr)
define void @run() {
  %x = alloca [64 x i8]
  call void @use(ptr %x)
  ret void
}
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CALLS_ANOTHER, r"the import env\.fmaf .* cannot be linked"),
        (HAS_DATA, "the section 12 .* cannot be linked"),
        (CALLS_A_POINTER, r"the import env\.__indirect_function_table"),
        (NEEDS_A_STACK, r"the import env\.__stack_pointer"),
    ],
    ids=["function", "data", "table", "stack"],
)
def test_objects_that_need_more_are_refused(text, message):
    with pytest.raises(ArtifactError, match=message):
        link(compile_object(text), LAYOUT)


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        (RELOCATIONS, lambda c: c[:2] + b"\x03" + c[3:], "relocation 3 of an object"),
        (RELOCATIONS, lambda c: c[:2] + b"\0\x7f" + c[4:], "a relocation is at byte 127 of"),
        (RELOCATIONS, lambda c: c[:-1] + b"\x7f", "the code calls a function, which it lacks"),
        (RELOCATIONS, lambda c: c[:-1], "ends at byte"),
        (LINKING, lambda c: b"\3" + c[1:], "version 3 of the section linking"),
        (LINKING, lambda c: c[:1] + b"\5" + c[2:], "part 5 of the section linking"),
        (LINKING, lambda c: c[:8] + b"\1" + c[9:], "a symbol of kind 1"),
        (encoding.TYPE, lambda c: c, ""),
    ],
)
def test_damaged_objects_are_refused(key, change, message):
    data = compile_object(CALLS)
    changed = replace(data, key, change)
    if not message:
        assert link(changed, LAYOUT) == link(data, LAYOUT)
        return
    with pytest.raises(ArtifactError, match=message):
        link(changed, LAYOUT)


def test_what_is_no_object_is_refused():
    with pytest.raises(ArtifactError, match="not WebAssembly"):
        link(b"\0asm\2\0\0\0", LAYOUT)
    with pytest.raises(ArtifactError, match="has no section"):
        link(encoding.MAGIC, LAYOUT)
    with pytest.raises(ArtifactError, match="the section 9"):
        link(encoding.MAGIC + section(9, b""), LAYOUT)


@pytest.mark.parametrize("name", ["iris.json", "diabetes.json"])
def test_a_model_of_a_table_is_small(name):
    files = sensenet.compile(EXAMPLES / name, "wasm").files
    assert sum(map(len, files.values())) <= LARGEST_TABLE_MODEL
    module = files[MODULE_FILE]
    assert module.startswith(HEAD)
    assert encoding.IMPORT not in [each.number for each in read_sections(module)]


def test_compiling_again_writes_the_same_bytes():
    first, second = (sensenet.compile(ensemble(), "wasm").files for _ in range(2))
    assert first == second


def test_the_first_section_describes_the_model():
    first = next(read_sections(sensenet.compile(typed(), "wasm").files[MODULE_FILE]))
    assert first.name == SECTION


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.parametrize("make", [typed, ensemble])
def test_node_answers_as_the_interpreter(make):
    artifact = sensenet.compile(make(), "wasm", verify=True)
    run = artifact.report.verification
    assert run.rows > 1
    executable = sensenet.backends.TARGETS["wasm"].load(artifact)
    columns = artifact.graph.inputs[0].types[0].shape[1]
    for rows in (0, 1, 30_000):
        feed = {
            "numeric_inputs": np.random.default_rng(0).normal(size=(rows, columns)).astype(np.float32) * 3
        }
        got, want = executable.run(feed)["predictions"], evaluate(artifact.graph, feed)["predictions"]
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_without_node_it_is_not_verified(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ArtifactError, match="needs Node, which is not installed"):
        sensenet.compile(typed(), "wasm", verify=True)


def test_without_llvmlite_the_extra_is_named():
    with without_llvmlite(), pytest.raises(MissingPackageError, match=r"sensenet-compiler\[native\]"):
        sensenet.compile(typed(), "wasm")


@pytest.mark.parametrize("make", [image, detector])
def test_networks_of_images_are_refused(make):
    with pytest.raises(UnsupportedOpError, match="reads images: compile it for tfjs or onnx"):
        sensenet.compile(make(), "wasm")


def test_a_model_that_no_memory_holds_is_refused(monkeypatch):
    monkeypatch.setattr("sensenet.backends.wasm.code.LARGEST_MEMORY", 100_000)
    with pytest.raises(LimitError, match="WebAssembly has 100000"):
        sensenet.compile(network([dense(FEATURES, 300), dense(300, 2)]), "wasm")


def test_saved_files_are_refused_and_replaced(tmp_path):
    path = sensenet.compile(typed(), "wasm").save(tmp_path / "model")
    assert sorted(each.name for each in path.iterdir()) == [
        "model.d.ts",
        "model.js",
        "model.wasm",
        "package.json",
    ]
    for saved in (path, path / MODULE_FILE):
        with pytest.raises(ArtifactError, match="is WebAssembly, which browsers and Node run"):
            sensenet.create_model(saved)
    sensenet.compile(ensemble(), "wasm").save(path, force=True)
    (path / "mine").write_text("")
    with pytest.raises(ArtifactError):
        sensenet.compile(typed(), "wasm").save(path, force=True)


def test_an_artifact_runs_by_its_graph():
    model = sensenet.create_model(sensenet.compile(typed(), "wasm"))
    row = [2.5, "green", 3]
    np.testing.assert_allclose(model(row), sensenet.create_model(typed())(row), rtol=1e-5)
