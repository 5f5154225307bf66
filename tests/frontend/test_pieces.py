"""Weights that are cut out of a text: which, wherever reading stops, and that it keeps its meaning."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensenet.frontend.json import weight_lists as pieces
from sensenet.frontend.json.arrays import pack_array
from sensenet.frontend.json.reader import read_bytes
from sensenet.frontend.json.standard_parser import ListReader
from sensenet.frontend.json.weight_lists import LIST_KEYS, cut_weights

pytestmark = pytest.mark.usefixtures("parser")


def read_of(text, sizes=()):
    """Reads a text: as many bytes at a time as `sizes` says, or as there is room for."""
    position, wanted = 0, iter(sizes)

    def read(memory):
        nonlocal position
        part = text[position : position + min(next(wanted, len(text)), len(memory))]
        memory[: len(part)] = part
        position += len(part)
        return len(part)

    return read


def cut(text, sizes=(), room=10):
    """What is cut out of a text, which the pieces must make up."""
    found = [(bytes(rest), bytes(weights)) for rest, weights in cut_weights(read_of(text, sizes), room)]
    assert b"".join(rest + weights for rest, weights in found) == text
    return [weights for _, weights in found if weights]


@pytest.fixture
def narrow(monkeypatch):
    """A window so narrow that short texts don't fit in it."""
    monkeypatch.setattr(pieces, "BLOCK", 8)
    monkeypatch.setattr(pieces, "LONGEST_MATCH", 30)


CUTS = [
    ('{"weights": [[1, 2], [3, 4]], "offset": [5]}', ["[[1, 2], [3, 4]]", "[5]"]),
    ('{"layers": [{"kernel": [1.5e-3]}, {"bias": [ ]} ]}', ["[1.5e-3]", "[ ]"]),
    ('{"mean"\n:\t[1\n,\n2]\n}\n', ["[1\n,\n2]"]),
    ('{"mean": 1, "stdev": null, "gamma": "[1]", "inputs": [0, -1]}', []),
    ('{"text": "\\"weights\\": [1]", "other weights": [1], "\\"weights": [1]}', []),
    (f'{{"\\"mean":{" " * 23}[1], "mean":{" " * 20}[2]}}', ["[2]"]),
    ('{"mean": [1]}', ["[1]"]),
    (f'{{"mean": [{"1," * 200}1], "scale": [2]}}', [f"[{'1,' * 200}1]", "[2]"]),
]


@pytest.mark.parametrize(("text", "expected"), CUTS, ids=range(len(CUTS)))
def test_what_is_cut_out(text, expected):
    assert cut(text.encode()) == [part.encode() for part in expected]


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize(("text", "expected"), CUTS, ids=range(len(CUTS)))
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_wherever_reading_stops(text, expected, size):
    assert cut(text.encode(), [size] * len(text)) == [part.encode() for part in expected]


@pytest.mark.parametrize(
    "text",
    [
        "[1, [2]]",
        "[[1, 2], [3]]",
        "[[1], [[2]]]",
        "[1, [], [2, 3]]",
        "[[], [[]]]",
        "[true]",
        "[null]",
        "[1",
        "[1]]",
        "[1], [2]",
        "[01]",
        "[1e999]",
        "[NaN]",
        "[\xff]",
        "[" * 9 + "1" + "]" * 9,
        "[" * 3000 + "]" * 3000,
    ],
)
@pytest.mark.parametrize("form", [bytes, memoryview])
def test_lists_that_are_no_arrays(text, form, parser):
    lists = parser.ListReader()
    assert lists.read(form(text.encode("latin-1"))) is None
    assert lists.read(form(b"[1]")).tolist() == [1]


def test_integers_beyond_64_bits_are_weights(parser):
    text = b"[123456789012345678901234567890]"
    assert read_bytes(b'{"weights": %b}' % text)["weights"] == [np.float32(123456789012345678901234567890)]
    assert (parser.ListReader().read(text) is None) == (parser.ListReader is not ListReader)


@pytest.mark.filterwarnings("error")
def test_numbers_beyond_float32_are_infinite(parser):
    assert parser.ListReader().read(b"[1e39, -1e300, 1e-300]").tolist() == [np.inf, -np.inf, 0]


numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**64 - 1)
texts = st.text(max_size=8) | st.sampled_from(
    [
        '"weights": [1, 2]',
        '\\"kernel": [',
        "\\",
        '"',
        "]",
        '}, {"bias": [3]',
        "\ud800".encode("utf-16", "surrogatepass").decode("latin-1"),
    ]
)
keys = st.sampled_from(LIST_KEYS) | st.sampled_from(["layers", "type", '"weights', "bias\\", "a\0"]) | texts
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(st.lists(numbers, min_size=2, max_size=2), max_size=3)
        | st.dictionaries(keys, inner, max_size=4)
    ),
    max_leaves=20,
)


def same(found, expected):
    """Whether what was read is what the standard library reads, but for numbers that became float32."""
    if isinstance(found, np.ndarray):
        array = pack_array(expected)
        return found.shape == array.shape and np.array_equal(found, array)
    if isinstance(found, dict):
        return found.keys() == expected.keys() and all(same(found[key], expected[key]) for key in found)
    if isinstance(found, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    return type(found) is type(expected) and found == expected


def refuse(constant):
    raise ValueError(constant)


def finite(digits):
    return float(digits) if math.isfinite(float(digits)) else refuse(digits)


@given(values, st.sampled_from([None, 0, 2]), st.booleans())
def test_nothing_changes_its_meaning(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert same(read_bytes(text.encode()), json.loads(text))


@given(values, st.lists(st.integers(1, 40), max_size=40))
def test_pieces_make_up_the_text(value, sizes):
    cut(json.dumps(value).encode(), sizes)


@given(
    st.dictionaries(keys.filter(lambda key: "\0" not in key), values, max_size=4),
    st.binary(max_size=3),
    st.data(),
)
def test_a_fault_anywhere_is_one_for_both_parsers(value, noise, data):
    text = json.dumps(value).encode()
    place = data.draw(st.integers(0, len(text)))
    changed = text[:place] + noise + text[place + data.draw(st.integers(0, 3)) :]
    try:
        expected = json.loads(changed.decode("utf-8-sig"), parse_constant=refuse, parse_float=finite)
    except ValueError:
        with pytest.raises(ValueError, match="the document: "):
            read_bytes(changed)
    else:
        assert same(read_bytes(changed), expected)


def test_memory_for_the_longest_list_is_enough(narrow):
    text = b'{"weights": [1, 2, 3], "other": [4], "offset": [5, 6]}' * 20
    assert cut(text, room=1 << 62) == cut(text)
