"""The targets ir and numpy: saving, opening, and files that are damaged, foreign or hostile."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from lowered import assert_agrees, build, graph_of_op
from op_cases import ALL_CASES, case_name, floats, weights

from sensenet.backends import load_backend
from sensenet.backends.npz import read_npz, write_npz
from sensenet.errors import ArtifactError
from sensenet.ir.drawing import to_dot
from sensenet.ir.graph import same_graph
from sensenet.ir.ops import dense
from sensenet.ir.types import f32

GRAPH = graph_of_op(dense.Dense(kernel=weights(5, 40), bias=weights(40)), f32(None, 5))
FEED = {"x0": floats(3, 5)}
SUFFIXES = {"ir": ".ir", "numpy": ".npz"}


def save(tmp_path, target, graph=GRAPH):
    return build(graph, target).save(tmp_path / f"model{SUFFIXES[target]}")


def archive(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return stream.getvalue()


def array_file(array=None, header=None, content=b""):
    stream = io.BytesIO()
    if array is not None:
        np.save(stream, array)
    else:
        np.lib.format.write_array_header_1_0(stream, header)
        stream.write(content)
    return stream.getvalue()


@pytest.mark.parametrize("target", SUFFIXES)
@pytest.mark.parametrize("case", ALL_CASES, ids=case_name)
def test_saved_graphs_predict(tmp_path, target, case):
    executable = load_backend(target).open(save(tmp_path, target, case.graph()))
    assert_agrees(executable, case.graph(), case.feed, exactly=True)


@pytest.mark.parametrize("target", SUFFIXES)
def test_artifacts_run_and_keep_their_graph(target):
    executable = load_backend(target).load(build(GRAPH, target))
    assert_agrees(executable, GRAPH, FEED, exactly=True)
    assert same_graph(executable.graph, GRAPH)


@pytest.mark.parametrize("target", SUFFIXES)
def test_equal_graphs_give_equal_files(target):
    assert build(GRAPH, target).files == build(GRAPH, target).files


def test_ir_writes_text_and_weights_side_by_side(tmp_path):
    save(tmp_path, "ir")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.ir", "model.npz"]
    assert (tmp_path / "model.ir").read_text().startswith("sensenet graph\n")


def test_the_drawing_of_ir_stands_beside(tmp_path):
    build(GRAPH, "ir", dot=True).save(tmp_path / "model.ir")
    assert (tmp_path / "model.dot").read_text() == to_dot(GRAPH)


def test_the_archive_of_numpy_is_an_ordinary_one(tmp_path):
    with np.load(save(tmp_path, "numpy"), allow_pickle=False) as members:
        assert members["graph"].dtype == np.uint8
        assert {members[name].shape for name in set(members) - {"graph"}} == {(5, 40), (40,)}


@pytest.mark.parametrize("target", SUFFIXES)
def test_truncated_files_are_refused(tmp_path, target):
    path = save(tmp_path, target)
    archives = [file for file in tmp_path.iterdir() if file.suffix == ".npz"]
    content = archives[0].read_bytes()
    for length in (0, 1, 10, len(content) // 2, len(content) - 1):
        archives[0].write_bytes(content[:length])
        with pytest.raises(ArtifactError, match=str(archives[0])):
            load_backend(target).open(path)


@pytest.mark.parametrize("target", SUFFIXES)
def test_flipped_bits_are_refused_or_without_effect(tmp_path, target):
    path = save(tmp_path, target)
    file = path.with_suffix(".npz")
    content = bytearray(file.read_bytes())
    for position in range(0, len(content), 37):
        damaged = bytearray(content)
        damaged[position] ^= 0x10
        file.write_bytes(damaged)
        try:
            executable = load_backend(target).open(path)
        except ArtifactError:
            continue
        assert_agrees(executable, GRAPH, FEED, exactly=True)


def test_an_ir_without_its_weights_is_refused(tmp_path):
    path = save(tmp_path, "ir")
    (tmp_path / "model.npz").unlink()
    with pytest.raises(ArtifactError, match=r"model\.npz cannot be read"):
        load_backend("ir").open(path)


def test_an_ir_with_the_weights_of_another_is_refused(tmp_path):
    path = save(tmp_path, "ir")
    (tmp_path / "model.npz").write_bytes(write_npz({}))
    with pytest.raises(ArtifactError, match="no weights are given for"):
        load_backend("ir").open(path)


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"a table, not a graph", b"sensenet graph\n"])
def test_texts_that_are_no_graph_are_refused(tmp_path, text):
    path = save(tmp_path, "ir")
    path.write_bytes(text)
    with pytest.raises(ArtifactError, match="holds no graph of sensenet"):
        load_backend("ir").open(path)


def test_an_archive_of_other_arrays_is_refused(tmp_path):
    path = tmp_path / "other.npz"
    np.savez(path, weights=floats(3))
    with pytest.raises(ArtifactError, match="has no member 'graph'"):
        load_backend("numpy").open(path)


@pytest.mark.parametrize("target", SUFFIXES)
@pytest.mark.parametrize("path", ["absent", "."])
def test_paths_without_a_file_are_refused(tmp_path, target, path):
    with pytest.raises(ArtifactError, match="cannot be read"):
        load_backend(target).open(tmp_path / path)


def test_arrays_are_read_as_they_were_written():
    arrays = {"a": floats(2, 3), "b": np.asarray(7, np.int32), "c": np.zeros((0, 4), np.bool_)}
    read = read_npz(write_npz(arrays), "here")
    assert {name: (a.dtype, a.shape) for name, a in read.items()} == {
        name: (a.dtype, a.shape) for name, a in arrays.items()
    }
    assert all(np.array_equal(read[name], arrays[name]) for name in arrays)


HOSTILE = {
    "a bomb": archive(graph=b"\0" * 10_000_000),
    "pickled objects": archive(graph=array_file(np.asarray([{}], object))),
    "more numbers than bytes": archive(
        graph=array_file(header={"descr": "<f4", "fortran_order": False, "shape": (1 << 40,)})
    ),
    "a negative size": archive(
        graph=array_file(header={"descr": "<f4", "fortran_order": False, "shape": (-1, -1)}, content=b"1234")
    ),
    "no array": archive(graph=b"\x93NUMPYx"),
    "no archive": b"PK\x03\x04" + bytes(100),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_archives_are_refused(content):
    with pytest.raises(ArtifactError, match=r"^here"):
        read_npz(content, "here")
