"""The target native: its files, their names, what they say, and what it refuses."""

from __future__ import annotations

import json
import pickle
import re
import shutil
from pathlib import Path

import attrs
import numpy as np
import pytest
from support.c_code import WARNINGS
from support.documents import DOCUMENTS, ROW, image, typed
from support.lowered import build, graph_of_op
from support.native_code import rows_with_answers, run_tool, without_llvmlite

import sensenet
from sensenet.backends import TARGETS, get_target
from sensenet.backends.c_code.literals import prefix_of
from sensenet.backends.native import names
from sensenet.backends.native.objects import USUAL_STACK, escape
from sensenet.cli.compile import main
from sensenet.errors import (
    ArtifactError,
    LimitError,
    MissingPackageError,
    SettingsError,
    UnknownTargetError,
    UnsupportedOpError,
)
from sensenet.files.reading import read_head
from sensenet.frontend import import_graph
from sensenet.ir.ops import rearrangement, reduction
from sensenet.ir.types import f32

EMITTED = {"object": ".o", "assembly": ".s", "llvm": ".ll", "source": ".c", "header": ".h"}

ROWS = [list(ROW), [None, "red", 3], [1, "none", 2]]


def require_llvm(emit):
    if emit not in ("source", "header"):
        pytest.importorskip("llvmlite")


def require_compiler(emit):
    if emit in ("source", "assembly") and shutil.which("cc") is None:
        pytest.skip("there is no cc")


@pytest.mark.parametrize("emit", EMITTED)
def test_files_are_next_to_each_other_and_not_opened(tmp_path, emit):
    require_llvm(emit)
    path = sensenet.compile(typed(), "native", emit=emit).save(tmp_path / f"model{EMITTED[emit]}")
    assert path == tmp_path / f"model{EMITTED[emit]}"
    assert {each.name for each in tmp_path.iterdir()} == {path.name, "model.h"}
    for each in tmp_path.iterdir():
        head = read_head(each)
        assert [target.name for target in TARGETS.values() if target.recognizes(each, head)] == ["native"]
        with pytest.raises(
            ArtifactError, match=rf"{each.name} is .*, which compilers and linkers read: .*-t numpy"
        ):
            sensenet.create_model(each)
    assert {*TARGETS["native"].list_files(path)} == {*tmp_path.iterdir()}


@pytest.mark.parametrize("emit", ["object", "assembly", "llvm", "source"])
def test_artifacts_answer_and_are_verified(emit):
    require_llvm(emit)
    require_compiler(emit)
    artifact = sensenet.compile(typed(), "native", emit=emit, verify=True)
    assert artifact.report.verification.rows > 0
    expected = sensenet.create_model(typed())(ROWS)
    for each in (artifact, pickle.loads(pickle.dumps(artifact))):
        np.testing.assert_allclose(sensenet.create_model(each)(ROWS), expected, rtol=1e-5)


def test_several_outputs_are_one_after_the_other():
    graph = import_graph(DOCUMENTS["ensemble"]())
    (name,) = graph.outputs
    nodes = {node.name: node for node in graph.nodes}
    hidden = next(node.value for node in nodes.values() if node.value.type.rank == 2 and node.inputs)
    both = attrs.evolve(graph, outputs={"hidden": hidden, name: graph.outputs[name]})
    artifact = build(both, "native", emit="source")
    header = artifact.files["model.h"].decode()
    width = hidden.type.shape[1]
    assert f'/* 0: "hidden", of {width} */' in header
    assert f'/* {width}: "predictions", of ' in header
    require_compiler("source")
    rows, _ = rows_with_answers(graph)
    (node,) = graph.inputs
    answers = get_target("native").load(artifact).run({node.name: rows})
    assert [*answers] == ["hidden", "predictions"]
    assert answers["hidden"].shape == (len(rows), width)


def test_a_header_alone_does_not_answer():
    artifact = sensenet.compile(typed(), "native", emit="header")
    with pytest.raises(ArtifactError, match="header and its code together"):
        sensenet.create_model(artifact)


def test_code_for_other_processors_does_not_run_here():
    pytest.importorskip("llvmlite")
    for triple, cpu in (("aarch64-linux-gnu", None), (None, "x86-64")):
        artifact = sensenet.compile(typed(), "native", triple=triple or "x86_64-linux-gnu", cpu=cpu)
        with pytest.raises(ArtifactError, match="made for another processor"):
            sensenet.create_model(artifact)


def test_the_same_document_gives_the_same_bytes():
    pytest.importorskip("llvmlite")
    for emit in EMITTED:
        first, second = (sensenet.compile(typed(), "native", emit=emit).files for _ in range(2))
        assert first == second


def test_names_begin_as_asked():
    files = sensenet.compile(typed(), "native", emit="source", prefix="Iris2").files
    header, source = files["model.h"].decode(), files["model.c"].decode()
    assert "int Iris2_predict(const float *rows, size_t n, float *out);" in header
    assert "#define IRIS2_INPUTS 3 " in header
    assert "int Iris2_predict(const float *rows, size_t n, float *out) {" in source
    assert "model_" not in header + source


@pytest.mark.parametrize("prefix", ["2", "a-b", "größe", "x" * 41, "_a", 7])
def test_names_that_c_lacks_are_refused(prefix):
    with pytest.raises(UnknownTargetError, match=r"the option prefix is .* expected a letter, then letters"):
        sensenet.compile(typed(), "native", emit="header", prefix=prefix)


@pytest.mark.parametrize("value", ["", "a b", "x;y", "-a", "ä", "x" * 81, 5])
@pytest.mark.parametrize("option", ["triple", "cpu"])
def test_processors_have_names(option, value):
    with pytest.raises(UnknownTargetError, match=f"the option {option} is .* expected letters, digits and"):
        sensenet.compile(typed(), "native", emit="header", **{option: value})


def test_the_stack_is_as_small_as_asked():
    pytest.importorskip("llvmlite")

    def stack(**options):
        files = sensenet.compile(typed(), "native", emit="llvm", **options).files
        (said,) = re.findall(r"MODEL_STACK (\d+)", files["model.h"].decode())
        (taken,) = re.findall(r"alloca \[(\d+) x i8\]", files["model.ll"].decode())
        assert said == taken
        return int(said)

    assert USUAL_STACK / 2 < stack() <= USUAL_STACK
    assert 500 < stack(stack=1000) <= 1000
    least = stack(stack=128)
    assert least <= 128
    for emit in ("object", "source", "header"):
        with pytest.raises(SettingsError, match=r"the option stack is 1; one row needs \d+ bytes"):
            sensenet.compile(typed(), "native", emit=emit, stack=1)
    for size in (128, 1000):
        artifact = sensenet.compile(typed(), "native", stack=size)
        expected = sensenet.create_model(typed())(ROWS * 30)
        np.testing.assert_allclose(sensenet.create_model(artifact)(ROWS * 30), expected, rtol=1e-5)


def test_images_are_refused():
    with pytest.raises(SettingsError, match="takes rows of numbers: use -t tflite for networks of images"):
        sensenet.compile(image(), "native", emit="source")


def test_graphs_that_join_rows_are_refused():
    graph = graph_of_op(reduction.ReduceSum(axes=(0,)), f32(None, 3))
    with pytest.raises(UnsupportedOpError, match="native code cannot run"):
        build(graph, "native", emit="source")


def test_a_graph_without_columns_has_no_encoder():
    graph = graph_of_op(rearrangement.Flatten(), f32(None, 3))
    header = build(graph, "native", emit="source").files["model.h"].decode()
    assert "encode" not in header
    assert "model_predict" in header


@pytest.mark.parametrize("emit", EMITTED)
def test_a_process_without_llvmlite(emit):
    with without_llvmlite():
        if emit in ("source", "header"):
            assert sensenet.compile(typed(), "native", emit=emit).files
        else:
            with pytest.raises(MissingPackageError, match=r"sensenet-compiler\[native\]"):
                sensenet.compile(typed(), "native", emit=emit)


@pytest.mark.parametrize("emit", ["object", "source"])
def test_large_tables_are_refused(monkeypatch, emit):
    require_llvm(emit)
    graph = import_graph(typed())
    monkeypatch.setenv("SENSENET_MEMORY_LIMIT", "1KiB")
    with pytest.raises(LimitError, match=r"needs"):
        build(graph, "native", emit=emit)


@pytest.mark.parametrize("emit", EMITTED)
def test_the_command_names_files_by_what_is_emitted(tmp_path, monkeypatch, emit):
    require_llvm(emit)
    monkeypatch.chdir(tmp_path)
    Path("iris.json").write_text(json.dumps(typed()))
    assert main(["iris.json", "-t", "native", "--option", f"emit={emit}"]) == 0
    assert {each.name for each in tmp_path.iterdir()} == {"iris.json", "iris.h", f"iris{EMITTED[emit]}"}


def test_the_suffix_chooses_the_target(tmp_path, monkeypatch):
    pytest.importorskip("llvmlite")
    monkeypatch.chdir(tmp_path)
    Path("iris.json").write_text(json.dumps(typed()))
    assert main(["iris.json", "-o", "made.o", "--verify"]) == 0
    assert Path("made.o").exists()
    assert Path("made.h").exists()


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"\x7fELF\2\1\1" + bytes(9) + b"\1\0" + bytes(40), "an object file"),
        (b"\x7fELF\2\1\1" + bytes(9) + b"\2\0" + bytes(40), None),
        (b"\x7fELF", None),
        (b"\xcf\xfa\xed\xfe" + bytes(8) + b"\1\0\0\0" + bytes(40), "an object file"),
        (b"\xcf\xfa\xed\xfe" + bytes(8) + b"\2\0\0\0" + bytes(40), None),
        (b"\x64\x86" + bytes(40), "an object file"),
        (b"\x64\x86" + bytes(14) + b"\1\0" + bytes(20), None),
        (b"/* Made by sensenet: native code.", "C code or assembly"),
        (b"; Made by sensenet: native code.", "LLVM code"),
        (b"/* Made by sensenet for TensorFlow Lite Micro.", None),
        (b"", None),
        (b"{}", None),
    ],
)
def test_files_are_known_by_their_first_bytes(head, what):
    assert names.describe_file(head) == what


def test_bytes_are_written_as_llvm_reads_them():
    assert escape(np.arange(256, dtype=np.uint8)) == "".join(f"\\{byte:02X}" for byte in range(256))


def test_the_usual_prefix_is_the_name_of_the_network():
    graph = import_graph(typed())
    header = build(graph, "native", emit="header").files["model.h"].decode()
    assert f"int {prefix_of(graph.signature.name)}_predict(" in header


def test_the_program_of_the_page(tmp_path):
    """It is compiled and run; the page has its first answer."""
    pytest.importorskip("llvmlite")
    root = Path(__file__).parents[3]
    page = (root / "docs/native.md").read_text("utf-8")
    (program,) = re.findall("```c\n(.*?)```", page, re.DOTALL)
    if shutil.which("gcc") is None:
        pytest.skip("there is no gcc")
    (tmp_path / "main.c").write_text(program)
    answers = []
    for emit in ("object", "source"):
        path = tmp_path / f"iris{EMITTED[emit]}"
        sensenet.compile(root / "examples/iris.json", "native", emit=emit).save(path, force=True)
        made = tmp_path / "main"
        run_tool(["gcc", "-std=c99", *WARNINGS, str(tmp_path / "main.c"), str(path), "-o", str(made)])
        answers.append(run_tool([str(made)]))
    (shown,) = re.findall(r"\./main\n(.*?)```", page, re.DOTALL)
    assert answers == [shown, shown]
