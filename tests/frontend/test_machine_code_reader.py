"""Lists that machine code reads: the same bits as Python's and NumPy's, for every number and every shape."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

pytest.importorskip("llvmlite")

from sensenet.frontend.json import machine_code_reader, number_code
from sensenet.frontend.json.list_code import MOST_DEPTH
from sensenet.frontend.json.number_code import EXPONENTS

UNDECIDED = object()


@pytest.fixture(scope="module")
def read():
    return machine_code_reader.ListReader(lambda _: UNDECIDED).read


def wanted(text):
    with np.errstate(over="ignore"):
        return np.float64(float(text)).astype(np.float32)


def read_number(read, text):
    array = read(f"[{text}]".encode())
    if array is UNDECIDED:
        return UNDECIDED
    assert (array.shape, array.dtype) == ((1,), np.float32)
    return array[0]


def assert_nearest(read, text):
    found = read_number(read, text)
    assert found is not UNDECIDED
    assert found.tobytes() == wanted(text).tobytes(), text


FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@given(value=FLOATS.filter(lambda value: value == 0 or 1e-75 < abs(value) < 1e60))
@example(-0.0)
@example(5e-324 * 2**1000)
@example(float(np.finfo(np.float32).max) * 2)
def test_floats_as_python_writes_them(read, value):
    assert_nearest(read, repr(value))


@given(value=st.floats(width=32, allow_nan=False, allow_infinity=False), places=st.integers(0, 17))
def test_floats_in_other_notations(read, value, places):
    for text in (f"{value:.{places}e}", f"{value:.{places}E}"):
        assert_nearest(read, text)


DIGITS = st.integers(0, 10**19 - 1)


@given(number=DIGITS, places=st.integers(1, 19), sign=st.sampled_from(["", "-"]))
@example(9007199254740993, 1, "")
@example(2**53 * 10 + 5, 1, "")
def test_decimals_of_19_digits(read, number, places, sign):
    text = f"{number:0{places + 1}d}"
    assert_nearest(read, f"{sign}{text[:-places]}.{text[-places:]}")


@given(half=st.integers(2**52, 2**53 - 1), exponent=st.integers(0, 9))
def test_ties_between_two_float64_are_rounded_to_even(read, half, exponent):
    """Odd numbers of 54 bits lie in the middle between two of 53."""
    assert_nearest(read, f"{(2 * half + 1) * 2**exponent}e0")


@given(number=DIGITS.filter(bool), power=st.integers(EXPONENTS.start - 3, EXPONENTS.stop + 2))
def test_any_power_is_right_or_undecided(read, number, power):
    text = f"{number}e{power}"
    found = read_number(read, text)
    assert (found is not UNDECIDED) == (power in EXPONENTS)
    assert found is UNDECIDED or found.tobytes() == wanted(text).tobytes()


@pytest.mark.parametrize("text", ["0", "-0", "7", "-12", "999999999999999999", "100000000000000000"])
def test_integers(read, text):
    assert read_number(read, text).tobytes() == np.float32(int(text)).tobytes()  # -0 has no sign


@pytest.mark.parametrize("zeros", [1, 2, 18, 19, 20, 90])
def test_zeros_after_the_point_are_not_counted(read, zeros):
    assert_nearest(read, f"0.{'0' * zeros}")
    if zeros < 80:
        assert_nearest(read, f"-0.{'0' * zeros}1234567890123456")


@pytest.mark.parametrize(
    "text",
    [
        *("", "-", "+1", ".5", "1.", "1.e3", "01", "-01", "00", "1e", "1e+", "1e-", "--1", "1-", "1.2.3"),
        *("1e5e5", "0x10", "1_0", "NaN", "Infinity", "-Infinity", "null", "true", '"1"', "{}", "1 2", "1;2"),
        *("\x001", "1\x00", "1\v", "１", "1,", ",1", ",", "1,,2", "[", "]", "[]", "1,[2]", "[1],2", "[1],[]"),
        *("[1][2]", "[1],[2,3]", "12345678:", "1234567/", "0.12345678/", "0.1234567:9", ":", "/"),
        *("[[1],[2]],[[3]]", "[[1]],[2]", "[1,2],[3],[4]", "[1,2],[3],[4,5,6]"),
        *("12345678901234567890", "1.2345678901234567890", "1000000000000000000"),
        *("18446744073709551616.00000000", "-36893488147419103232.00000000e1"),  # 0 modulo 2 to the 64
        *("1e400", "1e-400", "1e00001"),
        f"1e{EXPONENTS.stop}",
        "[" * MOST_DEPTH + "1" + "]" * MOST_DEPTH,
    ],
)
def test_other_texts_are_undecided(read, text):
    assert read(f"[{text}]".encode()) is UNDECIDED


@pytest.mark.parametrize(
    "text", ["", " ", "1", "[1", "1]", "[1]]", "[[1]", "[1] ", "[1][2]", "][", "]", "{[1]}", "[1]a"]
)
def test_texts_that_are_not_one_list_are_undecided(read, text):
    assert read(text.encode()) is UNDECIDED


SHAPES = st.lists(st.integers(1, 6), min_size=1, max_size=MOST_DEPTH)


@given(shape=SHAPES, separator=st.sampled_from([",", ", ", " ,\r\n\t"]), indent=st.sampled_from([None, 2]))
def test_shapes_and_white_space(read, shape, separator, indent):
    numbers = np.random.default_rng(math.prod(shape)).normal(size=shape)
    text = json.dumps(numbers.tolist(), separators=(separator, ":"), indent=indent)
    found = read(text.encode())
    assert found.shape == tuple(shape)
    assert not found.flags.writeable
    np.testing.assert_array_equal(found, numbers.astype(np.float32), strict=True)


@given(shape=SHAPES, data=st.data())
def test_a_changed_bracket_or_comma_is_noticed(read, shape, data):
    text = json.dumps(np.arange(math.prod(shape)).reshape(shape).tolist())
    place = data.draw(st.sampled_from([place for place, byte in enumerate(text) if byte in "[],"]))
    changed = text[:place] + data.draw(st.sampled_from(["", "[", "]", ",", " ", "1"])) + text[place + 1 :]
    found = read(changed.encode())
    try:
        expected = np.array(json.loads(changed), np.float32)
    except ValueError:
        assert found is UNDECIDED
    else:
        assert found is UNDECIDED or np.array_equal(found, expected)
        assert found is not UNDECIDED or expected.ndim > MOST_DEPTH or expected.size == 0


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("part", [1, 100, 5000])
def test_parts_are_read_by_threads(read, monkeypatch, threads, part):
    monkeypatch.setattr(machine_code_reader, "BYTES_OF_A_PART", part)
    monkeypatch.setattr(machine_code_reader, "BYTES_TO_SEARCH", 7)
    monkeypatch.setattr(machine_code_reader, "usable_processors", lambda: threads)
    for shape in [(1,), (2,), (300,), (1, 300), (300, 1), (7, 11, 5)]:
        numbers = np.random.default_rng(1).normal(size=shape)
        text = json.dumps(numbers.tolist()).encode()
        np.testing.assert_array_equal(read(text), numbers.astype(np.float32), strict=True)
        assert shape[0] == 1 or len(shape) == 1 or read(text.replace(b"]", b",1]", 1)) is UNDECIDED
        assert read(text[:-1] + b", x]") is UNDECIDED


def test_a_view_of_a_buffer_is_read_in_place(read):
    buffer = bytearray(b"xx[1, 2.5]yy")
    np.testing.assert_array_equal(read(memoryview(buffer)[2:-2]), [1, 2.5])


def test_what_follows_the_text_is_not_read(read):
    content = b"[[0.12345678e-12,-1234567890],[0.000000001,-0]]"
    for size in range(len(content)):
        assert read(memoryview(content)[:size]) is UNDECIDED
    for tail in (b"5", b"5" * 16, b"e5", b".5", b",5]", b"]" * 70):
        number = bytearray(b"[1.25" + tail)
        assert read(memoryview(number)[:5]) is UNDECIDED
        for text in (b"[12345678]", content):
            found = read(memoryview(text + tail)[: len(text)])
            np.testing.assert_array_equal(found, np.array(json.loads(text), np.float32), strict=True)


def test_powers_of_five():
    for exponent in EXPONENTS:
        high, low = (part % 2**64 for part in number_code._power_of_five(exponent))
        bits = high << 64 | low
        assert 2**127 <= bits < 2**128
        power = Fraction(5) ** exponent
        shift = 128 - (power.numerator.bit_length() - power.denominator.bit_length())
        exact = next(
            power * Fraction(2) ** each for each in (shift, shift - 1) if power * Fraction(2) ** each < 2**128
        )
        assert 0 <= exact - bits < 1 if exponent >= 0 else 0 < bits - exact <= 1
