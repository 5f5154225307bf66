"""Reading documents: kinds of sources, faults of files and of text, and what weights become."""

from __future__ import annotations

import codecs
import gzip
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.documents import DOCUMENTS, ensemble, network, typed

from sensenet import create_model
from sensenet.errors import DocumentError, SensenetError
from sensenet.frontend import import_graph, read_document
from sensenet.frontend.document import read_source
from sensenet.frontend.json import reader
from sensenet.frontend.json.arrays import NotAnArrayError, pack_array
from sensenet.frontend.json.reader import read_bytes
from sensenet.ir.graph import same_graph

IRIS = Path(__file__).parents[2] / "examples" / "iris.json"

pytestmark = pytest.mark.usefixtures("parser")


def text_of(value):
    return json.dumps(value).encode()


@pytest.fixture
def graph():
    return import_graph(typed())


def test_every_source_gives_the_same_graph(graph, tmp_path):
    text = json.dumps(typed())
    path, compressed = tmp_path / "model.json", tmp_path / "model.json.gz"
    path.write_text(text)
    compressed.write_bytes(gzip.compress(text.encode()))
    sources = [
        text,
        f"\n\t {text}",
        f"\ufeff{text}",
        text.encode(),
        b"\xef\xbb\xbf" + text.encode(),
        bytearray(text.encode()),
        memoryview(text.encode()),
        gzip.compress(text.encode()),
        path,
        str(path),
        compressed,
        str(compressed),
    ]
    for source in sources:
        assert same_graph(import_graph(source), graph)


def test_relative_path_and_a_name_without_suffix(graph, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("model").write_text(json.dumps(typed()))
    assert same_graph(import_graph("model"), graph)


def test_a_file_is_what_it_contains_whatever_its_name_says(graph, tmp_path):
    plain = tmp_path / "plain.json.gz"
    plain.write_text(json.dumps(typed()))
    assert same_graph(import_graph(plain), graph)


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_text_and_dict_agree(kind):
    document = DOCUMENTS[kind]()
    assert same_graph(import_graph(document), import_graph(json.dumps(document)))


def test_the_dict_is_not_changed():
    document = ensemble()
    before = json.dumps(document)
    import_graph(document)
    assert json.dumps(document) == before


@pytest.mark.parametrize("source", [None, 3, 2.5, [1], ("model.json",), object()])
def test_other_sources_are_refused(source):
    with pytest.raises(DocumentError, match="expected a document as a dict, a path, bytes or JSON text"):
        read_document(source)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b" \n ", "the file is empty"),
        (b'{"layers": [1, 2', "the text is cut off: .* at line 1, column 17"),
        (b'{"layers": [1,\n 2,, 3]}', "not a JSON document: .* at line 2, column 4"),
        (b'{"layers": "abc', "the text is cut off"),
        (b'{"layers": [Nan]}', "not a JSON document: .* at line 1, column 13"),
        (b'{"layers": [NaN, ]}', "not a JSON document: .* at line 1, column 1[68]"),  # since Python 3.13 16
        (b'{"layers": [+Infinity]}', "not a JSON document: .* at line 1, column 13"),
        (b'{"layers": ["\xff"]}', "byte 13 is not UTF-8 text"),
        (b"\x89PNG\r\n\x1a\n", "byte 0 is not UTF-8 text"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deep"),
        (b"[" * 200_000, "nested too deep"),
        (b'{"a":' * 200_000, "nested too deep"),
        (b"[1, 2]", "expected a JSON object as document, found a list of 2"),
        (b'"text"', "expected a JSON object as document, found the text 'text'"),
        (b"null", "expected a JSON object as document, found nothing"),
        (b'{"layers": 1} x', "not a JSON document: Extra data at line 1, column 15"),
        (b"\n<!DOCTYPE html>\n<html>" * 9, "not a JSON document: it begins with '<!DOCTYPE html>.{,40}$"),
        (b"sepal length,species\n5.1,setosa", "not a JSON document: it begins with 'sepal length,"),
        ('{"layers": []}'.encode("utf-16"), "the text is UTF-16 or UTF-32: save it as UTF-8"),
        (b"\xfe\xff" + '{"layers": []}'.encode("utf-16-be"), "the text is UTF-16"),
        ('{"layers": []}'.encode("utf-32"), "the text is UTF-16 or UTF-32"),
    ],
    ids=range(22),
)
def test_faulty_text(content, message, tmp_path):
    path = tmp_path / "model.json"
    path.write_bytes(content)
    for source in (content, path):
        with pytest.raises(DocumentError, match=message):
            read_document(source)


NOT_FINITE = ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", str(10**400))


def sources_of(text, folder):
    """Text as bytes, str, and files: plain, compressed, and with a byte order mark."""
    content = text.encode()
    files = {
        "model.json": content,
        "marked.json": b"\xef\xbb\xbf" + content,
        "model.json.gz": gzip.compress(content),
    }
    for name, stored in files.items():
        (folder / name).write_bytes(stored)
    return [content, text, gzip.compress(content), *(folder / name for name in files)]


@pytest.mark.parametrize("number", NOT_FINITE, ids=lambda number: number[:10])
def test_numbers_that_are_not_finite_where_no_answer_depends_on_them(number, tmp_path):
    """Python writes them so; the weights of such a text become arrays as others do."""
    history = f'{{"loss": [1.5, {number}], "best": {number}, "rows": [[{number}, {number}], [1, 2]]}}'
    text = text_of(typed()).decode()
    expected = import_graph(typed())
    for changed in (f'{{"history": {history}, {text[1:]}', f'{text[:-1]}, "history": {history}}}'):
        for source in sources_of(changed, tmp_path):
            assert same_graph(import_graph(source), expected)
            weights = read_source(source)["layers"][0]["weights"]
            assert isinstance(weights, np.ndarray)


@pytest.mark.parametrize("number", NOT_FINITE, ids=lambda number: number[:10])
def test_numbers_that_are_not_finite_where_they_are_used(number, tmp_path):
    marker = 0.123456789
    for place in (("layers", 0, "weights", 2, 1), ("layers", 0, "offset", 0), ("preprocess", 0, "mean")):
        document = json.loads(text_of(typed()))
        part = document
        for key in place[:-1]:
            part = part[key]
        part[place[-1]] = marker
        for source in sources_of(json.dumps(document).replace(str(marker), number), tmp_path):
            with pytest.raises(DocumentError, match=rf"{place[0]}\[0\]\.{place[2]}: expected .*number"):
                import_graph(source)


def test_faults_of_files_name_the_file(tmp_path):
    whole = gzip.compress(text_of(typed()))
    contents = {
        "cut.json.gz": (whole[: len(whole) // 2], "the gzip file is cut off"),
        "damaged.json.gz": (whole[:40] + bytes(8) + whole[48:], "the gzip file is damaged"),
        "empty.json": (b"", "the file is empty"),
        "empty.json.gz": (gzip.compress(b""), "the file is empty"),
    }
    for name, (content, message) in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DocumentError, match=f"{name}: {message}"):
            read_document(tmp_path / name)
    with pytest.raises(DocumentError, match=r"missing\.json: no such file"):
        read_document(tmp_path / "missing.json")
    with pytest.raises(DocumentError, match="no such file"):
        read_document("no model at all")
    for name in ("https://bigml.com/api/deepnet/1", "S3://bucket/deepnet.json", "file:///deepnet.json"):
        with pytest.raises(DocumentError, match="no such file; download it, and give the path of the file"):
            read_document(name)
    for name in ("deepnet/5f1a0000000000000000abcd", "shared/deepnet/sXr0Fma9TyLmVSDcGVn0O9gwRns"):
        with pytest.raises(DocumentError, match="no such file; download the resource from BigML"):
            read_document(name)
    with pytest.raises(DocumentError, match="a directory"):
        read_document(tmp_path)
    with pytest.raises(DocumentError, match="cannot be read"):
        read_document("a\0b.json")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a file that cannot be read")
def test_a_file_without_permission(tmp_path):
    path = tmp_path / "model.json"
    path.write_text("{}")
    path.chmod(0)
    with pytest.raises(DocumentError, match=r"model\.json: it cannot be read"):
        read_document(path)


def test_weights_become_float32_arrays_and_nothing_else_does():
    found = read_bytes(text_of(typed()))
    layer = found["layers"][0]
    assert isinstance(layer["weights"], np.ndarray)
    assert layer["weights"].dtype == np.float32
    assert isinstance(found["layers"][2]["dense_path"][0]["weights"], np.ndarray)
    assert found["layers"][3]["inputs"] == [0, -1]
    trees = read_bytes(text_of(ensemble()))["object"]["deepnet"]["network"]["trees"]
    assert trees == ensemble()["object"]["deepnet"]["network"]["trees"]


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_documents_need_no_second_reading(kind, monkeypatch):
    monkeypatch.setattr(reader, "_read_slowly", lambda *_: pytest.fail("it was read slowly"))
    read_bytes(text_of(DOCUMENTS[kind]()))
    read_bytes(codecs.BOM_UTF8 + text_of(DOCUMENTS[kind]()))


@pytest.mark.parametrize("change", [bytes, gzip.compress])
def test_a_text_that_is_too_long(change, monkeypatch):
    text = text_of(typed())
    monkeypatch.setattr(reader, "MOST_BYTES", len(text))
    read_bytes(change(text))
    with pytest.raises(DocumentError, match="the document: longer than"):
        read_bytes(change(text + b" "))


WITHOUT_SIMDJSON = """
import sys
sys.modules["simdjson"] = None
import sensenet
print(sensenet.create_model(sys.argv[1])([5.1, 3.5, 1.4, 0.2]))
"""


def test_a_model_predicts_where_simdjson_is_not_installed():
    command = [sys.executable, "-c", WITHOUT_SIMDJSON, IRIS]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert result.stdout == f"{create_model(IRIS)([5.1, 3.5, 1.4, 0.2])}\n"


MEASURE = """
import sys
from sensenet.frontend.json.reader import read_file

def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))

before = peak()
found = read_file(sys.argv[1])
print(1024 * (peak() - before), sum(layer["weights"].nbytes for layer in found["layers"]))
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs the figures of Linux")
def test_reading_takes_little_memory(tmp_path):
    """At most the file's size and three times the weights'."""
    path = tmp_path / "large.json"
    rows = np.random.default_rng(0).normal(size=(250, 300)).tolist()
    path.write_bytes(text_of({"layers": [{"weights": rows} for _ in range(10)]}))
    command = [sys.executable, "-c", MEASURE, str(path)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    peak, weights = map(int, output.split())
    assert weights == 10 * 250 * 300 * 4
    assert peak <= path.stat().st_size + 3 * weights


def test_numbers_are_rounded_once_from_double():
    values = [0.1, 1 / 3, 16777217.0, 1e-42, -0.0, 3.4028235e38, 5e-324, 12345678901234567]
    array = read_bytes(text_of({"offset": values, "layers": []}))["offset"]
    np.testing.assert_array_equal(array.view(np.int32), np.array(values, np.float32).view(np.int32))


IRREGULAR = [
    [[1, 2], [3]],
    [[1, 2], [3, [4]]],
    [[1], [[2]]],
    [1, [2]],
    [[1], 2],
    [[1, None]],
    [["1"]],
    [[], [[]]],
    [{}],
]


@pytest.mark.parametrize("values", IRREGULAR)
def test_irregular_lists_stay_as_they_are(values):
    assert read_bytes(text_of({"weights": values}))["weights"] == values


def test_objects_that_simdjson_cannot_search():
    """Repeated keys, of which the last counts, null characters in keys, and very many keys."""
    repeated = b'{"a": {"weights": [1], "weights": [2.5]}, "b\\u0000c": {"b": 1}, "b": 2}'
    assert read_bytes(repeated) == {"a": {"weights": [2.5]}, "b\0c": {"b": 1}, "b": 2}
    many = {f"field {i}": {"name": i} for i in range(2000)}
    assert read_bytes(text_of(many)) == many


def test_numbers_that_simdjson_does_not_take():
    text = b'{"big": 123456789012345678901234567890, "weights": [[1, 2]], "half": "\\ud800"}'
    found = read_bytes(text)
    assert found.pop("weights").tolist() == [[1, 2]]
    assert found == {"big": 123456789012345678901234567890, "half": "\ud800"}


def test_a_list_longer_than_simdjson_counts():
    counted = 2**24 - 1
    text = b'{"weights": [' + b"1," * counted + b"1]}"
    found = read_bytes(text)["weights"]
    assert len(found) == counted + 1


numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70)


@st.composite
def regular_lists(draw, least_rank=1):
    """Nested lists, and their shape."""
    shape = tuple(draw(st.lists(st.integers(2, 3), min_size=least_rank, max_size=4)))
    count = math.prod(shape)
    values = draw(st.lists(numbers, min_size=count, max_size=count))
    return np.array([*values, None], object)[:-1].reshape(shape).tolist(), shape


@given(regular_lists())
def test_packing_rounds_as_numpy_does(generated):
    nested, shape = generated
    packed = pack_array(nested)
    assert packed.shape == shape
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(packed, np.array(nested, np.float64).astype(np.float32))


@given(regular_lists(least_rank=2), st.sampled_from(["drop", None, "1", [], [1.0], {}]), st.data())
def test_packing_refuses_what_is_irregular(generated, change, data):
    nested, shape = generated
    row = nested
    for size in shape[:-1]:
        row = row[data.draw(st.integers(0, size - 1))]
    place = data.draw(st.integers(0, shape[-1] - 1))
    if change == "drop":
        del row[place]
    else:
        row[place] = change
    with pytest.raises(NotAnArrayError):
        pack_array(nested)


def tree_of_depth(depth):
    node = [[1.0], None]
    for level in range(depth):
        node = [0, -level, node, [[0.0], None]]
    return node


def test_a_tree_of_100000_levels():
    layers = [{"type": "activation", "activation_function": None}]
    exposition = {"type": "categorical", "values": ["a"]}
    column = {"type": "numeric", "index": 0, "mean": 0, "stdev": 1}
    document = {
        "preprocess": [column],
        "layers": layers,
        "output_exposition": exposition,
        "trees": [[[0, 1], [tree_of_depth(100_000)]]],
    }
    graph = import_graph(document)
    forest = next(node.op for node in graph.nodes if node.op.mnemonic() == "forest")
    answers = forest.evaluate(np.array([[-100_000], [-99_999], [-99_998]], np.float32))
    assert answers.tolist() == [[1.0], [1.0], [0.0]]


def test_deep_text_is_an_error():
    tree = "[0, 0.5, " * 100_000 + "[[1.0], null]" + ", [[0.0], null]]" * 100_000
    text = json.dumps(network([])).replace('"trees": null', f'"trees": [[[0, 1], [{tree}]]]')
    with pytest.raises(DocumentError, match="nested too deep"):
        import_graph(text)


def test_deep_lists_anywhere_are_errors():
    nested = []
    for _ in range(100_000):
        nested = [nested]
    for key in ("preprocess", "layers", "networks", "trees", "output_exposition"):
        document = network([])
        document[key] = nested
        with pytest.raises(SensenetError):
            import_graph(document)
    document = typed()
    document["layers"][0]["weights"] = nested
    with pytest.raises(DocumentError, match="lists nested more than 8 deep"):
        import_graph(document)


def test_numpy_values_in_a_dict():
    document = typed()
    expected = import_graph(document)
    document["layers"][0]["weights"] = np.array(document["layers"][0]["weights"])
    document["layers"][0]["offset"] = tuple(document["layers"][0]["offset"])
    document["preprocess"][0]["mean"] = np.float32(1.5)
    document["preprocess"][0]["index"] = np.int64(0)
    assert same_graph(import_graph(document), expected)
    document["layers"][0]["weights"] = np.array([["1"]])
    with pytest.raises(DocumentError, match="an array of <U1"):
        import_graph(document)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e39])
def test_numbers_that_are_not_finite(bad):
    document = typed()
    document["layers"][0]["weights"][2][1] = bad
    with pytest.raises(
        DocumentError, match=r"layers\[0\]\.weights: expected finite float32 numbers.* at \[2\]\[1\]"
    ):
        import_graph(document)
    document = typed()
    document["preprocess"][0]["mean"] = bad
    with pytest.raises(DocumentError, match=r"preprocess\[0\]\.mean: expected a finite number"):
        import_graph(document)
