"""The targets ir and numpy: saving, opening, and files that are damaged, foreign or hostile."""

from __future__ import annotations

import io
import struct
import tracemalloc
import warnings
import zipfile

import numpy as np
import pytest
from support.lowered import assert_agrees, build, graph_of_op
from support.op_cases import ALL_CASES, case_name, floats, weights

from sensenet.backends import get_target
from sensenet.backends.formats.npz import read_npz, write_npz
from sensenet.drawing import to_dot
from sensenet.errors import ArtifactError, LimitError, SensenetError
from sensenet.ir.graph import same_graph
from sensenet.ir.ops import dense
from sensenet.ir.types import f32
from sensenet.limits import VARIABLE
from sensenet.models.wrappers import create_model

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
    executable = get_target(target).open(save(tmp_path, target, case.graph()))
    assert_agrees(executable, case.graph(), case.feed, exactly=True)


@pytest.mark.parametrize("target", SUFFIXES)
def test_artifacts_run_and_keep_their_graph(target):
    executable = get_target(target).load(build(GRAPH, target))
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
            get_target(target).open(path)


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
            executable = get_target(target).open(path)
        except ArtifactError:
            continue
        assert_agrees(executable, GRAPH, FEED, exactly=True)


def test_an_ir_without_its_weights_is_refused(tmp_path):
    path = save(tmp_path, "ir")
    (tmp_path / "model.npz").unlink()
    with pytest.raises(ArtifactError, match=r"model\.npz cannot be read"):
        get_target("ir").open(path)


def test_an_ir_with_the_weights_of_another_is_refused(tmp_path):
    path = save(tmp_path, "ir")
    (tmp_path / "model.npz").write_bytes(write_npz({}))
    with pytest.raises(ArtifactError, match=r"the weights .* are missing"):
        get_target("ir").open(path)


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"a table, not a graph", b"sensenet graph\n"])
def test_texts_that_are_no_graph_are_refused(tmp_path, text):
    path = save(tmp_path, "ir")
    path.write_bytes(text)
    with pytest.raises(ArtifactError, match="is not a graph of sensenet"):
        get_target("ir").open(path)


def test_the_weights_of_a_text_name_it(tmp_path):
    path = save(tmp_path, "ir")
    with pytest.raises(ArtifactError, match=rf"\.npz has the weights of {path.name}: open that"):
        create_model(path.with_suffix(".npz"))


def test_an_archive_of_other_arrays_is_refused(tmp_path):
    path = tmp_path / "other.npz"
    np.savez(path, weights=floats(3))
    with pytest.raises(ArtifactError, match="has no member 'graph'"):
        get_target("numpy").open(path)


@pytest.mark.parametrize("target", SUFFIXES)
@pytest.mark.parametrize("path", ["absent", "."])
def test_paths_without_a_file_are_refused(tmp_path, target, path):
    with pytest.raises(ArtifactError, match="cannot be read"):
        get_target(target).open(tmp_path / path)


def test_arrays_are_read_as_they_were_written():
    arrays = {"a": floats(2, 3), "b": np.asarray(7, np.int32), "c": np.zeros((0, 4), np.bool_)}
    read = read_npz(write_npz(arrays), "here")
    assert {name: (a.dtype, a.shape) for name, a in read.items()} == {
        name: (a.dtype, a.shape) for name, a in arrays.items()
    }
    assert all(np.array_equal(read[name], arrays[name]) for name in arrays)


def raw_array(header, content=bytes(12), version=1):
    """An .npy file with a header of any text."""
    text = header.encode() + b"\n"
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + content


def patched(content, mark, offset, value):
    """An archive with one byte changed, at an offset from the last place of a mark."""
    changed = bytearray(content)
    changed[content.rindex(mark) + offset] = value
    return bytes(changed)


def with_two_members_of_one_name():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file.writestr("a.npy", array_file(floats(2)))
        file.writestr("a.npy", array_file(floats(2)))
    return stream.getvalue()


HEADER = "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }"
SOUND = archive(a=raw_array(HEADER))
DIRECTORY = b"PK\x01\x02"

HOSTILE = {
    "zeros": archive(graph=b"\0" * 10_000_000),
    "pickled objects": archive(graph=array_file(np.asarray([{}], object))),
    "more numbers than bytes": archive(
        graph=array_file(header={"descr": "<f4", "fortran_order": False, "shape": (1 << 40,)})
    ),
    "a negative size": archive(
        graph=array_file(header={"descr": "<f4", "fortran_order": False, "shape": (-1, -1)}, content=b"1234")
    ),
    "a size beyond all integers": archive(a=raw_array(HEADER.replace("3", "0, 1" + "0" * 400))),
    "an axis longer than any of NumPy's": archive(a=raw_array(HEADER.replace("3,", f"0, {10**19 - 1}"), b"")),
    "too many axes": archive(a=raw_array(HEADER.replace("3,", "1, " * 64 + "3"))),
    "far too many axes": archive(a=raw_array(HEADER.replace("3,", "1, " * 1000 + "3"))),
    "a deep header": archive(a=raw_array(HEADER.replace("(3,)", "(" * 3000 + ")" * 3000))),
    "an arithmetic header": archive(a=raw_array(HEADER.replace("3", "-" * 20_000 + "3"))),
    "an expression": archive(a=raw_array(HEADER.replace("3,", "2+1,"))),
    "an open text": archive(a=raw_array("'''")),
    "a header that is no Latin text": archive(a=raw_array(HEADER.replace("<f4", "ü"))),
    "Fortran's order": archive(a=array_file(np.asfortranarray(floats(2, 3)))),
    "structures": archive(a=array_file(np.zeros(3, [("a", "<f4")]))),
    "texts": archive(a=array_file(np.array(["abc"]))),
    "dates": archive(a=array_file(np.zeros(3, "datetime64[s]"))),
    "double precision": archive(a=array_file(np.zeros(3))),
    "another version of the format": archive(a=raw_array(HEADER, version=9)),
    "bytes that are no booleans": archive(a=raw_array(HEADER.replace("<f4", "|b1"), b"\0\1\2")),
    "a cut header": archive(a=raw_array(HEADER)[:30]),
    "no array": archive(graph=b"\x93NUMPYx"),
    "no archive": b"PK\x03\x04" + bytes(100),
    "two members of one name": with_two_members_of_one_name(),
    "a version of ZIP to come": patched(SOUND, DIRECTORY, 6, 99),
    "an encrypted member": patched(SOUND, DIRECTORY, 8, 1),
    "a patched member": patched(SOUND, DIRECTORY, 8, 0x20),
    "an unknown method": patched(SOUND, DIRECTORY, 10, 14),
    "a wrong checksum": patched(SOUND, DIRECTORY, 16, 0),
    "a member larger than declared": patched(SOUND, DIRECTORY, 24, 1),
    "a member smaller than declared": patched(SOUND, DIRECTORY, 25, 1),
    "a name that is no UTF-8": patched(patched(SOUND, DIRECTORY, 9, 8), DIRECTORY, 46, 0xFF),
}


def test_the_sound_archive_is_read():
    assert read_npz(SOUND, "here")["a"].shape == (3,)


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_archives_are_refused(content):
    with pytest.raises(ArtifactError, match=r"^here"):
        read_npz(content, "here")


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_are_refused_by_whoever_recognizes_them(tmp_path, content):
    path = tmp_path / "model.npz"
    path.write_bytes(content)
    with pytest.raises(SensenetError):
        create_model(path)


def test_members_that_unpack_to_more_than_the_limit_are_refused(monkeypatch):
    content = archive(a=bytes(3 << 20), b=bytes(3 << 20))
    monkeypatch.setenv(VARIABLE, "4MiB")
    with pytest.raises(LimitError, match=r"^here.* 6\.0 MiB .* limit is 4\.0 MiB"):
        read_npz(content, "here")


def test_members_that_overlap_count_each(monkeypatch):
    """Each of 40 entries of the directory points to the same packed bytes."""
    packed = archive(a=bytes(1 << 20))
    directory = packed.index(DIRECTORY)
    entry, end = packed[directory : packed.index(b"PK\x05\x06")], packed[packed.index(b"PK\x05\x06") :]
    entries = b"".join(entry.replace(b"a.npy", b"%c.npy" % (65 + number)) for number in range(40))
    counts = struct.pack("<HHI", 40, 40, len(entries))
    monkeypatch.setenv(VARIABLE, "30MiB")
    with pytest.raises(LimitError, match=r"40\.0 MiB"):
        read_npz(packed[:directory] + entries + end[:8] + counts + end[16:], "here")


def test_no_more_is_unpacked_than_a_member_declares():
    """A member of 64 MiB that says that it has 10 bytes: the process never takes 32 MiB for it."""
    content = archive(a=bytes(64 << 20))
    for mark, offset in ((b"PK\x03\x04", 22), (DIRECTORY, 24)):
        at = content.index(mark) + offset
        content = content[:at] + struct.pack("<I", 10) + content[at + 4 :]
    tracemalloc.start()
    try:
        with pytest.raises(ArtifactError, match=r"^here"):
            read_npz(content, "here")
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()
