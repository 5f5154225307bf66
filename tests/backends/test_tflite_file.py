"""A .tflite file: who runs and makes it, its metadata, and files that are damaged or foreign."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
import zipfile

import numpy as np
import pytest
from support.lowered import (
    assert_agrees,
    build,
    run,
)
from support.op_cases import floats, weights

from sensenet.backends import batching as blocks
from sensenet.backends import get_target
from sensenet.backends.tflite import TARGET, flatbuffer, interpreter
from sensenet.backends.tflite.flatbuffer import import_schema, pack, unpack
from sensenet.backends.tflite.interpreter import find_interpreter
from sensenet.backends.tflite.metadata import _pack_archive, build_model_metadata
from sensenet.backends.tflite.opening import open_model
from sensenet.errors import ArtifactError, InputError, MissingPackageError, UnknownTargetError
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Graph, apply
from sensenet.ir.ops import core, dense
from sensenet.ir.types import f32
from sensenet.signature import ModelKind, NumericColumn, Signature

pytest.importorskip("ai_edge_litert")

CLASSES = ("one", "two\nlines", "drei")
LAYER = dense.Dense(kernel=weights(4, 3), activation=ActivationFunction.SOFTMAX)
FEED = {"numeric_inputs": floats(5, 4)}


def classifier() -> Graph:
    node = apply(core.Input(type=f32(None, 4)), name="numeric_inputs")
    answer = apply(LAYER, node.value, name="layer_0")
    columns = tuple(NumericColumn(index=index) for index in range(4))
    signature = Signature(columns=columns, classes=CLASSES, name="Ärzte", description="A test.")
    return Graph.create([node], {"predictions": answer.value}, signature)


@pytest.fixture(scope="module")
def content() -> bytes:
    return bytes(build(classifier(), "tflite"))


def schema():
    return pytest.importorskip("ai_edge_litert.schema_py_generated")


def test_any_batch_size_in_any_order():
    executable, graph = run(classifier(), "tflite"), classifier()
    for rows in (1, 7, 1, 0, 300, 7):
        assert_agrees(executable, graph, {"numeric_inputs": floats(rows, 4)})


def test_threads_may_share_an_executable():
    executable, graph = run(classifier(), "tflite"), classifier()
    failures = []

    def predict(rows: int) -> None:
        try:
            for _ in range(50):
                assert_agrees(executable, graph, {"numeric_inputs": floats(rows, 4, scale=rows)})
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=predict, args=(rows,)) for rows in (1, 2, 3, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.parametrize("rows", [15, 16, 17, 200])
def test_many_rows_are_divided_among_interpreters(content, monkeypatch, rows):
    made, sizes = [], []
    find = interpreter.find_interpreter

    def find_counting():
        made.append(1)
        return find()

    monkeypatch.setattr(interpreter, "MOST_ROWS", 16)
    monkeypatch.setattr(interpreter, "find_interpreter", find_counting)
    monkeypatch.setattr(interpreter, "usable_processors", lambda: 3)
    monkeypatch.setattr(blocks, "usable_processors", lambda: 3)
    prepare = interpreter.Interpreter._prepare
    monkeypatch.setattr(
        interpreter.Interpreter,
        "_prepare",
        lambda self, shapes: (sizes.append(shapes["numeric_inputs"][0]), prepare(self, shapes)),
    )
    executable = interpreter.make_executable(content, Signature(), None, "the test")
    assert len(made) == 1
    for _ in range(3):
        assert_agrees(executable, classifier(), {"numeric_inputs": floats(rows, 4)})
    assert len(made) <= (1 if rows <= 16 else 3)
    assert max(sizes) == min(rows, 16)


@pytest.mark.parametrize(
    "feed",
    [{}, {"numeric_inputs": np.zeros((1, 4))}, {"numeric_inputs": floats(1, 5)}],
    ids=["absent", "float64", "too wide"],
)
def test_ill_typed_inputs_are_refused(content, tmp_path, feed):
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    executable = open_model(path, threads=2)
    with pytest.raises(InputError, match="numeric_inputs"):
        executable.run(feed)
    assert_agrees(executable, classifier(), FEED)


def test_equal_graphs_give_equal_files(content):
    assert bytes(build(classifier(), "tflite")) == content


def test_nothing_is_written_on_the_terminal(content, capfd, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(bytes(build(classifier(), "tflite")))
    open_model(path).run(FEED)
    assert capfd.readouterr() == ("", "")


def test_a_fresh_process_runs_it_without_tensorflow(content, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    code = (
        "import sys, pathlib, numpy, json; from sensenet.backends import get_target; "
        "executable = get_target('tflite').open(pathlib.Path(sys.argv[1])); "
        "x = numpy.asarray(json.loads(sys.argv[2]), numpy.float32); "
        "print(json.dumps(executable.run({'numeric_inputs': x})['predictions'].tolist())); "
        "print('tensorflow' in sys.modules)"
    )
    rows = json.dumps(FEED["numeric_inputs"].tolist())
    result = subprocess.run(
        [sys.executable, "-c", code, str(path), rows], capture_output=True, text=True, check=True
    )
    answer, imported = result.stdout.splitlines()
    assert imported == "False"
    assert result.stderr == ""
    expected = evaluate(classifier(), FEED)["predictions"]
    np.testing.assert_allclose(json.loads(answer), expected, atol=2e-6, rtol=2e-5)


@pytest.mark.parametrize("mode", ["none", "float16", "dynamic"])
def test_a_fresh_process_makes_it_without_tensorflow(mode, content, tmp_path):
    path = tmp_path / "model.ir"
    build(classifier(), "ir").save(path)
    code = (
        "import sys, pathlib, sensenet; sys.modules['tensorflow'] = None; "
        "artifact = sensenet.compile(sys.argv[1], 'tflite', optimize=0, quantize=sys.argv[2]); "
        "pathlib.Path(sys.argv[3]).write_bytes(bytes(artifact))"
    )
    made = tmp_path / "model.tflite"
    result = subprocess.run(
        [sys.executable, "-c", code, str(path), mode, str(made)], capture_output=True, text=True, check=True
    )
    assert (result.stdout, result.stderr) == ("", "")
    assert_agrees(open_model(made), classifier(), FEED)
    assert made.read_bytes() == content  # its kernel is too small to be stored otherwise


def test_stock_tools_find_the_names_and_the_metadata(content):
    """Without a line of ours: zipfile, and the flatbuffer tables that LiteRT ships."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        signature = Signature.from_json(json.loads(archive.read("sensenet.json")))
        assert archive.read("labels.txt").decode().splitlines() == ["one", "two lines", "drei"]
    assert signature == classifier().signature
    model = schema().ModelT.InitFromPackedBuf(content, 0)
    entries = {entry.name.decode(): entry.buffer for entry in model.metadata}
    assert set(entries) == {"TFLITE_METADATA", "min_runtime_version"}
    assert bytes(model.buffers[entries["TFLITE_METADATA"]].data)[4:8] == b"M001"
    (definition,) = model.signatureDefs
    assert definition.signatureKey == b"serving_default"
    assert [each.name for each in definition.inputs] == [b"numeric_inputs"]
    assert [each.name for each in definition.outputs] == [b"predictions"]
    main = model.subgraphs[0]
    assert [main.tensors[index].name for index in main.outputs] == [b"predictions"]
    assert [list(main.tensors[index].shapeSignature) for index in main.inputs] == [[-1, 4]]


def test_buffers_are_aligned(content):
    """The schema's force_align: kernels may read weights in place."""
    model = schema().Model.GetRootAs(content, 0)
    tables = [model.Buffers(index) for index in range(model.BuffersLength())]
    starts = [each._tab.Vector(each._tab.Offset(4)) for each in tables if each.DataLength()]
    assert starts
    assert all(start % 16 == 0 for start in starts)


@pytest.mark.parametrize("small", [0, 1 << 16])
@pytest.mark.parametrize("shape", [(5,), (3, 4), (70, 300), (65, 2, 3, 50), (1, 1, 1, 1), (3, 0)])
@pytest.mark.parametrize("layout", ["row-major", "kernel", "reversed"])
def test_buffers_of_any_layout_are_copied(monkeypatch, shape, layout, small):
    monkeypatch.setattr(flatbuffer, "SMALL", small)
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    kernel = np.moveaxis(np.ascontiguousarray(np.moveaxis(values, 0, -1)), -1, 0)
    source = {"row-major": values, "kernel": kernel, "reversed": values[::-1]}[layout]
    target = np.full_like(values, np.nan)
    flatbuffer._copy(source, target)
    np.testing.assert_array_equal(target, source)


class Table:
    """A flatbuffer table read by the numbers of its fields, as the metadata schema gives them."""

    def __init__(self, content: bytes, position: int) -> None:
        from flatbuffers.table import Table as Flatbuffer

        self.table, self.content = Flatbuffer(content, position), content

    @classmethod
    def root(cls, content: bytes) -> Table:
        return cls(content, int.from_bytes(content[:4], "little"))

    def _place(self, slot: int) -> int:
        offset = self.table.Offset(4 + 2 * slot)
        assert offset, f"field {slot} is absent"
        return int(offset)

    def text(self, slot: int) -> str:
        return str(self.table.String(self.table.Pos + self._place(slot)).decode())

    def byte(self, slot: int) -> int:
        offset = self.table.Offset(4 + 2 * slot)
        return self.content[self.table.Pos + offset] if offset else 0

    def tables(self, slot: int) -> list[Table]:
        offset = self._place(slot)
        start, length = self.table.Vector(offset), self.table.VectorLen(offset)
        return [Table(self.content, self.table.Indirect(start + 4 * i)) for i in range(length)]


def test_the_metadata_describes_the_model_and_its_tensors():
    metadata = Table.root(build_model_metadata(classifier()))
    assert (metadata.text(0), metadata.text(1), metadata.text(7)) == ("Ärzte", "A test.", "1.0.0")
    assert [file.text(0) for file in metadata.tables(6)] == ["sensenet.json"]
    (subgraph,) = metadata.tables(3)
    (given,), (answer,) = subgraph.tables(2), subgraph.tables(3)
    assert given.text(0) == "numeric_inputs"
    assert given.tables(6) == []
    assert answer.text(0) == "predictions"
    assert [(file.text(0), file.byte(2)) for file in answer.tables(6)] == [("labels.txt", 2)]


def test_the_labels_of_a_detector_belong_to_its_classes():
    images = apply(core.Input(type=f32(None, 2, 2, 3)), name="image_pixel_inputs")
    outputs = {"boxes": images.value, "classes": images.value}
    signature = Signature(kind=ModelKind.DETECTOR, classes=("cat",))
    metadata = Table.root(build_model_metadata(Graph.create([images], outputs, signature)))
    boxes, classes = metadata.tables(3)[0].tables(3)
    assert boxes.tables(6) == []
    assert [(file.text(0), file.byte(2)) for file in classes.tables(6)] == [("labels.txt", 3)]


def refuse(tmp_path, content: bytes, message: str) -> None:
    path = tmp_path / "damaged.tflite"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=message) as raised:
        get_target("tflite").open(path)
    assert str(path) in str(raised.value)


def test_truncated_files_are_refused(content, tmp_path):
    for length in (0, 4, 8, 100, len(content) // 2, len(content) - 1):
        refuse(tmp_path, content[:length], "not a TensorFlow Lite model|truncated")


def flatbuffer_size(content: bytes) -> int:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return min(info.header_offset for info in archive.infolist())


def test_damaged_flatbuffers_are_refused(content, tmp_path):
    """Before they reach the interpreter, which would crash on some."""
    size = flatbuffer_size(content)
    for position in [*range(0, 200), *range(200, size, 41)]:
        damaged = bytearray(content)
        damaged[position] ^= 0xFF
        refuse(tmp_path, bytes(damaged), "not a TensorFlow Lite model|is damaged")


def test_damaged_archives_are_refused_or_without_effect(content, tmp_path):
    """A file's date, say, does not matter."""
    path = tmp_path / "damaged.tflite"
    for position in range(flatbuffer_size(content), len(content), 3):
        damaged = bytearray(content)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        try:
            executable = open_model(path)
        except ArtifactError:
            continue
        assert executable.signature == classifier().signature
        assert_agrees(executable, classifier(), FEED)


def test_foreign_files_are_refused(content, tmp_path):
    flatbuffer = content[: flatbuffer_size(content)]
    refuse(tmp_path, flatbuffer, "was not made by sensenet")
    foreign = io.BytesIO(flatbuffer)
    with zipfile.ZipFile(foreign, "a") as archive:
        archive.writestr("labels.txt", "a\nb\n")
    refuse(tmp_path, foreign.getvalue(), r"its metadata has no sensenet\.json")
    refuse(tmp_path, b"not a model at all", "not a TensorFlow Lite model")


def test_a_model_that_the_interpreter_refuses_is_an_error(content, tmp_path):
    """An operator of a version that is yet to come; all else is sound."""
    tree = unpack(content)
    tree.operatorCodes[0].version = 99
    flatbuffer = bytes(pack(tree))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    refuse(tmp_path, flatbuffer + _pack_archive(flatbuffer, files), "cannot be run by TensorFlow Lite")


def test_unknown_options_are_refused():
    with pytest.raises(UnknownTargetError, match="tflite has no option 'quality'"):
        TARGET.read_options({"quality": 1})


@pytest.fixture
def without_litert(monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    for module in ("interpreter", "schema_py_generated"):
        monkeypatch.delitem(sys.modules, f"ai_edge_litert.{module}", raising=False)


@pytest.mark.tensorflow
def test_without_litert_tensorflow_makes_and_runs_the_file(content, tmp_path, without_litert):
    pytest.importorskip("tensorflow")
    assert bytes(build(classifier(), "tflite")) == content
    assert import_schema().__name__.startswith("tensorflow")
    assert find_interpreter().__module__.startswith("tensorflow")
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    assert_agrees(open_model(path), classifier(), FEED)


@pytest.mark.parametrize("purpose", ["writing", "running"])
def test_without_both_the_error_names_the_package(purpose, without_litert, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    function = {"writing": import_schema, "running": find_interpreter}[purpose]
    with pytest.raises(
        MissingPackageError, match=rf"{purpose} .tflite files.*ai-edge-litert.*sensenet-compiler\[tflite\]"
    ):
        function()


def test_without_flatbuffers_the_error_names_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "flatbuffers", None)
    with pytest.raises(MissingPackageError, match=r"flatbuffers.*sensenet-compiler\[tflite\]"):
        build(classifier(), "tflite")
